package jobeffekt

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/profile"
	"github.com/jobeffekt/jobeffekt/ingest"
	"github.com/jobeffekt/jobeffekt/internal/strict"
)

// Spending asks what the money of each channel has come to.
type Spending struct {
	Outcome    string     `yaml:"outcome" doc:"outcome that says who is in work: one that is a share, and better when it is high"`
	InHouseBid BidChannel `yaml:"in_house_bid,omitempty" doc:"provider or own: the channel whose money pays the citizens in in-house bids, so that they are counted there; left out: a municipality and year with such citizens has no costs by channel"`
}

// BidChannel is the channel of the table spend that pays in-house bids.
type BidChannel string

// Names lists the channels.
func (BidChannel) Names() []string { return []string{effect.ChannelProvider, effect.ChannelOwn} }

// SpendingRow sets what a municipality spent in a calendar year beside what became
// of the citizens referred in it: a row of the table spending. The channels of the
// table spend come first, then a row that is worked out from them.
//
// With n cases whose window is complete, difference d and interval [l, h] per case
// from the peers, all match groups together (the views channel and total of
// [effect.Views], by the first method):
//
//	cost per extra = amount/(n d), from amount/(n h) to amount/(n l)
//
// which exists only where l is above 0. The difference is that of the cases with
// comparators, and is taken to hold for the others (a fifth at most) as well; those
// who died or went abroad, and whoever has no window, add nobody. All the money is
// divided, also what was paid for them.
type SpendingRow struct {
	Municipality string  `col:"municipality" doc:"municipality that spent the money, and is responsible at referral"`
	Year         int64   `col:"year" doc:"calendar year of the money and of the referrals"`
	Channel      string  `col:"channel" doc:"provider, own, other or total, as in the table spend; or what is worked out: not_attributed, the total less its parts, or, without a total, sum_of_parts"`
	Amount       string  `col:"amount_dkk" doc:"amount in kroner, an exact decimal"`
	Share        float64 `col:"share_of_total" doc:"part of the total; null without a total, or a total of 0. The shares of the parts need not add up to 1"`
	Note         string  `col:"note" doc:"parts_above_total where the parts add up to more than the total, so that not_attributed is negative; no_total where the sum of the parts stands for none; empty otherwise"`

	Participations float64 `col:"n_participations" doc:"all participations referred in the year through the channel, of the cohort or not; null where the channel names no citizens or the cohort lacks a part of the year"`
	Cases          float64 `col:"n_cases" doc:"those of the cohort"`
	Complete       float64 `col:"n_complete" doc:"those whose window is complete"`
	Reached        float64 `col:"n_reached" doc:"those who reached the outcome: citizens in work"`

	Outcome     string         `col:"outcome" doc:"outcome that says who is in work"`
	MatchScheme string         `col:"match_scheme" doc:"match scheme of the comparison; empty where there is none"`
	Method      string         `col:"method" doc:"method of estimation"`
	Difference  float64        `col:"difference" doc:"difference per case from similar citizens of the peers, as in the table comparison (views channel and total, match groups together); null without a figure"`
	Low         float64        `col:"low" doc:"lower limit of its interval"`
	High        float64        `col:"high" doc:"upper limit of its interval"`
	Confidence  float64        `col:"confidence" doc:"confidence of the interval"`
	Verdict     effect.Verdict `col:"verdict" doc:"higher_made_probable, lower_made_probable, no_difference_shown or not_rated; empty where there is no comparison"`
	Refusal     string         `col:"refusal" doc:"why the comparison has no figure (a code), empty where it has, or where there is no comparison"`

	PerParticipation float64 `col:"cost_per_participation" doc:"kroner: amount / n_participations"`
	PerReached       float64 `col:"cost_per_reached" doc:"kroner for each citizen in work: amount / n_reached"`
	PerExtra         float64 `col:"cost_per_extra" doc:"kroner for each citizen in work beyond those expected: amount / (n_complete x difference)"`
	PerExtraLow      float64 `col:"cost_per_extra_low" doc:"amount / (n_complete x high)"`
	PerExtraHigh     float64 `col:"cost_per_extra_high" doc:"amount / (n_complete x low)"`
	NoParticipation  string  `col:"no_cost_per_participation" doc:"why cost_per_participation is null (a code), empty where it is not"`
	NoReached        string  `col:"no_cost_per_reached" doc:"why cost_per_reached is null (a code), empty where it is not"`
	NoExtra          string  `col:"no_cost_per_extra" doc:"why cost_per_extra is null (a code), empty where it is not"`
}

