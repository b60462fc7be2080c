package dream

import (
	"cmp"
	"context"
	"slices"

	"github.com/jobeffekt/jobeffekt/effect"
)

// most is how many identifiers are held at a time to find those that are there
// twice.
const most = 1 << 18

// checkPersons reads the column of persons and finds rows without one, with one
// that an earlier row has, and identifiers that look like civil registration
// numbers; nil where there is none. A panel in the order of its ids is read once;
// any other once more for each quarter of a million persons, so that memory does not
// grow with them.
func checkPersons(ctx context.Context, c *conversion) (*PersonsError, error) {
	e := &PersonsError{}
	var missing []Place
	sorted := true
	var last effect.ID
	scan := func(visit func(id effect.ID, at func() Place), none func(at func() Place)) error {
		r := c.panel.Reader()
		files := c.panel.Parts()
		var dst []int32
		for i := range c.blocks {
			if err := ctx.Err(); err != nil {
				return context.Cause(ctx)
			}
			b := &c.blocks[i]
			dst = grow(dst, b.Rows)
			ids, err := r.IDs(b, c.layout.sheets[b.Part].person, dst)
			if err != nil {
				return err
			}
			for row, k := range dst {
				at := func() Place { return Place{files[b.Part], b.First + int64(row) + 1} }
				if k < 0 {
					none(at)
				} else {
					visit(ids[k], at)
				}
			}
		}
		return nil
	}
	err := scan(func(id effect.ID, _ func() Place) {
		if e.Rows > e.Missing && id.Compare(last) <= 0 {
			sorted = false
		}
		last = id
		if looksLikeCPR(id) {
			e.CPR++
		}
		e.Rows++
	}, func(at func() Place) {
		e.Missing++
		e.Rows++
		if len(missing) < maxPlaces {
			missing = append(missing, at())
		}
	})
	if err != nil {
		return nil, err
	}
	var twice []placed
	if !sorted {
		passes := uint64((e.Rows + most - 1) / most)
		for pass := range passes {
			seen := make(map[effect.ID]struct{}, min(e.Rows, most))
			row, kept := int64(0), 0
			err := scan(func(id effect.ID, at func() Place) {
				row++
				if spread(id)%passes != pass {
					return
				}
				if _, ok := seen[id]; !ok {
					seen[id] = struct{}{}
					return
				}
				e.Twice++
				if kept++; kept <= maxPlaces {
					twice = append(twice, placed{row, at()})
				}
			}, func(func() Place) { row++ })
			if err != nil {
				return nil, err
			}
		}
	}
	slices.SortFunc(twice, func(a, b placed) int { return cmp.Compare(a.row, b.row) })
	e.First = missing
	for _, p := range twice[:min(len(twice), maxPlaces)] {
		e.First = append(e.First, p.at)
	}
	if e.Missing == 0 && e.Twice == 0 && 2*e.CPR <= e.Rows {
		return nil, nil
	}
	return e, nil
}

const maxPlaces = 10

// placed is a place with its row in the whole panel.
type placed struct {
	row int64
	at  Place
}

// spread scatters identifiers evenly.
func spread(id effect.ID) uint64 {
	h := uint64(14695981039346656037)
	if n, ok := id.Number(); ok {
		h ^= uint64(n)
	} else {
		for _, b := range []byte(id.String()) {
			h = (h ^ uint64(b)) * 1099511628211
		}
	}
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}

// looksLikeCPR says whether an identifier has the form of a civil registration
// number: ten digits, or six, a hyphen and four, that begin with a day and a
// month. A number may have lost its first zero.
func looksLikeCPR(id effect.ID) bool {
	s := id.String()
	if _, ok := id.Number(); ok && len(s) == 9 {
		s = "0" + s
	}
	if len(s) == 11 && s[6] == '-' {
		s = s[:6] + s[7:]
	}
	if len(s) != 10 {
		return false
	}
	for i := range s {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	day, month := 10*int(s[0]-'0')+int(s[1]-'0'), 10*int(s[2]-'0')+int(s[3]-'0')
	if month < 1 || month > 12 || day < 1 {
		return false
	}
	return day <= [...]int{31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}[month-1]
}
