package watch

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/interval"
)

// Indicator names one thing that is counted.
type Indicator string

// The indicators, in their fixed order.
const (
	Redated          Indicator = "redated"
	InWork           Indicator = "in_work_at_referral"
	Returned         Indicator = "returned"
	RepeatedReferral Indicator = "repeated_referral"
	SisterReferral   Indicator = "sister_referral"
	Bunching13       Indicator = "bunching_13w"
	Bunching26       Indicator = "bunching_26w"
	ExitAfterPayment Indicator = "exit_after_payment"
	Recoded          Indicator = "recoded"
	OwnEmployer      Indicator = "own_employer"
	LateRegrouping   Indicator = "late_regrouping"
	SplitAroundN     Indicator = "split_around_n"
)

// indicator is how one indicator is counted.
type indicator struct {
	name    Indicator
	meaning string
	// mark says of every case whether it belongs to the denominator, and whether it
	// is counted; or why nothing can be said.
	mark func(*Facts, Design) (marks, string)
}

// marks is one byte a case.
type marks []uint8

const (
	outside uint8 = iota // not in the denominator
	plain                // in it
	hit                  // in it and counted
)

// indicators lists the indicators. A new one is an entry here.
func indicators() []indicator {
	return []indicator{
		{Redated, "of referrals with a known start, the course started before the day of referral", markRedated},
		{InWork, "of the cohort, a job began on the day of referral, or all work in the year after belongs to a job held before it", markInWork},
		{Returned, "of referrals, the person was referred to the same provider before, at most 28 days after that referral or the end of that course", markReturned},
		{RepeatedReferral, "of referrals, the person was referred to the same provider or its consortium before, under the same agreement", markRepeated},
		{SisterReferral, "of referrals, the person was referred before to a provider of the consortium to which both belong on the day of this referral", markSister},
		{Bunching13, "of first jobs that ended after 11 to under 15 weeks of work, those that reached 13 weeks", markBunching(13)},
		{Bunching26, "of first jobs that ended after 24 to under 28 weeks of work, those that reached 26 weeks", markBunching(26)},
		{ExitAfterPayment, "of those who reached the sustained outcome in their first job, the job was over at most 28 days after", markExit},
		{Recoded, "of those with work, days of ordinary work that are subsidised too, or ordinary work that follows subsidised days at once", markRecoded},
		{OwnEmployer, "of those with work, days of it at an employer of the provider's or its consortium's own", markOwnEmployer},
		{LateRegrouping, "of referrals whose earlier match group is known, it was another one at most 90 days before (earlier referral) or 28 days before (caseload)", markRegrouped},
		{SplitAroundN, "of offer packages' cells with n within 5 of the minimum, those under it", nil},
	}
}

// Names lists the indicators in their fixed order.
func (Indicator) Names() []string {
	var out []string
	for _, k := range indicators() {
		out = append(out, string(k.name))
	}
	return out
}

// Meaning says in plain words of what n is a count and what the count is; "" for
// a name that is no indicator.
func (x Indicator) Meaning() string {
	for _, k := range indicators() {
		if k.name == x {
			return k.meaning
		}
	}
	return ""
}

// Facts are what the indicators are counted from.
type Facts struct {
	Observations *effect.Observations // with its Signals, where they were asked for
	// Sustained is the outcome that pays for lasting work, for exits after payment;
	// "" for none.
	Sustained string
	// Outcome is whose complete windows make the n that cells may be split around.
	Outcome string
	// Caseload is the match groups known from spells on benefit; nil for none.
	Caseload *effect.Caseload
}

// Row is one indicator of one provider or municipality. Unknown figures are NaN.
type Row struct {
	Indicator Indicator `col:"indicator" doc:"what is counted"`
	Who
	N            int64   `col:"n" doc:"how many it could be true of"`
	Count        int64   `col:"count" doc:"how many it is true of"`
	Share        float64 `col:"share" doc:"count / n; null where n is 0"`
	Against      string  `col:"compared_with" doc:"municipality: all others there in the same match group, without the provider's consortium; for the municipality as a whole, and where there are no others: peers, or other_municipalities where no peers are declared"`
	NAgainst     int64   `col:"n_compared_with" doc:"n among those compared with"`
	CountAgainst int64   `col:"count_compared_with" doc:"count among those compared with"`
	ShareAgainst float64 `col:"share_compared_with" doc:"share among those compared with"`
	Expected     float64 `col:"expected" doc:"n times the share among those compared with"`
	Difference   float64 `col:"difference" doc:"share minus the share among those compared with"`
	Low          float64 `col:"low" doc:"lower limit of the difference (Newcombe)"`
	High         float64 `col:"high" doc:"upper limit of the difference"`
	Confidence   float64 `col:"confidence" doc:"confidence of the interval"`
	MidP         float64 `col:"mid_p" doc:"chance of so high a count, or a higher one, were the share the same as among those compared with: Fisher's exact test, half of the chance of this very count; a screen, not a verdict"`
	NotEvaluated string  `col:"not_evaluated" doc:"why nothing could be counted (a code), empty otherwise"`
	Meaning      string  `col:"meaning" doc:"of what n is a count, and what is counted"`
}