// Channels of a SpendingRow that no row of the table spend has.
const (
	ChannelNotAttributed = "not_attributed"
	ChannelSumOfParts    = "sum_of_parts"
)

// Codes of SpendingRow.Note. NoteNoTotal is also why a sum of parts has no cost.
const (
	NotePartsAboveTotal = "parts_above_total"
	NoteNoTotal         = "no_total"
)

// Why a cost is not told: the first of these that holds.
const (
	NoCostNotAttributed   = "not_attributed"        // the money is of no channel, so that it has no citizens
	NoCostNoCitizens      = "channel_other"         // no participation names the channel other
	NoCostNotTheYear      = "period_not_the_year"   // the cohort lacks some day of the year, or its referrals
	NoCostInHouseBid      = "in_house_bid_unplaced" // some were in an in-house bid, and nobody said whose money paid for it
	NoCostNegative        = "amount_negative"       // less than nothing was spent
	NoCostNoParticipation = "no_participations"     // nobody was referred
	NoCostWindowsOpen     = "windows_open"          // some windows are open at as_of, so that more may be in work
	NoCostNobodyReached   = "nobody_in_work"        // n_reached is 0
	NoCostNoComparison    = "no_comparison"         // nobody with a complete window, so that nothing is compared
	NoCostSchemes         = "several_schemes"       // they are compared under more than one match scheme, and schemes are not summed
	NoCostNotRated        = "not_rated"             // the comparison is refused
	NoCostIntervalZero    = "interval_holds_zero"   // the difference may be nothing, and the cost beyond all bounds
	NoCostFewer           = "fewer_in_work"         // fewer are in work than expected
)

// checkSpending finds what spending needs of the rest of the run file.
func (c *Config) checkSpending(fault func(path, format string, args ...any)) {
	s := c.Spending
	if s == nil {
		return
	}
	for _, a := range c.Outcomes {
		if a.Name != s.Outcome {
			continue
		}
		if out, faults := a.outcome(); faults == nil && (out.Measure.Unit() != effect.UnitShare || a.better() != profile.High) {
			fault("spending.outcome", "%s does not say who is in work: name an outcome that is a share and better when it is high", a.Name)
		}
	}
	if names := c.outcomeNames(); !slices.Contains(names, s.Outcome) {
		fault("spending.outcome", "there is no outcome %q%s", s.Outcome, strict.Suggest(s.Outcome, names))
	}
}

// calendarYear says which calendar year a period is.
func calendarYear(p effect.Period) (name string, is bool) {
	y := effect.EveryYear.Of(p.Start)
	return y.Name, y.Start == p.Start && y.End == p.End
}

// spend sets the money beside its effects, where the run file asks for it.
func (b *Benchmarked) spend(ctx context.Context, ds *ingest.Dataset, c *Config, obs *effect.Observations, e Estimated) error {
	if c.Spending == nil {
		return nil
	}
	expenses, err := c.expenses(ctx, ds)
	if err != nil {
		return err
	}
	members, aggregated, _, err := reference(ctx, ds, c)
	if err != nil {
		return err
	}
	paid, period, every := c.Spending.paid(obs), c.Study().Cohort.Period, effect.EveryYear
	if _, whole := calendarYear(period); whole {
		every = ""
	}
	d := c.design(e.Peers, members, aggregated)
	d.ByPackage = false
	compared, err := effect.Views(ctx, paid, d, members, []effect.View{effect.ViewTotal, effect.ViewChannel}, every, c.Methods()[:1])
	if err != nil {
		return err
	}
	if b.Spending, err = SpendingRows(expenses, paid, compared, c.Spending.Outcome, c.Methods()[0].Name(), period); err != nil {
		return fmt.Errorf("table %s: %w", TableSpending, err)
	}
	return nil
}

