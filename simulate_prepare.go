package jobeffekt

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/ingest"
	"github.com/jobeffekt/jobeffekt/internal/strict"
)

// simulation is a simulation while it is made.
type simulation struct {
	Simulation
	c    *Config
	ds   *ingest.Dataset
	out  *Simulated
	sets []*termsSet

	m       *Measured
	obs     *effect.Observations
	e       *Estimated
	b       *Benchmarked
	pool    *pool
	near    map[string]float64  // outcome: relevant improvement
	windows map[string][]string // of the run file's sensitivity
}

// termsSet is terms that are settled together.
type termsSet struct {
	name    string
	terms   []*bonus.Terms
	months  int
	from    map[string]string // agreement of the terms: agreement of the data
	clauses map[clauseAt]*bonus.Clause
	accept  *bonus.Acceptance
	papers  map[effect.ID][]bonus.Evidence
	base    bonus.Facts // as the terms see them
	world   string      // agreement of the data that a world's stands for
	other   bool        // set beside those of the run file
	main    *tally
	without []bonus.Without // under the agreements of the data
}

// clauseAt names a clause of a version, as lines do.
type clauseAt struct {
	agreement, id string
	version       effect.Date
}

// clausesOf goes through the clauses of all versions.
func clausesOf(t *bonus.Terms) iter.Seq[*bonus.Clause] {
	return func(yield func(*bonus.Clause) bool) {
		for v := range t.Versions {
			for c := range t.Versions[v].Clauses {
				if !yield(&t.Versions[v].Clauses[c]) {
					return
				}
			}
		}
	}
}

// newSet puts terms together. instead names agreements of the data that terms of
// other agreements are tried on.
func newSet(name string, terms []*bonus.Terms, instead map[string]string, months int) *termsSet {
	s := &termsSet{name: name, terms: terms, months: months, from: map[string]string{}, clauses: map[clauseAt]*bonus.Clause{}}
	var roles []string
	for _, t := range terms {
		s.from[t.Agreement] = t.Agreement
		for v := range t.Versions {
			for c := range t.Versions[v].Clauses {
				clause := &t.Versions[v].Clauses[c]
				s.clauses[clauseAt{t.Agreement, clause.ID, t.Versions[v].ValidFrom}] = clause
				if clause.Gate != nil && clause.Gate.Acceptance != nil && !slices.Contains(roles, clause.Gate.Acceptance.Role) {
					roles = append(roles, clause.Gate.Acceptance.Role)
				}
			}
		}
	}
	maps.Copy(s.from, instead)
	for _, role := range roles {
		if s.accept == nil {
			s.accept = &bonus.Acceptance{}
		}
		s.accept.Decisions = append(s.accept.Decisions, bonus.Decision{Role: role, Decision: bonus.Accepted})
	}
	return s
}

// effects are the effect clauses of a set.
func (s *termsSet) effects() []*bonus.Clause {
	var out []*bonus.Clause
	for _, t := range s.terms {
		for clause := range clausesOf(t) {
			if clause.Measure.Effect != "" {
				out = append(out, clause)
			}
		}
	}
	return out
}

