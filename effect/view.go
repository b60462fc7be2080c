package effect

import (
	"cmp"
	"context"
	"fmt"
	"slices"
)

// View says how the citizens of a municipality and match group are divided into
// what is compared, where providers one by one do not answer the question.
type View string

// The views. In the view of providers and that of consortia, those of the cell
// and their kin are left out of the comparators wherever they work, as in
// [Estimates]. In the others everybody but the cell's own citizens is compared
// with: what a municipality's citizens achieve is set against all that the peers'
// citizens achieve, whoever has them.
const (
	ViewTotal      View = "total"      // all citizens together
	ViewChannel    View = "channel"    // those at providers, in own projects and in in-house bids
	ViewRole       View = "role"       // those whom a provider delivers to, and those for whom it also decides
	ViewConsortium View = "consortium" // the members of a consortium together, as they stood on the day of referral; a provider of none by itself
	ViewProvider   View = "provider"   // each provider, as in the benchmark
)

// Names lists the views.
func (View) Names() []string {
	return []string{string(ViewTotal), string(ViewChannel), string(ViewRole), string(ViewConsortium), string(ViewProvider)}
}

// Labels that stand for more, or for less, than one of their kind.
const (
	// All stands for all match groups of a scheme together, for all
	// municipalities together, and for all citizens in the view total.
	All = "(all)"
	// Unknown stands for the cases whose role was not told.
	Unknown = "(unknown)"
)

// Every says into which periods of referral a comparison is divided.
type Every string

// The periods.
const (
	EveryYear     Every = "year"
	EveryHalfYear Every = "half_year"
	EveryQuarter  Every = "quarter"
)

// Names lists the periods.
func (Every) Names() []string {
	return []string{string(EveryYear), string(EveryHalfYear), string(EveryQuarter)}
}

// Of is the period in which a day lies.
func (e Every) Of(d Date) Period {
	name := d.Quarter()
	switch e {
	case EveryYear:
		name = name[:4]
	case EveryHalfYear:
		name = name[:4] + map[byte]string{'1': "H1", '2': "H1", '3': "H2", '4': "H2"}[name[5]]
	}
	p, _ := ParsePeriod(name) // of a name that it has made itself
	return p
}

// ComparisonRow is one part of the difference between citizens seen together and
// similar citizens elsewhere. It is a row of the table comparison.
type ComparisonRow struct {
	View         View   `col:"view" doc:"how citizens are seen together: total, channel, role, consortium or provider"`
	Of           string `col:"of" doc:"which of the view: a channel, role, consortium or provider; (own) for own projects, (all) for all, (unknown) where not told"`
	Period       string `col:"period" doc:"period of referral, as 2008 or 2008Q3; empty for the whole cohort"`
	Outcome      string `col:"outcome" doc:"outcome"`
	Unit         Unit   `col:"unit" doc:"what the outcome counts"`
	Municipality string `col:"municipality" doc:"municipality responsible at referral; (all) for a sum over municipalities"`
	MatchScheme  string `col:"match_scheme" doc:"numbering the match group belongs to"`
	MatchGroup   string `col:"match_group" doc:"match group at referral; (all) for a sum over the match groups of the scheme"`
	Package      string `col:"package_id" doc:"offer package; empty for all packages together"`
	Method       string `col:"method" doc:"method of estimation"`
	Part         Part   `col:"part" doc:"total, municipality or provider (here: what is seen together, against everybody else at home); the last two add to total"`
	Figures
	Basis
}

// Basis is what a difference rests on: of a sum, its weakest cell. The variances
// add to the square of the standard error, and with their degrees of freedom give
// Satterthwaite's: (sum of v)^2 / sum of v^2/df, a df under 1 taken as 1.
type Basis struct {
	NComparators   int64   `col:"n_comparators" doc:"comparator cases, also those whose weight is nearly 0 (see effective_n)"`
	EffectiveN     float64 `col:"effective_n" doc:"effective number of comparators; of a sum that of the cell with the fewest"`
	MaxWeight      float64 `col:"max_weight" doc:"largest share of the comparator weight on one case"`
	Municipalities int64   `col:"municipalities" doc:"comparator municipalities that carry weight; of a sum the fewest"`
	WorstSMD       float64 `col:"worst_smd" doc:"worst standardised difference between the citizens and their weighted comparators, over covariates, squares, zeros and products; of a sum that of its worst cell"`
	WorstTerm      string  `col:"worst_term" doc:"what differs most"`
	VarCell        float64 `col:"var_cell" doc:"variance from the citizens themselves; of the part municipality, from the comparators at home"`
	VarComparators float64 `col:"var_comparators" doc:"variance from the comparator persons"`
	VarBetween     float64 `col:"var_between" doc:"variance from how the peer municipalities differ; 0 within one municipality"`
	DFCell         float64 `col:"df_cell" doc:"degrees of freedom of var_cell"`
	DFComparators  float64 `col:"df_comparators" doc:"those of var_comparators"`
	DFBetween      float64 `col:"df_between" doc:"those of var_between; 0 where there is none"`
}