// expenses reads what was spent, with areas in place of their municipalities.
func (c *Config) expenses(ctx context.Context, ds *ingest.Dataset) ([]ingest.Expense, error) {
	rows, err := ingest.Rows[ingest.Expense](ctx, ds)
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("%w: table %s has no rows, so that there is no spending to tell of; fill it, or leave the key spending out", ErrConfig, ingest.Spend)
	}
	return c.Areas.Expenses(rows)
}

// paid are the observations of the outcome alone, with those in in-house bids in
// the channel whose money pays for them.
func (s *Spending) paid(obs *effect.Observations) *effect.Observations {
	out := &effect.Observations{AsOf: obs.AsOf, Cases: obs.Cases}
	if r, ok := obs.Result(s.Outcome); ok {
		out.Results = []effect.Result{*r}
	}
	bid := obs.Cases.Channel.Code(effect.ChannelInHouseBid)
	if s.InHouseBid == "" || bid < 0 {
		return out
	}
	cases, names := *obs.Cases, make([]string, obs.Cases.Len())
	for i := range names {
		if names[i] = cases.Channel.At(i); cases.Channel.Codes[i] == bid {
			names[i] = string(s.InHouseBid)
		}
	}
	cases.Channel = effect.NewFactor(names)
	out.Cases = &cases
	return out
}

// SpendingRows sets what was spent beside what became of the citizens: the
// outcome's cases in obs, and of the rows that [effect.Views] makes of them those by
// the method. The period is the cohort's; only money of calendar years that it holds
// whole has a cost. Rows come by municipality, year and channel, the one that is
// worked out last. Sums of money are exact; ratios are worked out exactly from the
// figures as they are written and rounded to nine significant digits. An outcome
// that the observations do not have, and an amount that is no decimal, are errors.
func SpendingRows(expenses []ingest.Expense, obs *effect.Observations, compared []effect.ComparisonRow, outcome, method string, period effect.Period) ([]SpendingRow, error) {
	r, ok := obs.Result(outcome)
	if !ok {
		return nil, fmt.Errorf("%w: there is no outcome %q", effect.ErrDesign, outcome)
	}
	s := spender{counts: countReferred(obs, r), compared: compared, outcome: outcome, method: method, period: period}
	type budget struct {
		municipality string
		year         int64
	}
	order, lines := []budget{}, map[budget][]ingest.Expense{}
	for _, e := range expenses {
		k := budget{e.Municipality, e.Year}
		if lines[k] == nil {
			order = append(order, k)
		}
		lines[k] = append(lines[k], e)
	}
	slices.SortFunc(order, func(a, b budget) int {
		return cmp.Or(effect.TextID(a.municipality).Compare(effect.TextID(b.municipality)), cmp.Compare(a.year, b.year))
	})
	var out []SpendingRow
	for _, k := range order {
		rows, err := s.budget(lines[k])
		if err != nil {
			return nil, err
		}
		out = append(out, rows...)
	}
	return out, nil
}

// referred counts the participations of a municipality, year and channel.
type referred struct{ participations, cases, complete, reached, pending int64 }

type referredKey struct{ municipality, year, channel string }

// countReferred counts by channel, and under the channel total all together.
func countReferred(obs *effect.Observations, r *effect.Result) map[referredKey]referred {
	out := map[referredKey]referred{}
	for i, day := range obs.Cases.Referral {
		for _, channel := range []string{obs.Cases.ChannelOf(i), ingest.ChannelTotal} {
			k := referredKey{obs.Cases.Municipality.At(i), effect.EveryYear.Of(day).Name, channel}
			n := out[k]
			n.participations++
			if !r.Reason[i].OutsideCohort() {
				n.cases++
			}
			if r.Reason[i] == effect.ReasonPending {
				n.pending++
			}
			if r.Complete[i] {
				n.complete++
				if r.Value[i] == 1 {
					n.reached++
				}
			}
			out[k] = n
		}
	}
	return out
}

