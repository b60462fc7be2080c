package bonus

import (
	"fmt"
	"strings"

	"github.com/jobeffekt/jobeffekt/effect"
)

// Stratum is a class of the citizens behind an effect line beside the same class
// of those that they are compared with. Strata describe: they are raw means, and
// what the line's method expects also weighs what the classes do not tell.
type Stratum struct {
	Line         string  `col:"line" doc:"line"`
	Classes      string  `col:"classes" doc:"values of the declared classes, separated by commas"`
	N            int64   `col:"n" doc:"citizens of the line in the class, with a complete window"`
	Observed     float64 `col:"observed" doc:"their mean outcome"`
	NComparators int64   `col:"n_comparators" doc:"comparators in the class, with a complete window"`
	Expected     float64 `col:"comparators" doc:"their mean outcome; null where there is none"`
}

// Behind adds to the explanation of an effect line the parts of its difference,
// as far as they were estimated, and strata where there are any.
func (e Explanation) Behind(terms []*Terms, f Facts, strata []Stratum) Explanation {
	_, c := clauseOf(&e.Line, terms)
	if c == nil || c.Measure.Effect == "" {
		return e
	}
	row := rowOf(&e.Line, c, f)
	if row == nil {
		return e
	}
	for _, part := range []effect.Part{effect.Total, effect.Municipality, effect.Provider} {
		for i := range f.Benchmark {
			r := &f.Benchmark[i]
			if r.Part == part && r.Outcome == row.Outcome && r.Method == row.Method && r.Cell == row.Cell {
				e.Parts = append(e.Parts, *r)
			}
		}
	}
	e.Strata = strata
	return e
}

// shownStrata is how many strata an explanation shows.
const shownStrata = 10

// writeBehind writes the parts and strata of an effect.
func (e *Explanation) writeBehind(b *strings.Builder) {
	if len(e.Parts) > 0 {
		fmt.Fprintf(b, "\nParts of the difference in %s, by %s (municipality + provider = total, where all are known)\n", e.Parts[0].Outcome, e.Parts[0].Method)
		table(b, func(row func(cells ...string)) {
			row("part", "n", "observed", "expected", "difference", "low", "high", "")
			for _, p := range e.Parts {
				observed := text(p.Observed)
				if p.Part == effect.Municipality {
					observed = "-" // it is about two expectations
				}
				row(string(p.Part), fmt.Sprint(p.NCompared), observed, text(p.Expected), text(p.Difference), text(p.Low), text(p.High), p.Refusal)
			}
		})
	}
	if len(e.Strata) > 0 {
		b.WriteString("\nThe largest classes of its citizens beside the comparators of the same class (raw means: the method also weighs what the classes do not tell)\n")
		table(b, func(row func(cells ...string)) {
			row("n", "observed", "comparators", "observed", "class")
			for i, x := range e.Strata {
				if i == shownStrata {
					row(fmt.Sprintf("and %d classes more", len(e.Strata)-i))
					break
				}
				row(fmt.Sprint(x.N), text(effect.Round(x.Observed)), fmt.Sprint(x.NComparators), text(effect.Round(x.Expected)), x.Classes)
			}
		})
	}
}
