package jobeffekt

import (
	"context"
	"fmt"
	"slices"

	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/peer"
	"github.com/jobeffekt/jobeffekt/effect/strata"
	"github.com/jobeffekt/jobeffekt/ingest"
)

// Measured is what the first two steps, read and observe, make of a dataset.
type Measured struct {
	Observations *effect.Observations
	// Strata are the analysed cases in aggregate, in the form in which one
	// municipality may hand its outcomes to another.
	Strata  []effect.StratumTotal
	Classes []string // the covariates that Strata are classified by
	Counts  []ingest.Count
	Rejects []ingest.Reject
	Identified
	Supplied
}

// countUnseen is the count of participations whose persons have no spell at all.
// Many mean that the tables do not name persons alike.
const countUnseen = "cases_without_spells"

// countUntold is the count of participations with spells whose hours or amount,
// which an outcome counts, are missing.
const countUntold = "cases_with_untold_amounts"

// Estimated is what the third step makes of observations.
type Estimated struct {
	PeerChoice
	Estimates []effect.Estimate
}

// Result is what a whole job makes of a dataset.
type Result struct {
	AsOf effect.Date
	Measured
	Estimated
	Benchmarked
	Settlement *bonus.Settlement // nil where no terms were given, and in a blinded run
	FollowUp   []FollowUpRow     // beside the settlement, where the dataset has what it tells

	// Blinded says that the effects were taken out. Gates are then those of the
	// settlement, as far as they can be judged without the effects.
	Blinded bool
	Gates   []bonus.GateRow

	// Kept are the steps that were not done, as their tables stood there; see [Run]. Of
	// these the result holds what the steps after them start from and what the summary
	// tells. Where all were kept it holds the lines of the settlement alone, and
	// Observations is nil: read the tables in place of it.
	Kept []Step
	told string // the summary of a result all of whose steps were kept
}

// Standing is that of the settlement, and retrospective without one.
func (r *Result) Standing() string {
	if r.Settlement == nil {
		return bonus.StandingRetrospective
	}
	return r.Settlement.Standing()
}

// Evaluate does the whole job in memory: what [Run] does, without files. The
// dataset can come from files or from Arrow records.
func Evaluate(ctx context.Context, ds *ingest.Dataset, c *Config, terms ...*bonus.Terms) (*Result, error) {
	r := &Result{AsOf: c.AsOf}
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if err := c.checkTerms(terms); err != nil {
		return nil, err
	}
	m, err := Measure(ctx, ds, c)
	if err != nil {
		return nil, err
	}
	r.Measured = *m
	e, err := Estimate(ctx, ds, c, m.Observations)
	if err != nil {
		return nil, err
	}
	r.Estimated = *e
	b, err := Benchmark(ctx, ds, c, m.Observations, *e)
	if err != nil {
		return nil, err
	}
	r.Benchmarked = *b
	if len(terms) > 0 {
		acceptance, err := c.acceptance(ctx, r.Diagnostics)
		if err != nil {
			return nil, err
		}
		if r.Settlement, err = Settle(ctx, ds, terms, r.Measured, r.Benchmarked, acceptance); err != nil {
			return nil, err
		}
		if r.FollowUp, err = c.followUp(ctx, ds, terms, &r.Measured, &r.Benchmarked, r.Settlement); err != nil {
			return nil, err
		}
	}
	if c.Blinded {
		r.blind()
	}
	return r, nil
}

// Measure reads the cases and their spells and observes what became of them.
// On an error the dataset still has the rejects and counts read so far.
func Measure(ctx context.Context, ds *ingest.Dataset, c *Config) (*Measured, error) {
	s, err := c.measuring(ctx, ds)
	if err != nil {
		return nil, err
	}
	if err := ds.Observe(ctx, s.cases, s.employers, s.sinks()...); err != nil {
		return nil, err
	}
	c.progress(Progress{Did: DidObserve, Within: true})
	return s.finish(ctx, ds, c)
}

// measuring is the step measure between the reading of the cohort and the reading of
// spells, of which it does not matter where they come from.
type measuring struct {
	cases, controls *effect.Cases // controls are nil where none are asked for
	members         []effect.Membership
	employers       []effect.ID        // to tell apart; nil for none
	observers       []*effect.Observer // of the cases, and of the controls
}