// basis is what a part rests on; without a figure all is unknown.
func (p *part) basis() Basis {
	if p.Refusal != "" {
		return Basis{EffectiveN: nan, MaxWeight: nan, WorstSMD: nan, VarCell: nan, VarComparators: nan, VarBetween: nan, DFCell: nan, DFComparators: nan, DFBetween: nan}
	}
	c, v := &p.from.Certificate, p.variance
	return Basis{
		c.NComparators, c.EffectiveN, c.MaxWeight, c.Municipalities, c.WorstSMD, c.WorstTerm,
		Round(v.cell), Round(v.comparators), Round(v.between), Round(v.dfCell), Round(v.dfComparators), Round(v.dfBetween),
	}
}

// Views compares citizens seen together in other ways than by provider, over the
// whole cohort and, unless every is "", in each period of referral with the
// comparators of the same period. Rows come sorted by view (as listed), period
// (the whole first), outcome, municipality, scheme, group, label, package, method
// and part.
//
// Match groups and municipalities are put together by sums, never by averages of
// ratios: with n_c the compared cases of cell c,
//
//	difference = sum n_c d_c / sum n_c
//
// over the cells that could be compared, small ones too. Match groups are summed
// in each municipality for every view; municipalities for providers and
// consortia that work in two or more. A sum is refused where more than a fifth
// of its cases, the most that a method leaves uncovered, could not be compared,
// and not rated under the minimum n.
//
// The variance of a sum: the variances between citizens add, times the design
// effect of persons who stand in several of the cells (sum k^2/sum k for persons
// in k of them: as if their residuals were the same in each); those of the
// comparators likewise, with k the match groups in which a person of the
// municipalities compared with stands. The errors that come from the peer
// municipalities add as they are, not their squares, because a municipality that
// does well in one match group may do so in the next; so do those of the
// comparators in a sum over municipalities, who may be the same. That can only
// make an interval too long.
//
// Different schemes are never summed. A consortium that has the name of a
// provider which is not its member wraps [ErrDesign], as does what Estimates
// refuses. Outcomes of a placebo have no rows.
func Views(ctx context.Context, obs *Observations, d Design, members []Membership, views []View, every Every, methods []Method) ([]ComparisonRow, error) {
	plain := *obs
	cases := *obs.Cases
	cases.Placebo = nil
	plain.Cases, plain.Controls = &cases, nil
	periods := []Period{{}}
	if every != "" {
		periods = append(periods, obs.periods(every)...)
	}
	var out []ComparisonRow
	for _, view := range views {
		by, err := view.divide(&cases, members)
		if err != nil {
			return nil, err
		}
		for _, p := range periods {
			within, some := &plain, d
			if p.Name != "" {
				within, some.Strata = plain.within(p), strataWithin(d.Strata, p)
			}
			rows, err := some.compareBy(ctx, within, by, methods)
			if err != nil {
				return nil, err
			}
			for _, b := range rows {
				out = append(out, ComparisonRow{
					view, b.Provider, p.Name, b.Outcome, b.Unit, b.Municipality, b.MatchScheme, b.MatchGroup, b.Package, b.Method, b.Part, b.Figures, b.basis(),
				})
			}
		}
	}
	return out, nil
}

// division is what makes a cell in the place of the provider.
type division struct {
	label Factor // of every case; missing for own projects
	kin   map[string][]string
	wide  bool // the labels mean the same in every municipality, so that it makes sense to sum them
}

// label is what makes a cell beside municipality and match group.
func (d Design) label(cases *Cases) *Factor {
	if d.by != nil {
		return &d.by.label
	}
	return &cases.Provider
}

// kin lists the providers that are left out of the comparators of a label.
func (d Design) kin(label string) []string {
	if d.by != nil {
		return d.by.kin[label]
	}
	if label == OwnProvider {
		return nil
	}
	return append([]string{label}, d.Kin[label]...)
}

