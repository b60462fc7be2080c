// Package watch measures what a contract that pays for results can tempt
// somebody to do: to take the easy citizens (creaming), to leave the hard ones
// alone (parking), and what of the rest shows in the case histories: moved dates,
// repeated referrals, job lengths just past a threshold, exits after a payment
// date, recoded support, jobs at one's own company, late changes of match group,
// cells just under the minimum n.
//
// Every figure is a count with its comparison. None accuses anybody: each has
// harmless explanations, and says where to look. What shows only in the history
// of the runs themselves (peers, window, as_of or classes changed after results,
// reruns until a figure passes) is not here.
package watch

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/interval"
)

// Design says with whom providers and municipalities are compared. Start from
// [Default].
type Design struct {
	// Peers lists, for each municipality, its peers. A municipality as a whole is
	// compared with them, or with all others where it has none.
	Peers map[string][]string
	// Kin lists, for each provider, the members of its consortium; see
	// [effect.Kinship]. Nil says that nothing is known about consortia.
	Kin map[string][]string
	// Identities tell who belonged to one consortium on the day of a referral; nil
	// where nothing is known about consortia.
	Identities *effect.Identities
	MinN       int     // the minimum n of the run, around which cells may be split
	Confidence float64 // of every interval
}

// Default has the minimum n and the confidence of [effect.DefaultDesign].
func Default() Design {
	d := effect.DefaultDesign()
	return Design{MinN: d.MinN, Confidence: d.Confidence}
}

func (d Design) validate() error {
	if d.MinN < 2 || !(d.Confidence > 0 && d.Confidence < 1) {
		return fmt.Errorf("%w: the minimum n must be 2 or more, and the confidence between 0 and 1", effect.ErrDesign)
	}
	return nil
}

// Who is whom a row is about.
type Who struct {
	Municipality string `col:"municipality" doc:"municipality responsible at referral"`
	MatchScheme  string `col:"match_scheme" doc:"numbering the match group belongs to; empty for all match groups together"`
	MatchGroup   string `col:"match_group" doc:"match group at referral; empty for all match groups together"`
	Provider     string `col:"provider_id" doc:"provider; (own) for the municipality's own projects; empty for the municipality as a whole"`
}

// The values of the column compared_with.
const (
	AgainstHome   = "municipality"         // of the same municipality and match group
	AgainstPeers  = "peers"                // the peer municipalities
	AgainstOthers = "other_municipalities" // all others, where no peers are declared
)

// cell is a provider's citizens of one match group in one municipality, as
// codes; -1 is missing, and a provider of -1 the municipality's own projects.
type cell struct{ municipality, scheme, group, provider int32 }

func compareCells(a, b cell) int {
	return cmp.Or(cmp.Compare(a.municipality, b.municipality), cmp.Compare(a.scheme, b.scheme),
		cmp.Compare(a.group, b.group), cmp.Compare(a.provider, b.provider))
}

func cellOf(c *effect.Cases, i int32) cell {
	return cell{c.Municipality.CodeAt(int(i)), c.MatchScheme.CodeAt(int(i)), c.MatchGroup.CodeAt(int(i)), c.Provider.CodeAt(int(i))}
}

// who names a cell.
func who(c *effect.Cases, k cell) Who {
	return Who{
		c.Municipality.Level(k.municipality), c.MatchScheme.Level(k.scheme), c.MatchGroup.Level(k.group),
		cmp.Or(c.Provider.Level(k.provider), effect.OwnProvider),
	}
}

// members are the rows that keep holds for, by cell, and the cells in order.
func members(c *effect.Cases, keep func(int32) bool) (list []cell, rows map[cell][]int32) {
	rows = map[cell][]int32{}
	for i := range int32(c.Len()) {
		if !keep(i) {
			continue
		}
		k := cellOf(c, i)
		if rows[k] == nil {
			list = append(list, k)
		}
		rows[k] = append(rows[k], i)
	}
	slices.SortFunc(list, compareCells)
	return list, rows
}