// measuring reads the cohort.
func (c *Config) measuring(ctx context.Context, ds *ingest.Dataset) (*measuring, error) {
	cases, controls, err := c.readCases(ctx, ds)
	if err != nil {
		return nil, err
	}
	s := &measuring{cases: cases, controls: controls}
	study := c.Study()
	if ds.Has(ingest.Providers) {
		if s.members, err = ds.Providers(ctx); err != nil {
			return nil, err
		}
		if own := effect.OwnEmployers(s.members); len(own.IDs) > 0 {
			study.Employers, s.employers = &own, own.IDs
		}
	}
	o, err := effect.NewObserver(study, cases)
	if err != nil {
		return nil, err
	}
	s.observers = []*effect.Observer{o}
	if controls != nil {
		study.Cohort.Take, study.Signals, study.Employers = effect.TakeEach, false, nil
		others, err := effect.NewObserver(study, controls)
		if err != nil {
			return nil, err
		}
		s.observers = append(s.observers, others)
	}
	c.progress(Progress{Did: DidRead, Within: true})
	return s, nil
}

// sinks are the observers as ingest hands spells to them.
func (s *measuring) sinks() (sinks []ingest.Sink) {
	for _, o := range s.observers {
		sinks = append(sinks, o)
	}
	return sinks
}

// finish reads off what became of the cases, once all spells were observed.
func (s *measuring) finish(ctx context.Context, ds *ingest.Dataset, c *Config) (*Measured, error) {
	o := s.observers[0]
	// The small tables are read here too, so that their bad rows are known before
	// anything is made of the good ones.
	if _, _, _, err := reference(ctx, ds, c); err != nil {
		return nil, err
	}
	if s.controls == nil && ds.Has(ingest.Caseload) {
		if _, err := ds.Caseload(ctx); err != nil {
			return nil, err
		}
	}
	if c.readsMunicipalities() && ds.Has(ingest.Municipalities) {
		if _, err := ds.Conditions(ctx); err != nil {
			return nil, err
		}
	}
	if c.Spending != nil {
		if _, err := c.expenses(ctx, ds); err != nil {
			return nil, err
		}
	}
	supplied, left, err := supply(ctx, ds, c.AsOf, s.cases)
	if err != nil {
		return nil, err
	}
	m := &Measured{Supplied: *supplied}
	if m.Observations, err = o.Observations(ctx); err != nil {
		return nil, err
	}
	if s.controls != nil {
		if m.Observations.Controls, err = s.observers[1].Observations(ctx); err != nil {
			return nil, err
		}
		m.Observations.Controls.Attrition, m.Observations.Controls.Cells = nil, nil
	}
	m.Counts, m.Rejects = append(ds.Counts(), left...), ds.Rejects()
	m.Identified = Identified{Providers: effect.ProviderRows(m.Observations, s.members), Crosswalk: ds.Moves()}
	m.Counts = append(m.Counts, c.unobserved(o)...)
	m.Observations.Attrition = append(notRead(m), m.Observations.Attrition...)
	m.Classes = c.classNames()
	if len(m.Classes) > 0 {
		m.Strata, err = strata.Totals(m.Observations, classes(c.Compare.Classes))
	}
	return m, err
}

// unobserved counts what the spells left out.
func (c *Config) unobserved(o *effect.Observer) []ingest.Count {
	counts := []ingest.Count{{
		Table: ingest.Spells, Name: countUnseen, Rows: int64(o.Unseen()),
		Rule: "participations of the cohort whose persons have no spell: they count as not followed up",
	}}
	if hours, amounts := c.amounts(); hours || amounts {
		counts = append(counts, ingest.Count{
			Table: ingest.Spells, Name: countUntold, Rows: int64(o.Untold()),
			Rule: "participations of the cohort with a spell in a window of hours or earnings that does not tell them: it counts as none, and they as not followed up",
		})
	}
	return counts
}

// notRead puts the participations that never became a case before the attrition
// of the others. They stand under no cell, because a bad row's may be unknown.
func notRead(m *Measured) []effect.Attrition {
	var out []effect.Attrition
	for _, r := range m.Observations.Results {
		var lines []effect.Attrition
		total := int64(0)
		for _, count := range m.Counts {
			if count.Table == ingest.Participations && slices.Contains([]string{ingest.CountElsewhere, "rejected", "duplicates"}, count.Name) && count.Rows > 0 {
				lines = append(lines, effect.Attrition{Outcome: r.Outcome, Order: int64(len(lines) + 1), Step: count.Name, N: count.Rows})
				total += count.Rows
			}
		}
		if total > 0 {
			out = append(out, effect.Attrition{Outcome: r.Outcome, Step: effect.StepRead, N: total})
			out = append(out, lines...)
			out = append(out, effect.Attrition{Outcome: r.Outcome, Order: int64(len(lines) + 1), Step: effect.StepAnalysed})
		}
	}
	return out
}

