package watch

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/interval"
	"github.com/jobeffekt/jobeffekt/effect/regress"
)

// Stage is how far a citizen came with an offer.
type Stage string

// The stages. Started means that the course has a first day; completed, that it
// ended as planned (where no case says so: that it has an end).
const (
	StageReferred  Stage = "referred"
	StageStarted   Stage = "started"
	StageCompleted Stage = "completed"
)

// Chances are the three tables about who is taken and who is helped.
type Chances struct {
	Creaming []CreamingRow
	Deciles  []DecileRow
	Parking  []ParkingRow
}

// CreamingRow is how near to the outcome the citizens are who came to one stage
// with a provider, by their predicted chance alone: easy citizens have a high
// one. Unknown figures are NaN.
type CreamingRow struct {
	Outcome string `col:"outcome" doc:"outcome whose chance is predicted"`
	Who
	Stage         Stage   `col:"stage" doc:"referred, started or completed"`
	N             int64   `col:"n" doc:"cases of the cohort that came to the stage"`
	Chance        float64 `col:"chance" doc:"their mean predicted outcome, by a model that has seen nothing of this provider"`
	Against       string  `col:"compared_with" doc:"municipality: all of the same municipality, match group and stage, the provider among them; for the municipality as a whole those the model was fitted on: peers or other_municipalities"`
	NAgainst      int64   `col:"n_compared_with" doc:"cases compared with"`
	ChanceAgainst float64 `col:"chance_compared_with" doc:"mean predicted outcome of those compared with"`
	Difference    float64 `col:"difference" doc:"chance minus chance_compared_with: above 0 means easier citizens"`
	Low           float64 `col:"low" doc:"lower limit of the difference"`
	High          float64 `col:"high" doc:"upper limit of the difference"`
	Standard      float64 `col:"standardised" doc:"difference divided by the standard deviation of the chance among all referred of the municipality and match group"`
	StandardLow   float64 `col:"standardised_low" doc:"lower limit of the standardised difference"`
	StandardHigh  float64 `col:"standardised_high" doc:"upper limit of the standardised difference"`
	Since         float64 `col:"since_referral" doc:"chance minus that of all who were referred to the same provider: above 0 means that the hard ones fell away on the way here; null at referral"`
	SinceLow      float64 `col:"since_referral_low" doc:"lower limit of since_referral"`
	SinceHigh     float64 `col:"since_referral_high" doc:"upper limit of since_referral"`
	Confidence    float64 `col:"confidence" doc:"confidence of the intervals"`
	FittedOn      string  `col:"fitted_on" doc:"whom the chance was learnt from: peers, other_municipalities, or everybody_else (all cases but the provider's and its consortium's)"`
	NFitted       int64   `col:"n_fitted" doc:"cases the chance was learnt from"`
	Refusal       string  `col:"refusal" doc:"why figures are missing (a code), empty otherwise"`
}

// DecileRow is what became of a provider's citizens of one decile of the chance.
type DecileRow struct {
	Outcome string `col:"outcome" doc:"outcome whose chance is predicted"`
	Who
	Decile    int64   `col:"decile" doc:"1 (hardest) to 10: by the place of the chance among all referred of the municipality and match group; equal chances share the decile of their middle place"`
	Referred  int64   `col:"n_referred" doc:"cases of the cohort"`
	Started   int64   `col:"n_started" doc:"of these, those who started"`
	Completed int64   `col:"n_completed" doc:"of these, those who completed"`
	N         int64   `col:"n" doc:"cases with a complete window; the figures that follow are about these"`
	Observed  float64 `col:"observed" doc:"mean outcome"`
	Predicted float64 `col:"predicted" doc:"mean predicted outcome"`
	Residual  float64 `col:"residual" doc:"observed minus predicted"`
	Low       float64 `col:"low" doc:"lower limit of the residual, the predictions taken as known; null under 2 cases"`
	High      float64 `col:"high" doc:"upper limit of the residual"`
}