// spender makes the rows of one budget after another.
type spender struct {
	counts          map[referredKey]referred
	compared        []effect.ComparisonRow
	outcome, method string
	period          effect.Period
}

// channels lists the channels of the table spend in the order of the rows.
func channels() []string {
	return []string{effect.ChannelProvider, effect.ChannelOwn, ingest.ChannelOther, ingest.ChannelTotal}
}

// budget makes the rows of one municipality and year.
func (s *spender) budget(lines []ingest.Expense) ([]SpendingRow, error) {
	lines = slices.Clone(lines)
	slices.SortStableFunc(lines, func(a, b ingest.Expense) int {
		return cmp.Compare(slices.Index(channels(), a.Channel), slices.Index(channels(), b.Channel))
	})
	var total *big.Rat
	parts, sum := 0, new(big.Rat)
	amounts := make([]*big.Rat, len(lines))
	for i, l := range lines {
		x, ok := exactDecimal(l.Amount)
		if !ok {
			return nil, fmt.Errorf("%w: an amount of %s in %d is not a decimal", effect.ErrDesign, l.Municipality, l.Year)
		}
		amounts[i] = x
		if l.Channel == ingest.ChannelTotal {
			total = x
		} else {
			parts++
			sum.Add(sum, x)
		}
	}
	var out []SpendingRow
	for i, l := range lines {
		row := s.row(l, amounts[i])
		row.Share = share(amounts[i], total)
		out = append(out, row)
	}
	if parts == 0 {
		return out, nil
	}
	row := SpendingRow{Municipality: lines[0].Municipality, Year: lines[0].Year}
	row.clear(NoCostNotAttributed)
	if total == nil {
		row.Channel, row.Amount, row.Note = ChannelSumOfParts, decimal(sum), NoteNoTotal
		row.clear(NoteNoTotal)
	} else {
		rest := new(big.Rat).Sub(total, sum)
		row.Channel, row.Amount = ChannelNotAttributed, decimal(rest)
		if rest.Sign() < 0 {
			row.Note = NotePartsAboveTotal
		}
		row.Share = share(rest, total)
	}
	return append(out, row), nil
}

// clear leaves a row without figures for one reason.
func (r *SpendingRow) clear(why string) {
	nan := math.NaN()
	r.Share, r.Participations, r.Cases, r.Complete, r.Reached = nan, nan, nan, nan, nan
	r.Difference, r.Low, r.High, r.Confidence = nan, nan, nan, nan
	r.PerParticipation, r.PerReached, r.PerExtra, r.PerExtraLow, r.PerExtraHigh = nan, nan, nan, nan, nan
	r.NoParticipation, r.NoReached, r.NoExtra = why, why, why
}