// prepare does the job once and lays out the draws.
func (s *simulation) prepare(ctx context.Context, terms []*bonus.Terms) error {
	others := s.Others
	if len(terms) == 0 {
		if len(others) == 0 {
			return fmt.Errorf("%w: there are no terms to try: the run file names none, and none are given beside it", ErrSimulation)
		}
		first := others[0]
		s.sets, others = append(s.sets, first.set(nil)), others[1:]
	} else {
		var files []string
		for _, t := range terms {
			files = append(files, t.File)
		}
		s.sets = append(s.sets, newSet(strings.Join(files, " + "), terms, nil, 0))
	}
	for _, o := range others {
		set := o.set(s.sets[0].terms)
		for n := 2; slices.ContainsFunc(s.sets, func(x *termsSet) bool { return x.name == set.name }); n++ {
			set.name = fmt.Sprintf("%s (%d)", o.Terms.File, n)
		}
		set.other = true
		s.sets = append(s.sets, set)
	}
	s.out.Unit = s.sets[0].terms[0].Currency.Unit()
	var errs []error
	for _, set := range s.sets {
		if unit := set.terms[0].Currency.Unit(); unit != s.out.Unit {
			errs = append(errs, fmt.Errorf("%w: %s pays in %s and %s in %s: terms are set beside each other in one currency", ErrSimulation, s.sets[0].name, s.out.Unit, set.name, unit))
		}
		s.out.names = append(s.out.names, set.name)
		errs = append(errs, s.c.checkTerms(set.terms))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	m, err := Measure(ctx, s.ds, s.c)
	if err != nil {
		return err
	}
	s.m, s.obs = m, m.Observations
	if s.e, err = Estimate(ctx, s.ds, s.c, s.obs); err != nil {
		return err
	}
	if s.b, err = Benchmark(ctx, s.ds, s.c, s.obs, *s.e); err != nil {
		return err
	}
	for _, set := range s.sets {
		errs = append(errs, set.see(settled(*m, *s.b, nil)))
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	s.relevant()
	s.pool = newPool(s.sets, s.obs, s.e.Estimates, s.b.Benchmark, s.Seed)
	return nil
}

// set is the terms among those of the run file, in place of the ones for the
// same cases.
func (o OtherTerms) set(beside []*bonus.Terms) *termsSet {
	instead := map[string]string{}
	from := o.Terms.Agreement
	if o.Instead != "" {
		from, instead[o.Terms.Agreement] = o.Instead, o.Instead
	}
	all := []*bonus.Terms{o.Terms}
	if o.Months == 0 {
		for _, t := range beside {
			if t.Agreement != from && t.Agreement != o.Terms.Agreement {
				all = append(all, t)
			}
		}
	}
	return newSet(o.Terms.File, all, instead, o.Months)
}

// see takes the facts as the terms see them: under their agreements, moved in time,
// and with every acceptance given that a gate asks for.
func (s *termsSet) see(facts bonus.Facts) error {
	obs := facts.Observations
	out, cases := *obs, *obs.Cases
	cases.Agreement.Levels = slices.Clone(cases.Agreement.Levels)
	var errs []error
	for _, t := range s.terms {
		from := s.from[t.Agreement]
		code := obs.Cases.Agreement.Code(from)
		switch {
		case code < 0:
			errs = append(errs, fmt.Errorf("%w: %s: no case of the data has the agreement %q%s; say on which agreement's cases the terms are tried",
				ErrSimulation, t.File, from, strict.Suggest(from, obs.Cases.Agreement.Levels)))
		case from != t.Agreement && obs.Cases.Agreement.Code(t.Agreement) >= 0:
			errs = append(errs, fmt.Errorf("%w: %s: the data have cases of agreement %q too; the terms are tried on those, or on others under another name", ErrSimulation, t.File, t.Agreement))
		default:
			cases.Agreement.Levels[code] = t.Agreement
		}
	}
	out.Cases = &cases
	facts.Observations, facts.Acceptance = &out, s.accept
	if s.months != 0 {
		errs = append(errs, s.move(&facts))
	}
	s.base, s.papers = facts, map[effect.ID][]bonus.Evidence{}
	for _, e := range facts.Evidence {
		s.papers[e.Participation] = append(s.papers[e.Participation], e)
	}
	for _, t := range s.terms {
		inside := 0
		for i, day := range facts.Observations.Cases.Referral {
			if cases.Agreement.At(i) == t.Agreement && t.Starts <= day && day < t.Ends {
				inside++
			}
		}
		if p := facts.Observations.Period; inside == 0 && errors.Join(errs...) == nil {
			errs = append(errs, fmt.Errorf("%w: %s: the agreement runs from %s to %s, and no case of the data was referred then (they were from %s to %s); move the days of the data by so many months",
				ErrSimulation, t.File, t.Starts, t.Ends-1, p.Start, p.End-1))
		}
	}
	return errors.Join(errs...)
}

// move moves every day of the facts by the months of the set.
func (s *termsSet) move(facts *bonus.Facts) error {
	facts.Observations = facts.Observations.Moved(s.months)
	facts.Evidence = slices.Clone(facts.Evidence)
	for i := range facts.Evidence {
		facts.Evidence[i].On = facts.Evidence[i].On.AddMonths(s.months)
	}
	facts.Figures = slices.Clone(facts.Figures)
	for i := range facts.Figures {
		f := &facts.Figures[i]
		of, err := f.Of()
		if err != nil {
			return err
		}
		if s.months%12 != 0 {
			return fmt.Errorf("%w: %s: there are figures of periods, and moved by %d months a period is none: move the days of the data by whole years", ErrSimulation, s.name, s.months)
		}
		f.Period = fmt.Sprintf("%04d%s", of.Start.Time().Year()+s.months/12, f.Period[4:]) // every name of a period begins with its year
	}
	return nil
}

// relevant finds the improvement that is relevant for each outcome that is paid on.
func (s *simulation) relevant() {
	s.near = map[string]float64{}
	for _, set := range s.sets {
		for _, clause := range set.effects() {
			of := clause.Measure.Effect
			if v, given := s.Relevant[of]; given {
				s.near[of] = v
				continue
			}
			if d, ok := clause.Gate.Require[bonus.Diagnostic(effect.DiagDetectable)]; ok {
				v, _ := d.Rat().Float64()
				if old, ok := s.near[of]; v > 0 && (!ok || v < old) {
					s.near[of] = v
				}
			}
		}
	}
}

// facts are what the terms are settled on with other figures and, unless lists is
// nil, with the citizens that the lists name.
func (s *termsSet) facts(lists [][]int32, rows []effect.BenchmarkRow, diagnostics []effect.Diagnostic) bonus.Facts {
	f := s.base
	f.Benchmark, f.Diagnostics = rows, diagnostics
	if lists == nil {
		return f
	}
	f.Observations = s.base.Observations.Resample(lists)
	// Papers go with the citizen who is drawn, under each of the new numbers.
	f.Evidence = nil
	at := 0
	for _, list := range lists {
		for _, i := range list {
			for _, e := range s.papers[s.base.Observations.Cases.ID.At(int(i))] {
				e.Participation = f.Observations.Cases.ID.At(int(at))
				f.Evidence = append(f.Evidence, e)
			}
			at++
		}
	}
	return f
}

// settleMain settles every set on what was measured, so that faults are known
// before anything is drawn.
func (s *simulation) settleMain(ctx context.Context) error {
	s.out.Standing = bonus.StandingSealed
	var errs []error
	for _, set := range s.sets {
		settled, err := bonus.Settle(ctx, set.terms, set.facts(nil, s.pool.rows, s.pool.diagnostics(s.b.Diagnostics)))
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if settled.Standing() != bonus.StandingSealed {
			s.out.Standing = bonus.StandingRetrospective
		}
		set.main = set.tally(settled, s.pool.truths(TruthMeasured, s.near))
		set.without = settled.WithoutEffect()
		for k := range set.without {
			set.without[k].Agreement = set.from[set.without[k].Agreement]
		}
	}
	return errors.Join(errs...)
}

// payee is who is paid, and when: a Provider of "" is all together, and so is a Year.
type payee struct{ agreement, provider, year string }

// paid is what somebody is paid in one draw.
type paid struct {
	total, effects, limits, without bonus.Ore
	relevant, reached               bool // some cell has a relevant improvement; one of those is paid for
}

// tally is what one settlement pays.
type tally map[payee]paid

// figureAt names a figure.
type figureAt struct {
	outcome, method string
	part            effect.Part
	cell            effect.Cell
}

// truth is what is true of a figure: the difference, and whether its improvement
// is relevant.
type truth struct {
	difference float64
	relevant   float64 // the improvement that is
}

// tally adds up the lines of a settlement, given what is true of the figures.
func (s *termsSet) tally(settled *bonus.Settlement, truths map[figureAt]truth) *tally {
	out := tally{}
	for i := range settled.Lines {
		l := &settled.Lines[i]
		clause := s.clauses[clauseAt{l.Agreement, l.Clause, l.Version}]
		year := l.Period[:min(4, len(l.Period))] // periods are named so
		var p paid
		p.total = l.Amount
		switch {
		case clause == nil:
			p.limits = l.Amount
		case clause.Measure.Effect != "":
			p.effects = l.Amount
			t, ok := truths[figureOf(l, clause)]
			if !ok {
				break
			}
			improvement := t.difference
			if clause.Measure.Better == bonus.Low {
				improvement = -improvement
			}
			if improvement <= 0 {
				p.without = l.Amount
			}
			if improvement >= t.relevant {
				p.relevant, p.reached = true, l.Amount > 0
			}
		}
		agreement := s.from[l.Agreement]
		for _, k := range []payee{{agreement, l.Provider, year}, {agreement, l.Provider, ""}, {agreement, "", year}, {agreement, "", ""}} {
			q := out[k]
			q.total, q.effects, q.limits, q.without = q.total+p.total, q.effects+p.effects, q.limits+p.limits, q.without+p.without
			q.relevant, q.reached = q.relevant || p.relevant, q.reached || p.reached
			out[k] = q
		}
	}
	return &out
}

func figureOf(l *bonus.Line, clause *bonus.Clause) figureAt {
	m := &clause.Measure
	return figureAt{m.Effect, m.Method, effect.Part(m.Part), effect.Cell{
		Municipality: l.Municipality, MatchScheme: l.MatchScheme, MatchGroup: l.MatchGroup, Provider: l.Provider, Package: l.Package,
	}}
}

// multiple writes a multiple of the citizens.
func multiple(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