// ParkingRow is whether a provider's hard citizens fall behind their chance more
// than its easy ones, and whether they start less often.
type ParkingRow struct {
	Outcome string `col:"outcome" doc:"outcome whose chance is predicted"`
	Who
	N          int64   `col:"n" doc:"cases with a complete window"`
	Slope      float64 `col:"slope" doc:"residual (observed minus predicted) gained per decile of the chance: above 0 means that the hard citizens fall behind"`
	Low        float64 `col:"low" doc:"lower limit of the slope"`
	High       float64 `col:"high" doc:"upper limit of the slope"`
	Odds       float64 `col:"odds_slope" doc:"the same on the scale of odds, for an outcome that is a share: log-odds of the outcome gained per unit of log-odds of the chance; 1 means the same factor in odds for all, above 1 that the hard citizens fall behind; null for other outcomes and where it does not exist"`
	OddsLow    float64 `col:"odds_slope_low" doc:"lower limit of odds_slope"`
	OddsHigh   float64 `col:"odds_slope_high" doc:"upper limit of odds_slope"`
	NHard      int64   `col:"n_hard" doc:"cases of the cohort in the hardest third"`
	NMiddle    int64   `col:"n_middle" doc:"cases of the cohort in the middle third"`
	NEasy      int64   `col:"n_easy" doc:"cases of the cohort in the easiest third"`
	HardStart  float64 `col:"started_hard" doc:"share of the hardest third that started"`
	MidStart   float64 `col:"started_middle" doc:"share of the middle third that started"`
	EasyStart  float64 `col:"started_easy" doc:"share of the easiest third that started"`
	StartGap   float64 `col:"start_gap" doc:"started_easy minus started_hard"`
	StartLow   float64 `col:"start_gap_low" doc:"lower limit of the gap (Newcombe)"`
	StartHigh  float64 `col:"start_gap_high" doc:"upper limit of the gap"`
	Confidence float64 `col:"confidence" doc:"confidence of the intervals"`
	Refusal    string  `col:"refusal" doc:"why figures are missing (a code), empty otherwise"`
}

// RefusalNoCovariates is the code of a chance without covariates: everybody
// would have the same.
const RefusalNoCovariates = "no_covariates"

// Whom a chance was learnt from, where it is not a value of compared_with.
const fittedElse = "everybody_else"

// Creaming predicts for every case of the cohort the chance of the outcome, from
// covariates alone, and compares those who came to each stage with a provider,
// with the own projects ("(own)") or, with an empty provider, in the municipality
// as a whole.
//
// The chance is learnt from the peers' participants with a complete window, each
// person once with the earliest, leaving out the provider and its consortium
// wherever they work and every person it had. Without peers it is learnt from
// everybody else (for the municipality as a whole: from all other
// municipalities), among them others at home, who then are predicted by a model
// that has seen them. So a provider's own effect is in no chance of its own. All
// referred of the municipality and match group are predicted by the same model,
// and deciles are of their chances.
//
// Intervals take the model as known: they are about who was chosen. A provider is
// compared with all of its municipality, itself among them, so that the
// differences of all providers, weighted by n, add to 0:
//
//	difference = (1 - f)(mean of the provider - mean of the others),  f = its share
//	SE         = (1 - f) sqrt(s1^2/n1 + s2^2/n2), clustered on person; Welch's t
//
// The slope of parking is that of a least-squares line of the residual on the
// decile 1..10, its variance n/(n-2) times the sum of squared influences by person,
// with n - 2 degrees of freedom; NaN under 3 cases or in one decile only. A good
// provider that helps everybody by the same factor in odds moves the middle of the
// chances most, and so gets a slope above 0 without parking anybody. The slope in
// odds knows no such thing: it is b in logit P(reached) = a + b logit(chance), with
// clustered errors and the normal quantile, and is 1 then. Source: cox1958. It is
// NaN under 30 cases or 5 of either outcome, and where the chances do not vary.
//
// Rows come sorted by municipality, scheme, group and provider, the municipality
// as a whole first. A row with n = 0 has NaN figures; where no model could be
// fitted a row has its counts and the refusal's code. An unknown outcome or
// covariate is an error that wraps effect.ErrDesign.
func Creaming(ctx context.Context, obs *effect.Observations, d Design, outcome string, covariates []string) (*Chances, error) {
	if err := d.validate(); err != nil {
		return nil, err
	}
	r, ok := obs.Result(outcome)
	if !ok {
		return nil, fmt.Errorf("%w: there is no outcome %q to predict", effect.ErrDesign, outcome)
	}
	s := &screen{d: d, obs: obs, r: r, asked: len(covariates) > 0}
	for _, name := range covariates {
		cov, ok := obs.Cases.Covariate(name)
		if !ok {
			return nil, fmt.Errorf("%w: the cases have no covariate %q to predict by", effect.ErrDesign, name)
		}
		s.covariates = append(s.covariates, cov)
	}
	list, rows := members(obs.Cases, referred(obs))
	_, s.complete = members(obs.Cases, func(i int32) bool { return r.Complete[i] })
	s.planned = slices.ContainsFunc(obs.Cases.Completed.Codes, func(c int32) bool { return c >= 0 })
	var markets [][]cell
	for from := 0; from < len(list); {
		to := from + 1
		for to < len(list) && list[to].municipality == list[from].municipality && list[to].scheme == list[from].scheme && list[to].group == list[from].group {
			to++
		}
		markets = append(markets, list[from:to])
		from = to
	}
	return s.markets(ctx, markets, rows)
}