// row is one line of the table spend with its citizens.
func (s *spender) row(l ingest.Expense, amount *big.Rat) SpendingRow {
	row := SpendingRow{Municipality: l.Municipality, Year: l.Year, Channel: l.Channel, Amount: decimal(amount), Outcome: s.outcome, Method: s.method}
	year, err := effect.ParsePeriod(strconv.FormatInt(l.Year, 10))
	switch {
	case l.Channel == ingest.ChannelOther:
		row.clear(NoCostNoCitizens)
		return row
	case err != nil || year.Start < s.period.Start || s.period.End < year.End:
		row.clear(NoCostNotTheYear)
		return row
	case l.Channel != ingest.ChannelTotal && s.counts[referredKey{l.Municipality, year.Name, effect.ChannelInHouseBid}].participations > 0:
		row.clear(NoCostInHouseBid)
		return row
	}
	row.clear("")
	n := s.counts[referredKey{l.Municipality, year.Name, l.Channel}]
	row.Participations, row.Cases, row.Complete, row.Reached = float64(n.participations), float64(n.cases), float64(n.complete), float64(n.reached)
	figures, why := s.find(l, year)
	if figures != nil {
		row.MatchScheme, row.Verdict, row.Refusal = figures.MatchScheme, figures.Verdict, figures.Refusal
		row.Difference, row.Low, row.High, row.Confidence = figures.Difference, figures.Low, figures.High, figures.Confidence
	}
	switch {
	case amount.Sign() < 0:
		row.NoParticipation = NoCostNegative
	case n.participations == 0:
		row.NoParticipation = NoCostNoParticipation
	default:
		row.PerParticipation = ratio(amount, n.participations, 1)
	}
	switch {
	case row.NoParticipation != "":
		row.NoReached = row.NoParticipation
	case n.pending > 0:
		row.NoReached = NoCostWindowsOpen
	case n.reached == 0:
		row.NoReached = NoCostNobodyReached
	default:
		row.PerReached = ratio(amount, n.reached, 1)
	}
	switch {
	case row.NoReached != "" && row.NoReached != NoCostNobodyReached:
		row.NoExtra = row.NoReached
	case why != "":
		row.NoExtra = why
	case figures.High < 0:
		row.NoExtra = NoCostFewer
	case !(figures.Low > 0):
		row.NoExtra = NoCostIntervalZero
	default:
		row.PerExtra = ratio(amount, n.complete, figures.Difference)
		row.PerExtraLow, row.PerExtraHigh = ratio(amount, n.complete, figures.High), ratio(amount, n.complete, figures.Low)
	}
	return row
}

// find is the comparison of the citizens of a line, with why it says nothing.
func (s *spender) find(l ingest.Expense, year effect.Period) (row *effect.ComparisonRow, why string) {
	view, of := effect.ViewChannel, l.Channel
	if l.Channel == ingest.ChannelTotal {
		view, of = effect.ViewTotal, effect.All
	}
	within := year.Name
	if name, whole := calendarYear(s.period); whole && name == year.Name {
		within = "" // the cohort is this year
	}
	for i := range s.compared {
		r := &s.compared[i]
		if r.View != view || r.Of != of || r.Period != within || r.Outcome != s.outcome || r.Municipality != l.Municipality ||
			r.MatchGroup != effect.All || r.Package != "" || r.Method != s.method || r.Part != effect.Total || r.N == 0 {
			continue
		}
		if row != nil {
			return nil, NoCostSchemes
		}
		row = r
	}
	switch {
	case row == nil:
		return nil, NoCostNoComparison
	case row.Refusal != "":
		return row, NoCostNotRated
	}
	return row, ""
}

// share is the part that an amount is of a total, NaN without one.
func share(amount, total *big.Rat) float64 {
	if total == nil || total.Sign() == 0 {
		return math.NaN()
	}
	x, _ := new(big.Rat).Quo(amount, total).Float64()
	return effect.Round(x)
}

// ratio is amount/(n each), with the figure each as it is written.
func ratio(amount *big.Rat, n int64, each float64) float64 {
	written, _ := new(big.Rat).SetString(strconv.FormatFloat(each, 'g', -1, 64))
	by := written.Mul(written, new(big.Rat).SetInt64(n))
	x, _ := by.Quo(amount, by).Float64()
	return effect.Round(x)
}

// exactDecimal is the amount that a table of the contract has, where it is a decimal.
func exactDecimal(s string) (*big.Rat, bool) {
	x, ok := new(big.Rat).SetString(s)
	return x, ok && !strings.ContainsAny(s, "/eEpPxX_")
}

// decimal writes an exact decimal without zeros at the end. Sums of decimals are
// decimals.
func decimal(x *big.Rat) string {
	digits, _ := x.FloatPrec()
	return x.FloatString(digits)
}

