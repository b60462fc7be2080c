package dream

import (
	"cmp"
	"context"
	"slices"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/ingest"
)

// mostHeld is how many identifiers are held at a time to find those that are there
// twice.
const mostHeld = 1 << 18

// checkPersons reads the column of persons and finds rows without one, with one
// that an earlier row has, and identifiers that look like civil registration
// numbers; nil where there is none. A panel in the order of its ids is read once;
// any other once more for each quarter of a million persons, so that memory does not
// grow with them.
func checkPersons(ctx context.Context, c *conversion) (*PersonsError, error) {
	e := &PersonsError{}
	key, cpr := c.key, &ingest.CivilNumbers{Citizens: true}
	files := c.panel.Parts()
	// scan hands over the rows of the panel in their order; id is nil where there is
	// none.
	scan := func(visit func(id *effect.ID, file int, row int64)) error {
		r := c.panel.Reader()
		var dst []int32
		for i := range c.blocks {
			if err := effect.Stopped(ctx); err != nil {
				return err
			}
			b := &c.blocks[i]
			dst = grow(dst, b.Rows)
			ids, err := r.IDs(b, c.layout.sheets[b.Part].person, nil, dst)
			if err != nil {
				return err
			}
			for k, at := range dst {
				var id *effect.ID
				if at >= 0 {
					if id = &ids[at]; key != nil {
						*id = key.Canonical(*id) // who is one person under pseudonyms
					}
				}
				visit(id, b.Part, b.First+int64(k)+1)
			}
		}
		return nil
	}
	sorted := true
	var last *effect.ID
	var kept effect.ID
	err := scan(func(id *effect.ID, file int, row int64) {
		e.Rows++
		if id == nil {
			if e.Missing++; e.Missing <= maxPlaces {
				e.First = append(e.First, Place{files[file], row})
			}
			return
		}
		sorted = sorted && (last == nil || last.Compare(*id) < 0)
		kept = *id
		last = &kept
		if key == nil {
			cpr.Add(*id)
		}
	})
	if err != nil {
		return nil, err
	}
	if !sorted {
		passes := uint64((e.Rows + mostHeld - 1) / mostHeld)
		var twice []placed
		for pass := range passes {
			seen := make(map[effect.ID]struct{}, min(e.Rows, mostHeld))
			found := 0
			err := scan(func(id *effect.ID, file int, row int64) {
				if id == nil || spread(*id)%passes != pass {
					return
				}
				if _, ok := seen[*id]; !ok {
					seen[*id] = struct{}{}
					return
				}
				e.Twice++
				if found++; found <= maxPlaces {
					twice = append(twice, placed{file, row})
				}
			})
			if err != nil {
				return nil, err
			}
		}
		slices.SortFunc(twice, func(a, b placed) int { return cmp.Or(cmp.Compare(a.file, b.file), cmp.Compare(a.row, b.row)) })
		for _, p := range twice[:min(len(twice), maxPlaces)] {
			e.First = append(e.First, Place{files[p.file], p.row})
		}
	}
	if cpr.Evident() {
		e.CPR = cpr.Dates + cpr.Hyphenated
	}
	if e.Missing == 0 && e.Twice == 0 && e.CPR == 0 {
		return nil, nil
	}
	return e, nil
}

const maxPlaces = 10

// placed is a place, by the number of the file.
type placed struct {
	file int
	row  int64
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
