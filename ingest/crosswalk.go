package ingest

import (
	"maps"
	"slices"

	"github.com/jobeffekt/jobeffekt/effect"
)

// Move is how many rows of a table a crosswalk moved from one match group to
// another.
type Move struct {
	Table      string `col:"table" doc:"table of the contract: participations, caseload or peer_strata"`
	FromScheme string `col:"from_scheme" doc:"match scheme in the input"`
	FromGroup  string `col:"from_group" doc:"match group in the input"`
	ToScheme   string `col:"to_scheme" doc:"match scheme used"`
	ToGroup    string `col:"to_group" doc:"match group used"`
	Rows       int64  `col:"rows" doc:"good rows moved: participations, of the cohort or not; spells on benefit; lines of aggregated outcomes. 0 where no row has the group"`
}

// Moves lists, for each table read so far, every group of the crosswalk with the
// rows moved, in the order of tables, schemes and groups.
func (d *Dataset) Moves() []Move {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []Move
	for _, table := range tables() {
		if a := d.results[table]; a != nil {
			out = append(out, a.moves...)
		}
	}
	return out
}

// moveGroups replaces the match schemes and groups of a table's rows by what the
// crosswalk says, and counts. Schemes that no crosswalk leaves stay as they are.
func (d *Dataset) moveGroups(a *account, scheme, group *effect.Factor) error {
	if len(d.opt.Crosswalk) == 0 {
		return nil
	}
	walks := map[string]effect.Crosswalk{}
	for _, w := range d.opt.Crosswalk {
		walks[w.From] = w
	}
	type pair struct{ scheme, group int32 }
	rows := map[pair]int64{}
	for i := range scheme.Codes {
		rows[pair{scheme.Codes[i], group.Codes[i]}]++
	}
	schemes, groups := levels{codes: map[string]int32{}}, levels{codes: map[string]int32{}}
	to, moved := map[pair]pair{}, map[[2]string]int64{}
	var unmapped []UnmappedGroup
	for p, n := range rows {
		s, g := scheme.Levels[p.scheme], group.Levels[p.group]
		if w, ok := walks[s]; ok {
			target, mapped := w.Groups[g]
			if !mapped {
				unmapped = append(unmapped, UnmappedGroup{s, g, n})
				continue
			}
			moved[[2]string{s, g}] = n
			s, g = w.To, target
		}
		to[p] = pair{schemes.code(s), groups.code(g)}
	}
	if len(unmapped) > 0 {
		slices.SortFunc(unmapped, func(x, y UnmappedGroup) int {
			return slices.Compare([]string{x.Scheme, x.Group}, []string{y.Scheme, y.Group})
		})
		return &UnmappedGroupsError{a.table, unmapped}
	}
	s, g := effect.Factor{Codes: make([]int32, len(scheme.Codes)), Levels: schemes.names}, effect.Factor{Codes: make([]int32, len(group.Codes)), Levels: groups.names}
	for i := range scheme.Codes {
		p := to[pair{scheme.Codes[i], group.Codes[i]}]
		s.Codes[i], g.Codes[i] = p.scheme, p.group
	}
	s.Sort()
	g.Sort()
	*scheme, *group = s, g
	var moves []Move
	for _, from := range slices.Sorted(maps.Keys(walks)) {
		w := walks[from]
		for _, name := range slices.Sorted(maps.Keys(w.Groups)) {
			moves = append(moves, Move{a.table, from, name, w.To, w.Groups[name], moved[[2]string{from, name}]})
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	a.moves = moves
	return nil
}

// levels numbers names as they come.
type levels struct {
	names []string
	codes map[string]int32
}

func (l *levels) code(name string) int32 {
	k, ok := l.codes[name]
	if !ok {
		k = int32(len(l.names))
		l.names, l.codes[name] = append(l.names, name), k
	}
	return k
}