// writeSpending shows budgets with their citizens, of the municipalities whose
// agreements are settled, or of all where there are none: a line for each channel.
func (r *Result) writeSpending(b *strings.Builder) {
	settled, others, outcome := r.settled(), map[string]bool{}, ""
	var rows []SpendingRow
	for _, row := range r.Spending {
		switch outcome = cmp.Or(outcome, row.Outcome); {
		case row.NoParticipation == NoCostNotTheYear:
			others[fmt.Sprint(row.Municipality, " ", row.Year)] = true
		case len(settled) == 0 || settled[row.Municipality]:
			rows = append(rows, row)
		}
	}
	rows = slices.DeleteFunc(rows, func(row SpendingRow) bool { return others[fmt.Sprint(row.Municipality, " ", row.Year)] })
	if len(r.Spending) == 0 {
		return
	}
	fmt.Fprintf(b, "\nWhat was spent, on whom, and how many of them are in work (%s), more or fewer than expected (percentage points)\n", outcome)
	w := columns(b)
	fmt.Fprintf(w, "  municipality\tyear\tchannel\tkr.\treferred\tkr. each\tin work\tkr. each\tmore in work\tkr. for each more\n")
	above, parts, holdsZero := false, false, false
	for i, row := range rows {
		if i == maxSummaryCells {
			fmt.Fprintf(w, "  and %d more in %s.parquet\n", len(rows)-i, TableSpending)
			break
		}
		above, parts = above || row.Note == NotePartsAboveTotal, parts || row.Channel == ChannelNotAttributed
		holdsZero = holdsZero || row.NoExtra == NoCostIntervalZero
		fmt.Fprintf(w, "  %s\t%d\t%s\t%s\t%s\n", r.called(row.Municipality), row.Year, paidTo(row.Channel), grouped(row.Amount), strings.Join(row.told(), "\t"))
	}
	w.Flush()
	if holdsZero {
		b.WriteString(wrapped("  \"may be none\": the interval of the difference holds 0, so that perhaps nobody more is in work than expected, and what one more costs has no bound."))
	}
	if parts {
		b.WriteString(wrapped("  The parts of a budget need not add up to its total. What they leave is not attributed, and has no citizens."))
	}
	if above {
		b.WriteString(wrapped("  Where it is negative, the parts add up to more than the total."))
	}
	if len(others) > 0 {
		b.WriteString(wrapped(fmt.Sprintf("  Budgets of years that the cohort does not hold whole: %d; %s.parquet has the money, without citizens.", len(others), TableSpending)))
	}
}

// paidTo says where money of a channel went.
func paidTo(channel string) string {
	switch channel {
	case effect.ChannelProvider:
		return "providers"
	case effect.ChannelOwn:
		return "own projects"
	}
	return words(channel)
}

// told are the citizens of a row and what they cost, as columns of the summary.
func (r SpendingRow) told() []string {
	count := func(x float64) string {
		if math.IsNaN(x) {
			return "-"
		}
		return thousands(int64(x))
	}
	kroner := func(x float64, why string) string {
		switch why {
		case "":
			return grouped(strconv.FormatFloat(x, 'f', 0, 64))
		case NoCostNotAttributed, NoteNoTotal, NoCostNoCitizens:
			return "-"
		case NoCostIntervalZero:
			return "may be none"
		case NoCostFewer:
			return "none: fewer are in work"
		}
		return words(why)
	}
	difference, extra := "-", kroner(r.PerExtra, r.NoExtra)
	if !math.IsNaN(r.Difference) {
		difference = fmt.Sprintf("%s (%s to %s)", figure(r.Difference, effect.UnitShare), figure(r.Low, effect.UnitShare), figure(r.High, effect.UnitShare))
	}
	if r.NoExtra == "" {
		extra += fmt.Sprintf(" (%s to %s)", kroner(r.PerExtraLow, ""), kroner(r.PerExtraHigh, ""))
	}
	return []string{count(r.Participations), kroner(r.PerParticipation, r.NoParticipation), count(r.Reached), kroner(r.PerReached, r.NoReached), difference, extra}
}