// markets makes the rows of all markets, several at once.
func (s *screen) markets(ctx context.Context, markets [][]cell, rows map[cell][]int32) (*Chances, error) {
	slots, errs := make([]Chances, len(markets)), make([]error, len(markets))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(len(markets), runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			m := newScored(s.obs.Cases.Len())
			for ctx.Err() == nil {
				k := int(next.Add(1) - 1)
				if k >= len(markets) {
					return
				}
				errs[k] = s.market(ctx, &slots[k], markets[k], rows, m)
			}
		})
	}
	wg.Wait()
	if err := effect.Stopped(ctx); err != nil {
		return nil, err
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	out := &Chances{}
	for _, c := range slots {
		out.Creaming = append(out.Creaming, c.Creaming...)
		out.Deciles = append(out.Deciles, c.Deciles...)
		out.Parking = append(out.Parking, c.Parking...)
	}
	return out, nil
}

// screen is what Creaming knows.
type screen struct {
	d          Design
	obs        *effect.Observations
	r          *effect.Result
	covariates []*effect.Covariate
	asked      bool // by any covariate
	complete   map[cell][]int32
	planned    bool // some case says whether it was completed
}

// market makes the rows of one municipality's match group: the cells are its
// providers. It writes over m.
func (s *screen) market(ctx context.Context, out *Chances, cells []cell, rows map[cell][]int32, m *scored) error {
	var all []int32
	for _, k := range cells {
		all = append(all, rows[k]...)
	}
	slices.Sort(all)
	whole := who(s.obs.Cases, cells[0])
	whole.Provider = ""
	for k := -1; k < len(cells); k++ {
		w, in := whole, all
		if k >= 0 {
			w, in = who(s.obs.Cases, cells[k]), rows[cells[k]]
		}
		fitOn, source := s.comparators(cells[0], cells, k, in)
		// The same comparators give the same chances: most providers have none of
		// their kin among the peers.
		if k < 0 || !slices.Equal(m.rows, fitOn) {
			m.rows = fitOn
			if err := m.score(ctx, s, all); err != nil {
				return err
			}
		}
		m.source = source
		s.rows(ctx, out, w, in, all, m)
	}
	return nil
}

// comparators are the cases that a chance is learnt from: for the provider of
// cells[k], or for the whole municipality (k = -1), whose cases are in.
func (s *screen) comparators(home cell, cells []cell, k int, in []int32) (rows []int32, source string) {
	cases := s.obs.Cases
	peers, source := s.d.peers(cases, home.municipality)
	kin := map[int32]bool{}
	if k >= 0 {
		kin = s.d.kin(cases, cells[k].provider)
		if source == AgainstOthers {
			source = fittedElse
			peers[home.municipality] = true
		}
	}
	persons := make(map[int32]bool, len(in))
	for _, i := range in {
		persons[cases.Person[i]] = true
	}
	for c, members := range s.complete {
		own := c.provider < 0
		switch {
		case c.scheme != home.scheme || c.group != home.group || !peers[c.municipality]:
		case !own && kin[c.provider]:
		case own && kin[c.provider] && c.municipality == home.municipality:
		default:
			rows = append(rows, members...)
		}
	}
	slices.Sort(rows)
	rows = slices.DeleteFunc(rows, func(i int32) bool { return persons[cases.Person[i]] })
	return effect.EarliestOfPerson(cases, rows), source
}