// Why an indicator was not evaluated.
const (
	NoSignals   = "no_signals"           // the observation read no signals off the spells
	NoEmployers = "no_employers"         // spells do not name employers
	NoProviders = "no_providers"         // nothing is known about consortia
	NoStarts    = "no_start_dates"       // no case has a start
	NoSustained = "no_sustained_outcome" // no outcome of lasting work was named
	NoEarlier   = "no_earlier_groups"    // nobody's earlier match group is known
	NoOutcome   = "no_outcome"           // no outcome says which windows are complete
	NoPackages  = "no_packages"          // cases have no offer package
)

// Count counts every indicator, for each provider, the own projects ("(own)") and
// the municipality as a whole (an empty provider), in each match group and in all
// together.
//
// n, count and share are of the indicator's own denominator (see
// [Indicator.Meaning]). Indicators about referrals are of all participations
// referred in the cohort's period, also those that the cohort leaves out because
// their person has an earlier one; what was before the period is looked back on.
// Indicators about jobs are of the cohort. split_around_n counts cells, not
// citizens.
//
// The interval of the difference is Newcombe's. mid_p is Fisher's exact one-sided
// test with the mid-P correction: with K counted of the N of both sides together,
//
//	P(X > count) + P(X = count)/2,  X hypergeometric(N, K, n)
//
// Both are NaN where n or the other n is 0. What cannot be counted has counts of 0,
// NaN figures and a code in NotEvaluated; it is never a share of 0.
//
// Rows come sorted by indicator (in the fixed order), municipality, scheme and
// group (all groups first), and provider (the whole first). An outcome that the
// observations do not have is an error that wraps effect.ErrDesign. Persons may
// occur many times: intervals count participations, and are too short where the
// same persons come again and again.
func Count(ctx context.Context, f Facts, d Design) ([]Row, error) {
	if err := d.validate(); err != nil {
		return nil, err
	}
	if f.Observations == nil {
		return nil, fmt.Errorf("%w: there are no observations for the indicators", effect.ErrDesign)
	}
	for _, name := range []string{f.Sustained, f.Outcome} {
		if _, ok := f.Observations.Result(name); !ok && name != "" {
			return nil, fmt.Errorf("%w: there is no outcome %q for the indicators", effect.ErrDesign, name)
		}
	}
	cases := f.Observations.Cases
	list, rows := members(cases, inPeriod(f.Observations))
	t := newTotals(cases, d, list)
	var out []Row
	for _, k := range indicators() {
		if err := effect.Stopped(ctx); err != nil {
			return nil, err
		}
		counts, why := map[cell]tally{}, ""
		if k.mark == nil {
			counts, why = splitAround(&f, d)
		} else {
			var m marks
			if m, why = k.mark(&f, d); why == "" {
				for c, members := range rows {
					var n tally
					for _, i := range members {
						n.add(m[i])
					}
					counts[c] = n
				}
			}
		}
		out = append(out, t.rows(k, counts, why)...)
	}
	return out, nil
}

// tally is a denominator and what is counted in it.
type tally struct{ n, count int64 }

func (t *tally) add(mark uint8) {
	if mark != outside {
		t.n++
	}
	if mark == hit {
		t.count++
	}
}

func (t *tally) plus(o tally) { t.n, t.count = t.n+o.n, t.count+o.count }

// group is a match scheme and group; all stands for all together.
type group struct{ scheme, group int32 }

func allGroups() group { return group{-2, -2} }

// totals knows the municipalities with their groups and providers.
type totals struct {
	d     Design
	cases *effect.Cases
	list  []cell
	kin   map[int32]map[int32]bool
}

