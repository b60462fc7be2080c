package bonus

import (
	"cmp"
	"fmt"
	"math/big"
	"slices"

	"github.com/jobeffekt/jobeffekt/effect"
)

// Figure is a number about a provider that the settlement does not work out itself:
// what participants answered, what an inspection found, or anything else that is
// handed in.
type Figure struct {
	Name     string `col:"figure" doc:"name of the figure: satisfaction (mean of the answers), response_rate (answers of those asked), inspection (grade), or as the table figures calls it"`
	Provider string `col:"provider_id" doc:"provider; empty for a figure of all providers, as a weight that is published, which scores look at where a provider has none of its own"`
	Period   string `col:"period" doc:"period that the figure is of, as 2008, 2008H1, 2008Q3 or 2008-09, or one day, as 2008-09-15"`
	N        int64  `col:"n" doc:"persons or cases behind it; of a response rate those who were asked; -1 where unknown"`
	Value    string `col:"value" doc:"value, an exact decimal; null where there is none, as of a grade that is no number: then no condition on it holds"`
}

// Of is the period of the figure; a day is a period of one day. The error wraps
// [ErrFacts].
func (f *Figure) Of() (effect.Period, error) {
	if d, err := effect.ParseDate(f.Period); err == nil {
		return effect.Period{Name: f.Period, Start: d, End: d + 1}, nil
	}
	p, err := effect.ParsePeriod(f.Period)
	if err != nil {
		return p, fmt.Errorf("%w: figure %s of provider %s: %w", ErrFacts, f.Name, f.Provider, err)
	}
	return p, nil
}

// Rat is the value, exactly; nil where there is none.
func (f *Figure) Rat() *big.Rat {
	if !plain(f.Value, len(f.Value)) {
		return nil
	}
	r, _ := new(big.Rat).SetString(f.Value)
	return r
}

// Evidence is a document that was received about a participation.
type Evidence struct {
	Participation effect.ID
	Kind          string      // as the terms name it
	On            effect.Date // day on which it was received
}

// FigureBook finds figures. It is made by [NewFigureBook].
type FigureBook struct {
	of map[providerFigure][]datedFigure
}

type providerFigure struct{ name, provider string }

type datedFigure struct {
	Figure
	period effect.Period
}

// NewFigureBook puts figures in order. A value that is no decimal, an n under -1, a
// period that is none, and two figures of one name, provider and period are errors that wrap
// [ErrFacts].
func NewFigureBook(figures []Figure) (*FigureBook, error) {
	b := &FigureBook{of: map[providerFigure][]datedFigure{}}
	for _, f := range figures {
		p, err := f.Of()
		if err != nil {
			return nil, err
		}
		if f.Value != "" && f.Rat() == nil {
			return nil, fmt.Errorf("%w: figure %s of provider %s for %s has a value that is no decimal", ErrFacts, f.Name, f.Provider, f.Period)
		}
		if f.N < -1 {
			return nil, fmt.Errorf("%w: figure %s of provider %s for %s is of %d cases", ErrFacts, f.Name, f.Provider, f.Period, f.N)
		}
		k := providerFigure{f.Name, f.Provider}
		b.of[k] = append(b.of[k], datedFigure{f, p})
	}
	for _, list := range b.of {
		slices.SortFunc(list, func(a, b datedFigure) int {
			return cmp.Or(cmp.Compare(b.period.End, a.period.End), cmp.Compare(b.period.Start, a.period.Start))
		})
		for i := range list[:len(list)-1] {
			if f := &list[i]; f.period.Start == list[i+1].period.Start && f.period.End == list[i+1].period.End {
				return nil, fmt.Errorf("%w: figure %s of provider %s for %s is there twice", ErrFacts, f.Name, f.Provider, f.Period)
			}
		}
	}
	return b, nil
}

// For is the figure of exactly the period, which is told by its days.
func (b *FigureBook) For(name, provider string, period effect.Period) (Figure, bool) {
	for _, f := range b.of[providerFigure{name, provider}] {
		if f.period.Start == period.Start && f.period.End == period.End {
			return f.Figure, true
		}
	}
	return Figure{}, false
}

// UpTo are the figures whose period is over by the end of a day, the latest first:
// by the last day of the period, and of two that end together the shorter first.
// What a condition calls the latest figure of a settlement period is the first of
// those up to the period's last day.
func (b *FigureBook) UpTo(name, provider string, day effect.Date) []Figure {
	var out []Figure
	for _, f := range b.of[providerFigure{name, provider}] {
		if f.period.End-1 <= day {
			out = append(out, f.Figure)
		}
	}
	return out
}