// scored is a model with the chances it gives. One is used for model after model.
type scored struct {
	rows   []int32 // fitted on
	source string
	err    *effect.Refusal
	n      int     // of all who are predicted
	sd     float64 // of their chances
	// By case: chance is meaningful at all and rows, place at all: those of all with
	// a lower chance, plus those with no higher one.
	chance []float64
	place  []int
	// Room for figures by case that are used at once.
	residual, decile []float64
}

func newScored(n int) *scored {
	return &scored{chance: make([]float64, n), place: make([]int, n), residual: make([]float64, n), decile: make([]float64, n)}
}

func (m *scored) score(ctx context.Context, s *screen, all []int32) error {
	err := error(&effect.Refusal{Code: RefusalNoCovariates, Why: "no covariates tell the chances apart", Cure: "declare covariates"})
	m.err = nil
	var learnt *model
	if s.asked {
		learnt, err = learn(ctx, s.obs.Cases, s.r, s.covariates, m.rows)
	}
	if err != nil {
		refused, ok := effect.AsRefusal(err)
		if !ok {
			return err
		}
		m.err = refused
		return nil
	}
	for _, i := range m.rows {
		m.chance[i] = effect.Round(learnt.chance(i))
	}
	m.n = len(all)
	sorted := slices.Clone(all)
	mean, squares := 0.0, 0.0
	for _, i := range all {
		// Rounded, so that equal citizens are tied on every machine.
		m.chance[i] = effect.Round(learnt.chance(i))
		mean += m.chance[i] / float64(len(all))
	}
	for _, i := range all {
		squares += float64((m.chance[i] - mean) * (m.chance[i] - mean))
	}
	m.sd = math.Sqrt(squares / float64(len(all)-1))
	slices.SortStableFunc(sorted, func(a, b int32) int {
		switch x, y := m.chance[a], m.chance[b]; {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
	for from := 0; from < len(sorted); {
		to := from + 1
		for to < len(sorted) && m.chance[sorted[to]] == m.chance[sorted[from]] {
			to++
		}
		for _, i := range sorted[from:to] {
			m.place[i] = from + to
		}
		from = to
	}
	return nil
}

// part is the middle place of a case among all as one of k equal parts, from 1.
func (m *scored) part(i int32, k int) int { return 1 + k*m.place[i]/(2*m.n) }

// reached says whether a case came to a stage by as_of.
func (s *screen) reached(i int32, stage Stage) bool {
	c, asOf := s.obs.Cases, s.obs.AsOf
	by := func(days []effect.Date) bool {
		return len(days) > 0 && days[i] != effect.NoDate && days[i] <= asOf
	}
	switch {
	case stage == StageStarted:
		return by(c.Start)
	case stage == StageCompleted && s.planned:
		return c.Completed.At(int(i)) == effect.Yes
	case stage == StageCompleted:
		return by(c.End)
	}
	return true
}

func (s *screen) at(stage Stage, rows []int32) []int32 {
	return slices.DeleteFunc(slices.Clone(rows), func(i int32) bool { return !s.reached(i, stage) })
}

// rows makes the rows about one provider, whose cases are in.
func (s *screen) rows(ctx context.Context, out *Chances, w Who, in, all []int32, m *scored) {
	nan := math.NaN()
	person := s.obs.Cases.Person
	for _, stage := range []Stage{StageReferred, StageStarted, StageCompleted} {
		mine, against := s.at(stage, in), s.at(stage, all)
		row := CreamingRow{
			Outcome: s.r.Outcome, Who: w, Stage: stage, N: int64(len(mine)), Against: AgainstHome, Confidence: s.d.Confidence,
			Chance: nan, ChanceAgainst: nan, Difference: nan, Low: nan, High: nan, Standard: nan, StandardLow: nan, StandardHigh: nan,
			Since: nan, SinceLow: nan, SinceHigh: nan, FittedOn: m.source, NFitted: int64(len(m.rows)),
		}
		if w.Provider == "" {
			row.Against, against = m.source, s.at(stage, m.rows)
		}
		row.NAgainst = int64(len(against))
		if m.err != nil {
			row.Refusal = m.err.Code
			out.Creaming = append(out.Creaming, row)
			continue
		}
		var difference, low, high float64
		switch {
		case len(mine) == 0 || len(against) == 0:
			difference, low, high = nan, nan, nan
			row.Refusal = effect.RefusalNoCases
		case w.Provider == "":
			difference, low, high = s.between(m.chance, mine, against, 1)
		case len(mine) == len(against):
			difference, low, high = nan, nan, nan
			row.Refusal = effect.RefusalNoHome
		default:
			difference, low, high = s.nested(m.chance, mine, against)
		}
		row.Chance, row.ChanceAgainst = effect.Round(mean(m.chance, mine)), effect.Round(mean(m.chance, against))
		row.Difference, row.Low, row.High = effect.Round(difference), effect.Round(low), effect.Round(high)
		if m.sd > 0 {
			row.Standard, row.StandardLow, row.StandardHigh = effect.Round(difference/m.sd), effect.Round(low/m.sd), effect.Round(high/m.sd)
		}
		if stage != StageReferred {
			since, low, high := s.nested(m.chance, mine, in)
			row.Since, row.SinceLow, row.SinceHigh = effect.Round(since), effect.Round(low), effect.Round(high)
		}
		out.Creaming = append(out.Creaming, row)
	}

	park := ParkingRow{
		Outcome: s.r.Outcome, Who: w, Slope: nan, Low: nan, High: nan, Odds: nan, OddsLow: nan, OddsHigh: nan, HardStart: nan, MidStart: nan, EasyStart: nan,
		StartGap: nan, StartLow: nan, StartHigh: nan, Confidence: s.d.Confidence,
	}
	done := slices.DeleteFunc(slices.Clone(in), func(i int32) bool { return !s.r.Complete[i] })
	park.N = int64(len(done))
	if m.err != nil {
		park.Refusal = m.err.Code
		out.Parking = append(out.Parking, park)
		return
	}
	var n, started [4]float64
	deciles := make([][]int32, 11)
	for _, i := range in {
		third := m.part(i, 3)
		n[third]++
		if s.reached(i, StageStarted) {
			started[third]++
		}
		deciles[m.part(i, 10)] = append(deciles[m.part(i, 10)], i)
	}
	residual := m.residual
	for _, i := range done {
		residual[i] = s.r.Value[i] - m.chance[i]
	}
	for k := 1; k <= 10; k++ {
		mine := deciles[k]
		windows := slices.DeleteFunc(slices.Clone(mine), func(i int32) bool { return !s.r.Complete[i] })
		row := DecileRow{
			Outcome: s.r.Outcome, Who: w, Decile: int64(k), Referred: int64(len(mine)), Started: int64(len(s.at(StageStarted, mine))),
			Completed: int64(len(s.at(StageCompleted, mine))), N: int64(len(windows)), Low: nan, High: nan,
			Observed: effect.Round(mean(s.r.Value, windows)), Predicted: effect.Round(mean(m.chance, windows)), Residual: effect.Round(mean(residual, windows)),
		}
		if count := float64(len(windows)); count >= 2 {
			sums, average := clusters{person: person}, mean(residual, windows)
			for _, i := range windows {
				sums.add(i, (residual[i]-average)/math.Sqrt(count*(count-1)))
			}
			low, high := limits(average, math.Sqrt(sums.squares()), count-1, s.d.Confidence)
			row.Low, row.High = effect.Round(low), effect.Round(high)
		}
		out.Deciles = append(out.Deciles, row)
	}
	slope, low, high := s.slope(residual, done, m)
	park.Slope, park.Low, park.High = effect.Round(slope), effect.Round(low), effect.Round(high)
	if s.r.Unit == effect.UnitShare {
		slope, low, high = s.oddsSlope(ctx, done, m)
		park.Odds, park.OddsLow, park.OddsHigh = effect.Round(slope), effect.Round(low), effect.Round(high)
	}
	park.NHard, park.NMiddle, park.NEasy = int64(n[1]), int64(n[2]), int64(n[3])
	park.HardStart, park.MidStart, park.EasyStart = effect.Round(started[1]/n[1]), effect.Round(started[2]/n[2]), effect.Round(started[3]/n[3])
	gap, low, high := interval.Newcombe(started[3], n[3], started[1], n[1], s.d.Confidence)
	park.StartGap, park.StartLow, park.StartHigh = effect.Round(gap), effect.Round(low), effect.Round(high)
	if len(done) == 0 {
		park.Refusal = effect.RefusalNoCases
	}
	out.Parking = append(out.Parking, park)
}

func mean(x []float64, rows []int32) float64 {
	sum := 0.0
	for _, i := range rows {
		sum += x[i]
	}
	return sum / float64(len(rows))
}

// between compares two sets of rows that share none.
func (s *screen) between(x []float64, a, b []int32, scale float64) (difference, low, high float64) {
	difference, se, df := contrast(x, s.obs.Cases.Person, a, b, scale)
	low, high = limits(difference, se, df, s.d.Confidence)
	return difference, low, high
}

// nested compares a part with the whole that holds it; both ascend. Where the
// part is the whole the difference is 0, and certain.
func (s *screen) nested(x []float64, part, whole []int32) (difference, low, high float64) {
	switch {
	case len(part) == 0:
		return math.NaN(), math.NaN(), math.NaN()
	case len(part) == len(whole):
		return 0, 0, 0
	}
	rest := slices.DeleteFunc(slices.Clone(whole), func(i int32) bool {
		_, in := slices.BinarySearch(part, i)
		return in
	})
	return s.between(x, part, rest, 1-float64(len(part))/float64(len(whole)))
}

// slope is that of the residual on the decile of the chance.
func (s *screen) slope(residual []float64, rows []int32, m *scored) (slope, low, high float64) {
	n := float64(len(rows))
	decile := m.decile
	for _, i := range rows {
		decile[i] = float64(m.part(i, 10))
	}
	middle, average := mean(decile, rows), mean(residual, rows)
	var sxx, sxy float64
	for _, i := range rows {
		sxx += float64((decile[i] - middle) * (decile[i] - middle))
		sxy += float64((decile[i] - middle) * (residual[i] - average))
	}
	if n < 3 || sxx == 0 {
		return math.NaN(), math.NaN(), math.NaN()
	}
	slope = sxy / sxx
	sums := clusters{person: s.obs.Cases.Person}
	for _, i := range rows {
		sums.add(i, (decile[i]-middle)*(residual[i]-average-slope*(decile[i]-middle))/sxx)
	}
	low, high = limits(slope, math.Sqrt(n/(n-2)*sums.squares()), n-2, s.d.Confidence)
	return slope, low, high
}

// oddsSlope is the slope of a logistic regression of the outcome on the log-odds
// of the chance.
func (s *screen) oddsSlope(ctx context.Context, rows []int32, m *scored) (slope, low, high float64) {
	nan := math.NaN()
	x, y, ones := regress.Matrix{N: len(rows), P: 2}, make([]float64, len(rows)), 0
	for k, i := range rows {
		// A chance that is 0 or 1 to nine digits has no log-odds.
		p := min(max(m.chance[i], 1e-6), 1-1e-6)
		x.Data = append(x.Data, 1, math.Log(p/(1-p)))
		if y[k] = s.r.Value[i]; y[k] == 1 {
			ones++
		}
	}
	if len(rows) < minFitted || ones < minEach || len(rows)-ones < minEach {
		return nan, nan, nan
	}
	fit, err := regress.Logistic(ctx, x, y)
	if err != nil || fit.Rank < 2 {
		return nan, nan, nan
	}
	influence, sums := fit.Influence([]float64{0, 1}), clusters{person: s.obs.Cases.Person}
	for k, i := range rows {
		row := x.Row(k)
		sums.add(i, (influence[0]*row[0]+influence[1]*row[1])*(y[k]-regress.Expit(fit.Predict(row))))
	}
	half := interval.Normal(s.d.Confidence) * math.Sqrt(sums.squares())
	return fit.Coef[1], fit.Coef[1] - half, fit.Coef[1] + half
}