// kin returns the codes of the provider and its consortium members; of own
// projects only themselves.
func (d Design) kin(c *effect.Cases, provider int32) map[int32]bool {
	out := map[int32]bool{provider: true}
	if provider < 0 {
		return out
	}
	for _, p := range d.Kin[c.Provider.Levels[provider]] {
		if k := c.Provider.Code(p); k >= 0 {
			out[k] = true
		}
	}
	return out
}

// peers returns the codes of the municipalities that one is compared with as a
// whole, and what they are.
func (d Design) peers(c *effect.Cases, municipality int32) (in map[int32]bool, against string) {
	in = map[int32]bool{}
	for _, p := range d.Peers[c.Municipality.Level(municipality)] {
		if k := c.Municipality.Code(p); k >= 0 && k != municipality {
			in[k] = true
		}
	}
	if len(in) > 0 {
		return in, AgainstPeers
	}
	for k := range c.Municipality.Levels {
		if int32(k) != municipality {
			in[int32(k)] = true
		}
	}
	return in, AgainstOthers
}

// referred says which cases are the cohort's: the first result decides, as the
// cohort is that of all outcomes.
func referred(obs *effect.Observations) func(int32) bool {
	if len(obs.Results) == 0 {
		return func(int32) bool { return true }
	}
	reason := obs.Results[0].Reason
	return func(i int32) bool {
		r := reason[i]
		return r != effect.ReasonOutsidePeriod && r != effect.ReasonNotFirst && r != effect.ReasonNotLast
	}
}

// inPeriod says which cases were referred in the cohort's period, also those
// that the cohort leaves out because their person has another.
func inPeriod(obs *effect.Observations) func(int32) bool {
	if len(obs.Results) == 0 {
		return func(int32) bool { return true }
	}
	reason := obs.Results[0].Reason
	return func(i int32) bool { return reason[i] != effect.ReasonOutsidePeriod }
}

// contrast is scale times the difference of the means of two sets of rows, its
// standard error clustered on person, and Welch's degrees of freedom. Error and
// degrees are NaN when a set has fewer than two rows, the difference when one has
// none.
func contrast(x []float64, person, a, b []int32, scale float64) (difference, se, df float64) {
	part := func(rows []int32) (mean, variance float64) {
		n := float64(len(rows))
		for _, i := range rows {
			mean += x[i]
		}
		mean /= n
		for _, i := range rows {
			variance += float64((x[i] - mean) * (x[i] - mean))
		}
		return mean, variance / (n - 1) / n
	}
	ma, va := part(a)
	mb, vb := part(b)
	na, nb := float64(len(a)), float64(len(b))
	sums := clusters{person: person}
	for _, i := range a {
		sums.add(i, (x[i]-ma)/math.Sqrt(na*(na-1)))
	}
	for _, i := range b {
		sums.add(i, -(x[i]-mb)/math.Sqrt(nb*(nb-1)))
	}
	if len(a) < 2 || len(b) < 2 {
		return scale * (ma - mb), math.NaN(), math.NaN()
	}
	return scale * (ma - mb), math.Abs(scale) * math.Sqrt(sums.squares()), (va + vb) * (va + vb) / (va*va/(na-1) + vb*vb/(nb-1))
}

// clusters adds up contributions by person, in the order in which persons come.
type clusters struct {
	person []int32
	at     map[int32]int
	sum    []float64
}

func (c *clusters) add(i int32, v float64) {
	if c.at == nil {
		c.at = map[int32]int{}
	}
	k, ok := c.at[c.person[i]]
	if !ok {
		k = len(c.sum)
		c.at[c.person[i]], c.sum = k, append(c.sum, 0)
	}
	c.sum[k] += v
}

func (c *clusters) squares() float64 {
	total := 0.0
	for _, v := range c.sum {
		total += float64(v * v)
	}
	return total
}

// limits are the limits of a figure; where nothing varies they are the figure.
func limits(d, se, df, confidence float64) (low, high float64) {
	if se == 0 {
		return d, d
	}
	t := interval.StudentT(df, confidence)
	return d - t*se, d + t*se
}
