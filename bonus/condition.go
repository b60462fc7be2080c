package bonus

import (
	"math/big"
	"strings"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/watch"
)

// Conditions say for which cases a clause pays. All must hold.
//
// A condition about a package is a field here and its test in allow. One about a
// provider is a field and a place in over. One about a case needs two places more,
// which must agree: judgeCases, where each case gets its rule, and shares in
// effects.go, where the cases behind an effect are split into what the terms treat
// alike, so that an effect that mixes cases inside and outside the condition is a
// fault and not paid.
type Conditions struct {
	JobOriented *bool `yaml:"job_oriented,omitempty" doc:"only packages that are (true) or are not (false) job-oriented"`
	// Indicators keep a provider's cases in a municipality from being paid while an
	// indicator of gaming is above its limit there, all match groups together.
	Indicators map[Indicator]Decimal `yaml:"indicators,omitempty" doc:"indicator of gaming: the highest share that a provider may have of it in a municipality; one that was not evaluated keeps the clause from paying"`
}

// Indicator names an indicator of gaming: see [watch.Indicator].
type Indicator watch.Indicator

// Names lists the indicators.
func (Indicator) Names() []string { return watch.Indicator("").Names() }

// allow says whether cases in a package can be paid for.
func (c *Conditions) allow(p *OfferPackage) bool {
	return c.JobOriented == nil || *c.JobOriented == *p.JobOriented
}

func (c *Conditions) check(k *checker, path string) {
	for _, name := range Indicator("").Names() {
		limit, ok := c.Indicators[Indicator(name)]
		if r := limit.Rat(); ok && (r.Sign() < 0 || r.Cmp(big.NewRat(1, 1)) > 0) {
			k.fault(path+".indicators."+name, "%s is no limit of a share, which lies between 0 and 1", limit)
		}
	}
}

// place is a provider in a municipality.
type place struct{ municipality, provider string }

// indicators are the rows about providers in all match groups together.
func indicators(rows []watch.Row) map[place]map[watch.Indicator]*watch.Row {
	out := map[place]map[watch.Indicator]*watch.Row{}
	for i := range rows {
		r := &rows[i]
		p := place{r.Municipality, r.Provider}
		if r.MatchScheme != "" || r.MatchGroup != "" || r.Provider == "" || r.Provider == effect.OwnProvider {
			continue
		}
		if out[p] == nil {
			out[p] = map[watch.Indicator]*watch.Row{}
		}
		out[p][r.Indicator] = r
	}
	return out
}

// over names the indicators that keep a provider's cases in a municipality from
// being paid, in their fixed order, separated by commas; "" for none. One that
// nobody counted does; one that was looked for where there was nothing to count
// does not.
func (c *Conditions) over(known map[place]map[watch.Indicator]*watch.Row, p place) string {
	if len(c.Indicators) == 0 {
		return ""
	}
	var out []string
	for _, name := range Indicator("").Names() {
		limit, ok := c.Indicators[Indicator(name)]
		if !ok {
			continue
		}
		row := known[p][watch.Indicator(name)]
		switch {
		case row == nil, row.NotEvaluated != "":
			out = append(out, name)
		case row.N > 0 && big.NewRat(row.Count, row.N).Cmp(limit.Rat()) > 0:
			out = append(out, name)
		}
	}
	return strings.Join(out, ",")
}

// watchEffects takes the payment from effects of providers whose indicators are
// above their limits.
func (s *settler) watchEffects() {
	for _, d := range s.drafts {
		if d.clause == nil || d.clause.Measure.Effect == "" {
			continue
		}
		over := d.clause.Conditions.over(s.indicators, place{d.Municipality, d.Provider})
		if over == "" {
			continue
		}
		reason := ReasonIndicator + ":" + over
		d.Reason = strings.TrimPrefix(d.Reason+"; "+reason, "; ")
		d.Quantity, d.exact = "0", new(big.Rat)
		d.step("not paid: "+reason, "0", "kr.", d.Section)
	}
}