// divide gives every case its label in the view.
func (v View) divide(c *Cases, members []Membership) (*division, error) {
	n := c.Len()
	labels := make([]string, n)
	provider := func(i int) string {
		if len(c.Provider.Codes) == 0 {
			return ""
		}
		return c.Provider.At(i)
	}
	by := &division{kin: map[string][]string{}}
	kin := Kinship(members)
	leaveOut := func(label, provider string) {
		for _, p := range append([]string{provider}, kin[provider]...) {
			if !slices.Contains(by.kin[label], p) {
				by.kin[label] = append(by.kin[label], p)
			}
		}
	}
	switch v {
	case ViewTotal:
		for i := range labels {
			labels[i] = All
		}
	case ViewChannel:
		for i := range labels {
			labels[i] = c.ChannelOf(i)
		}
	case ViewRole:
		for i := range labels {
			labels[i] = Unknown
			if len(c.Role.Codes) > 0 {
				labels[i] = cmp.Or(c.Role.At(i), Unknown)
			}
		}
	case ViewProvider, ViewConsortium:
		by.wide = true
		x := NewIdentities(members)
		consortia := map[string]bool{}
		for _, m := range members {
			consortia[m.Consortium] = v == ViewConsortium && m.Consortium != ""
		}
		for i := range labels {
			p := provider(i)
			labels[i] = p
			if v == ViewConsortium {
				if m, ok := x.At(p, c.Referral[i]); ok && m.Consortium != "" {
					labels[i] = m.Consortium
				} else if consortia[p] {
					return nil, fmt.Errorf("%w: %s is a consortium and also a provider that is not its member, so that the two would be taken for one; give one another id", ErrDesign, p)
				}
			}
			if p != "" && !slices.Contains(by.kin[labels[i]], p) {
				leaveOut(labels[i], p)
			}
		}
	default:
		return nil, fmt.Errorf("%w: there is no view %q", ErrDesign, v)
	}
	by.label = NewFactor(labels)
	return by, nil
}

// ChannelOf is the channel of a case: as told, or else by whether it has a
// provider.
func (c *Cases) ChannelOf(i int) string {
	if len(c.Channel.Codes) > 0 {
		if told := c.Channel.At(i); told != "" {
			return told
		}
	}
	if len(c.Provider.Codes) > 0 && c.Provider.Codes[i] >= 0 {
		return ChannelProvider
	}
	return ChannelOwn
}

// periods lists the periods in which the cohort's cases were referred, in order.
func (o *Observations) periods(e Every) []Period {
	seen := map[string]Period{}
	for i, day := range o.Cases.Referral {
		if len(o.Results) > 0 && o.Results[0].Reason[i].OutsideCohort() {
			continue
		}
		p := e.Of(day)
		seen[p.Name] = p
	}
	out := make([]Period, 0, len(seen))
	for _, p := range seen {
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b Period) int { return cmp.Compare(a.Start, b.Start) })
	return out
}

// within takes the cases that were referred outside a period out of the cohort.
func (o *Observations) within(p Period) *Observations {
	out := *o
	out.Results = slices.Clone(o.Results)
	for k := range out.Results {
		r := &out.Results[k]
		r.Complete, r.Reason = slices.Clone(r.Complete), slices.Clone(r.Reason)
		for i, day := range o.Cases.Referral {
			if !p.Contains(day) {
				r.Complete[i], r.Reason[i] = false, ReasonOutsidePeriod
			}
		}
	}
	return &out
}

// strataWithin are the aggregates of the quarters of a period.
func strataWithin(all []StratumTotal, p Period) []StratumTotal {
	return slices.DeleteFunc(slices.Clone(all), func(t StratumTotal) bool {
		q, err := ParsePeriod(t.Period)
		return err != nil || q.Start < p.Start || q.End > p.End
	})
}

// compareBy makes the rows of one division and their sums.
func (d Design) compareBy(ctx context.Context, obs *Observations, by *division, methods []Method) ([]part, error) {
	few := d.MinN
	// A cell too small to be rated still counts in the sums.
	d.by, d.Also, d.MinN = by, nil, 2
	rows, err := Estimates(ctx, obs, d, methods)
	if err != nil {
		return nil, err
	}
	summed := d.sums(obs, rows, few)
	for i := range rows {
		switch e := &rows[i]; {
		case e.Refusal == "" && e.Persons < int64(few):
			e.refuse(RefusalFewCases)
		case e.Refusal != "" && e.N > 0 && e.N < int64(few):
			e.Refusal = RefusalFewCases
		}
	}
	rows = append(rows, summed...)
	out := split(rows)
	order := map[string]int{}
	for i, r := range obs.Results {
		order[r.Outcome] = i
	}
	slices.SortStableFunc(out, func(a, b part) int {
		return cmp.Or(
			cmp.Compare(order[a.Outcome], order[b.Outcome]), compareSummed(a.Municipality, b.Municipality), cmp.Compare(a.MatchScheme, b.MatchScheme),
			compareSummed(a.MatchGroup, b.MatchGroup), cmp.Compare(a.Provider, b.Provider), cmp.Compare(a.Package, b.Package),
		)
	})
	return out, nil
}

// compareSummed orders names, the sum of all of them last.
func compareSummed(a, b string) int {
	switch {
	case a == b:
		return 0
	case a == All:
		return 1
	case b == All:
		return -1
	}
	return cmp.Compare(a, b)
}