// Estimate chooses the peers and sets every cell against its comparators. The
// dataset gives what is known about municipalities and providers, and peers'
// aggregated outcomes.
func Estimate(ctx context.Context, ds *ingest.Dataset, c *Config, obs *effect.Observations) (*Estimated, error) {
	members, aggregated, conditions, err := reference(ctx, ds, c)
	if err != nil {
		return nil, err
	}
	var reasons []effect.Reason
	if len(obs.Results) > 0 {
		reasons = obs.Results[0].Reason
	}
	peers, err := choosePeers(c, conditions, inCohort(obs.Cases, reasons), aggregated)
	if err != nil {
		return nil, err
	}
	// Before anything is computed with them.
	if peers.Recorded, err = c.compareRecorded(peers.Peers); err != nil {
		return nil, err
	}
	out := &Estimated{PeerChoice: *peers}
	d := c.design(out.Peers, members, aggregated)
	if err := d.CheckSchemes(obs); err != nil {
		return nil, err
	}
	out.Estimates, err = effect.Estimates(ctx, obs, d, c.Methods())
	return out, err
}

// design says how cells are compared, given what was read and the peers chosen.
func (c *Config) design(peers []peer.Peer, members []effect.Membership, aggregated []effect.StratumTotal) effect.Design {
	d := effect.DefaultDesign()
	d.Also, d.ByPackage, d.Repeats = c.Compare.Also, c.Compare.ByPackage, c.Cohort.Take == effect.TakeEach
	if c.Compare.MinN != 0 {
		d.MinN = c.Compare.MinN
	}
	if c.Compare.Confidence != 0 {
		d.Confidence = c.Compare.Confidence
	}
	d.Kin, d.Strata = effect.Kinship(members), aggregated
	d.Peers = map[string][]string{}
	for _, p := range peers {
		d.Peers[p.Municipality] = append(d.Peers[p.Municipality], p.Peer)
	}
	return d
}

// reference reads the tables that are about providers and municipalities, as
// far as they are there and asked for.
func reference(ctx context.Context, ds *ingest.Dataset, c *Config) (members []effect.Membership, aggregated []effect.StratumTotal, conditions []ingest.Condition, err error) {
	if ds.Has(ingest.Providers) {
		if members, err = ds.Providers(ctx); err != nil {
			return nil, nil, nil, err
		}
	}
	if ds.Has(ingest.PeerStrata) {
		if aggregated, err = peerStrata(ctx, ds, c); err != nil {
			return nil, nil, nil, err
		}
	}
	if c.choosesPeers() {
		conditions, err = c.conditions(ctx, ds, c.Peers.Year)
	}
	return members, aggregated, conditions, err
}

// peerStrata reads the aggregated outcomes of the cohort's period. A line whose
// quarter lies only partly in the period cannot be divided.
func peerStrata(ctx context.Context, ds *ingest.Dataset, c *Config) ([]effect.StratumTotal, error) {
	lines, err := ds.PeerStrata(ctx, c.classNames())
	if err != nil {
		return nil, err
	}
	cohort := c.Study().Cohort.Period
	var out []effect.StratumTotal
	for _, l := range lines {
		p, err := effect.ParsePeriod(l.Period)
		switch {
		case err != nil:
			return nil, fmt.Errorf("table %s: %w", ingest.PeerStrata, err)
		case p.End <= cohort.Start || cohort.End <= p.Start:
			continue
		case p.Start < cohort.Start || cohort.End < p.End:
			return nil, fmt.Errorf("%w: table %s has a line for %s, which lies only partly in the cohort's period; choose a period of whole quarters or have the strata made for it", ErrConfig, ingest.PeerStrata, l.Period)
		}
		for k, label := range l.Classes {
			if label == "" {
				l.Classes[k] = effect.MissingClass
			}
		}
		out = append(out, l)
	}
	return c.mergeStrata(out), nil
}

// Settle works out what the terms pay. The dataset gives what was bought, where the
// terms ask for it. The acceptance is nil where nobody was asked to accept the
// diagnostics.
func Settle(ctx context.Context, ds *ingest.Dataset, terms []*bonus.Terms, m Measured, b Benchmarked, acceptance *bonus.Acceptance) (*bonus.Settlement, error) {
	facts := settled(m, b, acceptance)
	var err error
	if facts.Purchases, facts.PurchasesFrom, err = purchases(ctx, ds, terms, m.Observations.AsOf); err != nil {
		return nil, err
	}
	return bonus.Settle(ctx, terms, facts)
}

// settled are the facts that a settlement is made of, but for what was bought, on
// which no payment depends.
func settled(m Measured, b Benchmarked, acceptance *bonus.Acceptance) bonus.Facts {
	return bonus.Facts{
		Observations: m.Observations, Benchmark: b.Benchmark, Diagnostics: b.Diagnostics, Indicators: b.Indicators,
		Figures: m.Figures, Evidence: m.Evidence, Acceptance: acceptance,
	}
}