func newTotals(cases *effect.Cases, d Design, list []cell) *totals {
	t := &totals{d: d, cases: cases, list: list, kin: map[int32]map[int32]bool{}}
	for _, c := range list {
		if t.kin[c.provider] == nil {
			t.kin[c.provider] = d.kin(cases, c.provider)
		}
	}
	return t
}

// place is a municipality in a match group.
type place struct {
	municipality int32
	group
}

// rows makes the rows of one indicator.
func (t *totals) rows(k indicator, counts map[cell]tally, why string) []Row {
	// providers are those of a place with their tallies, own projects among them.
	type provider struct {
		code int32
		tally
	}
	providers, whole := map[place][]provider{}, map[place]tally{}
	var order []place
	for _, c := range t.list {
		for _, g := range []group{allGroups(), {c.scheme, c.group}} {
			p := place{c.municipality, g}
			if providers[p] == nil {
				order = append(order, p)
			}
			at := slices.IndexFunc(providers[p], func(x provider) bool { return x.code == c.provider })
			if at < 0 {
				at = len(providers[p])
				providers[p] = append(providers[p], provider{code: c.provider})
			}
			providers[p][at].plus(counts[c])
			w := whole[p]
			w.plus(counts[c])
			whole[p] = w
		}
	}
	slices.SortFunc(order, func(a, b place) int {
		return compareCells(cell{a.municipality, a.scheme, a.group.group, 0}, cell{b.municipality, b.scheme, b.group.group, 0})
	})
	var out []Row
	for _, p := range order {
		others, source := t.d.peers(t.cases, p.municipality)
		var away tally
		for m := range others { // whole numbers: their sum has no order
			away.plus(whole[place{m, p.group}])
		}
		w := who(t.cases, cell{p.municipality, p.scheme, p.group.group, -1})
		w.Provider = ""
		out = append(out, t.row(k, w, whole[p], away, source, why))
		slices.SortFunc(providers[p], func(a, b provider) int { return int(a.code) - int(b.code) })
		for _, x := range providers[p] {
			var home tally
			alone := true
			for _, o := range providers[p] {
				if !t.kin[x.code][o.code] {
					home.plus(o.tally)
					alone = false
				}
			}
			against := AgainstHome
			if alone {
				home, against = away, source
			}
			w := who(t.cases, cell{p.municipality, p.scheme, p.group.group, x.code})
			out = append(out, t.row(k, w, x.tally, home, against, why))
		}
	}
	return out
}

func (t *totals) row(k indicator, w Who, mine, others tally, against, why string) Row {
	r := Row{
		Indicator: k.name, Who: w, Against: against, Confidence: t.d.Confidence, NotEvaluated: why, Meaning: k.meaning,
		N: mine.n, Count: mine.count, NAgainst: others.n, CountAgainst: others.count,
	}
	n, x, no, xo := float64(mine.n), float64(mine.count), float64(others.n), float64(others.count)
	r.Share, r.ShareAgainst = effect.Round(x/n), effect.Round(xo/no)
	r.Expected = effect.Round(n * xo / no)
	difference, low, high := interval.Newcombe(x, n, xo, no, t.d.Confidence)
	r.Difference, r.Low, r.High = effect.Round(difference), effect.Round(low), effect.Round(high)
	r.MidP = effect.Round(midP(mine, others))
	return r
}

// midP is Fisher's exact test against a count so high, with the mid-P correction.
// The chances are summed from the smallest up, relative to that of the count
// itself; NaN where one side has nobody. Source: lancaster1961.
func midP(mine, others tally) float64 {
	if mine.n == 0 || others.n == 0 {
		return math.NaN()
	}
	all, n := mine.n+others.n, mine.n
	hits := mine.count + others.count
	choose := func(n, k int64) float64 {
		a, _ := math.Lgamma(float64(n) + 1)
		b, _ := math.Lgamma(float64(k) + 1)
		c, _ := math.Lgamma(float64(n-k) + 1)
		return a - b - c
	}
	at := math.Exp(choose(hits, mine.count) + choose(all-hits, n-mine.count) - choose(all, n))
	ratio, above := 1.0, 0.0
	for x := mine.count; x < min(hits, n); x++ {
		ratio *= float64(hits-x) * float64(n-x) / (float64(x+1) * float64(all-hits-n+x+1))
		above += ratio
		if ratio < 1e-18*above {
			break
		}
	}
	return min(1, at*(0.5+above))
}
