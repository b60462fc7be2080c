package effect

// CellRow is one figure of one cell of the cohort: of an outcome, or of a covariate
// that is read off the time before referral. Cells are those of all packages of a
// provider together, so that Package is "".
type CellRow struct {
	Cell
	Kind string `col:"kind" doc:"outcome, or history: a number read off the time before referral"`
	Name string `col:"name" doc:"name of the outcome, or of the covariate from history"`
	Unit Unit   `col:"unit" doc:"what the values count, as share, days or weeks"`
	// Cohort are the cell's participations in the cohort, N those of them that have a
	// value: for an outcome those that are analysed, which the table of attrition counts
	// too.
	Cohort  int64   `col:"n_cohort" doc:"participations of the cell in the cohort"`
	N       int64   `col:"n" doc:"of these, those analysed"`
	Reached int64   `col:"n_reached" doc:"of those analysed, those that reached the outcome; 0 for history"`
	Mean    float64 `col:"mean" doc:"mean of the values of those analysed; null where n is 0"`
}

// The kinds of a CellRow.
const (
	KindOutcome = "outcome"
	KindHistory = "history"
)

// figure is one outcome of a cell: how many have it, and its sum.
type figure struct {
	n, reached int32 // fewer than the cases, which are numbered by int32
	sum        exactSum
}

// tally counts cells. Several workers have one each, and what they add up to does
// not depend on who read which case.
type tally struct {
	cohort  []int64  // by cell
	figures []figure // by cell, and of each by outcome
	days    []int64  // by cell, and of each by column of the history, which the whole cohort has: sums
	sights  []Sight  // scratch, by outcome
}

func (t *tally) join(o *tally) {
	for c, n := range o.cohort {
		t.cohort[c] += n
	}
	for k := range o.figures {
		f, g := &t.figures[k], &o.figures[k]
		f.n, f.reached = f.n+g.n, f.reached+g.reached
		f.sum.join(&g.sum)
	}
	for k, n := range o.days {
		t.days[k] += n
	}
}

// rows lists the figures of the cells that have cases in the cohort: by cell, and
// of each the outcomes and then the history.
func (s *sheet) rows(t *tally) []CellRow {
	var out []CellRow
	for c, cell := range s.cells.list {
		cohort := t.cohort[c]
		if cohort == 0 {
			continue
		}
		for k := range s.asks {
			f, a := &t.figures[c*len(s.asks)+k], &s.asks[k]
			row := CellRow{Cell: cell, Kind: KindOutcome, Name: a.Name, Unit: a.Measure.Unit(), Cohort: cohort, N: int64(f.n), Reached: int64(f.reached), Mean: nan}
			if f.n > 0 {
				row.Mean = Round(f.sum.over(int64(f.n)))
			}
			out = append(out, row)
		}
		for k, column := range s.columns {
			mean := float64(t.days[c*len(s.columns)+k]) / float64(7*cohort)
			out = append(out, CellRow{Cell: cell, Kind: KindHistory, Name: column.name, Unit: UnitWeeks, Cohort: cohort, N: cohort, Mean: Round(mean)})
		}
	}
	return out
}
