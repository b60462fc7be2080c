package report

import (
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/effect"
)

// outcome says in words what an outcome of the run file is, as the beginning of a sentence.
func (b *builder) outcome(name string) string {
	at := slices.IndexFunc(b.p.Config.Outcomes, func(a jobeffekt.Asked) bool { return a.Name == name })
	if at < 0 {
		return short(name)
	}
	a := b.p.Config.Outcomes[at]
	var states []string
	for _, s := range a.States {
		states = append(states, b.l.Code("state", s.String()))
	}
	list := strings.Join(states, " "+b.T("date.or")+" ")
	if effect.States(a.States...) == effect.States(effect.OrdinaryEmployment, effect.SelfEmployment) {
		list = b.T("state.work")
	}
	clock := b.l.Code("clock", string(a.Clock))
	if a.Clock == "" {
		clock = b.T("clock.referral")
	}
	span := func(s *effect.Span) string {
		if s == nil {
			return ""
		}
		return b.span(*s)
	}
	text := b.T("outcome."+string(a.Kind), "states", list, "clock", clock, "at", span(a.At), "within", span(a.Within), "weeks", a.Weeks,
		"least", b.l.Number(a.AtLeast, places(a.AtLeast)), "after", span(a.After), "column", short(a.Column))
	if a.AtLeast != 0 && a.Count == jobeffekt.CountReached {
		text = b.T("outcome.least", "outcome", text, "least", b.l.Number(a.AtLeast, places(a.AtLeast)))
	}
	return capital(text)
}

// places are the decimals that a number of the run file needs, at most two.
func places(x float64) int {
	if math.IsNaN(x) {
		return 0
	}
	x = math.Round(x*1e6) / 1e6 // 100*(1-0.95) is 5
	for d := range 2 {
		if s := x * math.Pow10(d); s == math.Trunc(s) {
			return d
		}
	}
	return 2
}

// capital is the text with its first letter as a capital.
func capital(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	if n == 0 {
		return s
	}
	return string(unicode.ToUpper(r)) + s[n:]
}

// lower is the text with its first letter as a small one, to go on in a sentence.
func lower(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	if n == 0 {
		return s
	}
	return string(unicode.ToLower(r)) + s[n:]
}

// span is a span of time in words: 26 uger, 6 måneder, 1 år.
func (b *builder) span(s effect.Span) string {
	var out []string
	unit := func(n int, key string) {
		if n != 0 {
			out = append(out, b.T(key, "n", n))
		}
	}
	unit(s.Months/12, "span.years")
	unit(s.Months%12, "span.months")
	if s.Days%7 == 0 {
		unit(s.Days/7, "span.weeks")
	} else {
		unit(s.Days, "span.days")
	}
	if len(out) == 0 {
		return b.T("span.days", "n", 0)
	}
	return strings.Join(out, " ")
}

// level is a mean outcome: a share as a percentage, all else in its unit.
func (b *builder) level(x float64, u effect.Unit, decimals int) string {
	switch {
	case math.IsNaN(x):
		return b.T("page.missing")
	case u == effect.UnitShare || u == effect.UnitPortion:
		return b.l.Percent(x, decimals)
	}
	return b.T("unit."+string(u), "x", b.l.Number(x, decimals))
}

// scaled is a difference as it is told: of shares in percentage points.
func scaled(x float64, u effect.Unit) float64 {
	if u == effect.UnitShare || u == effect.UnitPortion {
		return 100 * x
	}
	return x
}

// between says in words between which limits a difference lies: between 1 percentage point
// lower and 3 higher. Limits are whole; under 1 they have a decimal, so that none seems to be
// nothing that is not.
func (b *builder) between(f figures, u effect.Unit) string {
	low, high := scaled(f.Low, u), scaled(f.High, u)
	if math.IsNaN(low) || math.IsNaN(high) {
		return b.T("page.missing")
	}
	if math.IsInf(low, 0) || math.IsInf(high, 0) {
		return b.T("between.unbounded")
	}
	of := func(x float64) string {
		x = math.Abs(x)
		switch {
		case x == 0:
			return "0"
		case x < 0.05:
			return b.T("between.under", "x", b.l.Number(0.1, 1))
		case x < 0.95:
			return b.l.Number(x, 1)
		}
		return b.l.Number(x, 0)
	}
	// How many are named first decides the form of the unit.
	unit := func(x float64) string {
		if of(x) == "1" {
			return b.T("between." + string(u) + "_one")
		}
		return b.T("between." + string(u))
	}
	more, fewer := b.T("between.higher"), b.T("between.lower")
	if u == effect.UnitDays || u == effect.UnitWeeks || u == effect.UnitHours {
		more, fewer = b.T("between.more"), b.T("between.fewer")
	}
	switch {
	case low < 0 && high > 0:
		return b.T("between.both", "low", of(low), "unit", unit(low), "fewer", fewer, "high", of(high), "more", more)
	case high <= 0:
		return b.T("between.one_side", "from", of(high), "to", of(low), "unit", unit(low), "way", fewer)
	}
	return b.T("between.one_side", "from", of(low), "to", of(high), "unit", unit(high), "way", more)
}
