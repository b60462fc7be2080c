package jobeffekt

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/peer"
	"github.com/jobeffekt/jobeffekt/effect/world"
	"github.com/jobeffekt/jobeffekt/ingest"
)

// worldsOf is how the worlds of one agreement are made and judged.
type worldsOf struct {
	agreement string // of the data
	options   world.Options
	config    *Config
	sets      []*termsSet // the terms that are about it, under the world's agreement
	sign      map[string]float64
	told      map[string]string // outcome: the one of the table truth that it is
}

// worlds does the whole job on simulated worlds, in which it is known what is true, and settles
// the terms on each. The worlds have the numbers of the data: citizens,
// municipalities, providers, match groups, packages and shares; all else is the
// law of package world. They check what the draws take for granted: that the errors of
// figures are as they say.
func (s *simulation) worlds(ctx context.Context) error {
	if s.Worlds == 0 {
		return nil
	}
	agreements := map[string]bool{}
	for _, set := range s.sets {
		for _, from := range set.from {
			agreements[from] = true
		}
	}
	for _, agreement := range slices.Sorted(maps.Keys(agreements)) {
		w, err := s.worldsOf(agreement)
		if err != nil {
			return err
		}
		for _, of := range []struct {
			truth Truth
			sd    float64
		}{{TruthNoWorld, 0}, {TruthWorld, s.WorldSD}} {
			if err := s.live(ctx, w, of.truth, of.sd); err != nil {
				return err
			}
		}
	}
	return nil
}

// live draws the worlds of one truth.
func (s *simulation) live(ctx context.Context, w *worldsOf, truth Truth, sd float64) error {
	drawn, formula := make([][]tally, len(w.sets)), make([][][]bonus.Without, len(w.sets))
	for k := range w.sets {
		drawn[k], formula[k] = make([]tally, s.Worlds), make([][]bonus.Without, s.Worlds)
	}
	count := effect.Count(ctx, "living through worlds", "worlds", int64(s.Worlds))
	ctx = effect.WithMeter(ctx, nil)
	err := inParallel(ctx, s.workers(), s.Worlds, count, func(i int) error {
		o := w.options
		// Both truths have the same citizens.
		o.Seed, o.ProviderSD = subject(fmt.Sprint("world ", s.Seed, " ", w.agreement, " ", i)), sd
		r, truths, err := w.measure(ctx, o)
		if err != nil {
			return fmt.Errorf("%w: world %d: %w", ErrSimulation, i+1, err)
		}
		for k, set := range w.sets {
			then := *set
			if err := then.see(settled(r.Measured, r.Benchmarked, nil)); err != nil {
				return fmt.Errorf("%w: world %d: %w", ErrSimulation, i+1, err)
			}
			settled, err := bonus.Settle(ctx, set.terms, then.base)
			if err != nil {
				return fmt.Errorf("%w: world %d: %s: %w", ErrSimulation, i+1, set.name, err)
			}
			drawn[k][i] = tally{}
			for p, x := range *set.tally(settled, w.truths(truths, r, set, s.near)) {
				p.agreement = w.agreement
				drawn[k][i][p] = x
			}
			formula[k][i] = settled.WithoutEffect()
			for r := range formula[k][i] {
				formula[k][i][r].Agreement = w.agreement
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for k, set := range w.sets {
		s.describe(set, scenario{truth, 1}, drawn[k], func(p payee) (chance, amount float64) {
			if truth != TruthNoWorld {
				return math.NaN(), math.NaN()
			}
			worlds := 0.0
			for _, rows := range formula[k] {
				if c, a := expected(rows, p); !math.IsNaN(c) {
					worlds, chance, amount = worlds+1, chance+c, amount+a
				}
			}
			return effect.Round(chance / worlds), effect.Round(amount / worlds)
		})
	}
	return nil
}

// measure does the job on one world, up to the benchmark.
func (w *worldsOf) measure(ctx context.Context, o world.Options) (*Result, []world.Truth, error) {
	made, err := world.New(o)
	if err != nil {
		return nil, nil, err
	}
	ds := ingest.NewDataset(w.config.IngestOptions())
	var all world.Block
	for block, err := range made.Blocks(ctx) {
		if err != nil {
			return nil, nil, err
		}
		all.Participations = append(all.Participations, block.Participations...)
		all.Spells, all.Persons = append(all.Spells, block.Spells...), append(all.Persons, block.Persons...)
	}
	for _, t := range []*ingest.Table{
		rowTable(ingest.Participations, all.Participations), spellTable(all.Spells), rowTable(ingest.Persons, all.Persons),
		rowTable(ingest.Municipalities, made.Municipalities()), rowTable(ingest.Providers, made.Providers()),
	} {
		if err := ds.AddTable(t.Name, "simulated "+t.Name, t); err != nil {
			return nil, nil, err
		}
	}
	m, err := Measure(ctx, ds, w.config)
	if err != nil {
		return nil, nil, err
	}
	e, err := Estimate(ctx, ds, w.config, m.Observations)
	if err != nil {
		return nil, nil, err
	}
	b, err := Benchmark(ctx, ds, w.config, m.Observations, *e)
	if err != nil {
		return nil, nil, err
	}
	var peers []string
	for _, p := range e.Peers {
		if p.Municipality == focal {
			peers = append(peers, p.Peer)
		}
	}
	truth, err := made.Truth(ctx, focal, peers...)
	return &Result{Measured: *m, Estimated: *e, Benchmarked: *b}, truth, err
}

// focal is the municipality of a world that stands for the one with the agreement.
const focal = "751"

// truths says what is true of the figures that the terms pay on. Where a world
// cannot tell how large the effect on an outcome is, the sign of that on
// employment stands for it, and nothing is relevant.
func (w *worldsOf) truths(known []world.Truth, r *Result, set *termsSet, relevant map[string]float64) map[figureAt]truth {
	type key struct {
		outcome string
		cell    effect.Cell
	}
	by := map[key]*world.Truth{}
	for i := range known {
		by[key{known[i].Outcome, known[i].Cell}] = &known[i]
	}
	paid := map[figureAt]bool{}
	for _, clause := range set.effects() {
		m := &clause.Measure
		paid[figureAt{outcome: m.Effect, method: m.Method, part: effect.Part(m.Part)}] = true
	}
	out := map[figureAt]truth{}
	for i := range r.Benchmark {
		b := &r.Benchmark[i]
		if !paid[figureAt{outcome: b.Outcome, method: b.Method, part: b.Part}] {
			continue
		}
		of, exact := w.told[b.Outcome]
		if !exact {
			of = world.Employed26
		}
		t := by[key{of, b.Cell}]
		if t == nil {
			continue
		}
		against := t.Home
		if b.Part == effect.Total {
			against = t.Peers
		}
		x := truth{difference: effect.Round(math.Round(1e9*(t.With-against)) / 1e9), relevant: math.Inf(1)} // equal but for rounding is equal
		if math.IsNaN(x.difference) {
			continue
		}
		if v, ok := relevant[b.Outcome]; ok && exact {
			x.relevant = v
		}
		if !exact {
			x.difference = w.sign[b.Outcome] * x.difference
		}
		out[figureAt{b.Outcome, b.Method, b.Part, b.Cell}] = x
	}
	return out
}

// worldsOf makes options and configuration that mirror the data of an agreement.
func (s *simulation) worldsOf(agreement string) (*worldsOf, error) {
	c, cohort := s.obs.Cases, s.obs.Period
	var reasons []effect.Reason
	if len(s.obs.Results) > 0 {
		reasons = s.obs.Results[0].Reason
	}
	in := func(i int) bool { return reasons == nil || !reasons[i].OutsideCohort() }
	homes, towns := map[string]int{}, map[string]bool{}
	persons := map[int32]bool{}
	for i := range c.Len() {
		if in(i) {
			persons[c.Person[i]], towns[c.Municipality.At(i)] = true, true
			if c.Agreement.At(i) == agreement {
				homes[c.Municipality.At(i)]++
			}
		}
	}
	home := ""
	for _, m := range slices.Sorted(maps.Keys(homes)) {
		if home == "" || homes[m] > homes[home] {
			home = m
		}
	}
	providers, groups, packages := map[string]bool{}, map[string]bool{}, map[string]int{}
	all, own, never, started, dropped, ended := 0, 0, 0, false, 0, 0
	focalPersons := map[int32]bool{}
	for i := range c.Len() {
		if !in(i) || c.Municipality.At(i) != home {
			continue
		}
		all++
		focalPersons[c.Person[i]] = true
		if c.Provider.At(i) == "" {
			own++
		}
		if c.Agreement.At(i) == agreement {
			providers[c.Provider.At(i)], groups[c.MatchGroup.At(i)] = true, true
			packages[c.Package.At(i)]++
		}
		if len(c.Start) > 0 && c.Start[i] == effect.NoDate {
			never++
		} else if len(c.Start) > 0 {
			started = true
		}
		switch c.Completed.At(i) {
		case effect.No:
			dropped++
			ended++
		case effect.Yes:
			ended++
		}
	}
	delete(providers, "")
	w := &worldsOf{agreement: agreement, sign: map[string]float64{}, told: map[string]string{}}
	o := world.Default()
	o.Persons, o.Municipalities = len(persons), min(len(towns), maxTowns)
	o.FocalShare = effect.Round(float64(len(focalPersons)) / float64(len(persons)))
	o.ProvidersPerMunicipality = len(providers)
	o.MatchGroups = slices.Sorted(maps.Keys(groups))
	o.From, o.To, o.Extracted = cohort.Start, cohort.End, s.obs.AsOf
	o.OwnShare = effect.Round(float64(own) / float64(all))
	if started {
		o.NoShowShare = effect.Round(float64(never) / float64(all))
	}
	if ended > 0 {
		o.DropoutShare = effect.Round(float64(dropped) / float64(ended))
	}
	o.Packages = nil
	var files []string
	for _, set := range s.sets {
		for _, t := range set.terms {
			if set.from[t.Agreement] != agreement || set.months != 0 {
				continue
			}
			files = append(files, set.name)
			o.MatchScheme = cmp.Or(t.MatchScheme, o.MatchScheme)
			for _, p := range t.Packages {
				if !slices.ContainsFunc(o.Packages, func(x world.Package) bool { return x.ID == p.ID }) && packages[p.ID] > 0 {
					o.Packages = append(o.Packages, world.Package{ID: p.ID, JobOriented: p.JobOriented != nil && *p.JobOriented, Share: float64(packages[p.ID]), Strength: 1, Weeks: 20})
				}
			}
			moved := *t
			moved.Agreement = "A-" + focal
			one := newSet(set.name, []*bonus.Terms{&moved}, nil, 0)
			one.world = agreement
			w.sets = append(w.sets, one)
		}
	}
	s.out.Notes = append(s.out.Notes, fmt.Sprintf(
		"Worlds of agreement %s have %s citizens in %d municipalities, %.0f %% of them in the one with the agreement, which has %d providers; match groups %s.",
		agreement, thousands(int64(o.Persons)), o.Municipalities, 100*o.FocalShare, o.ProvidersPerMunicipality, strings.Join(o.MatchGroups, ", ")))
	var err error
	if w.config, err = s.worldConfig(&o, w); err != nil {
		return nil, err
	}
	w.options = o
	_, err = world.New(o) // whose error says what the worlds cannot have
	if err != nil {
		return nil, fmt.Errorf("%w: worlds like the data of agreement %s (%s): %w", ErrSimulation, agreement, strings.Join(files, ", "), err)
	}
	return w, nil
}

// maxTowns is how many municipalities a world can have.
const maxTowns = 36

// worldConfig is the run file's with what the tables of a world have.
func (s *simulation) worldConfig(o *world.Options, w *worldsOf) (*Config, error) {
	c := *s.c
	c.Input, c.Crosswalk, c.Areas, c.Watch = Input{Fixed: []string{"sex", "birth_date", "education", "origin"}}, nil, nil, nil
	c.Compare.Also = nil
	c.Path = ""
	paid := map[string]bool{}
	total := false
	for _, set := range w.sets {
		for _, t := range set.terms {
			for clause := range clausesOf(t) {
				for _, name := range clause.Measure.Outcomes() {
					paid[name] = true
				}
				total = total || effect.Part(clause.Measure.Part) == effect.Total
			}
		}
	}
	c.Outcomes = nil
	for _, a := range s.c.Outcomes {
		if a.Kind == KindNumber || a.Kind == KindEarningsIn {
			if paid[a.Name] {
				return nil, fmt.Errorf("%w: worlds have no numbers and no earnings, and the terms pay on the outcome %s of kind %s: leave worlds out", ErrSimulation, a.Name, a.Kind)
			}
			continue
		}
		c.Outcomes = append(c.Outcomes, a)
		w.sign[a.Name] = 1
		if a.better() == bonus.Low {
			w.sign[a.Name] = -1
		}
		if a.states() == effect.Employment && (a.Clock == "" || a.Clock == effect.AtReferral) {
			span := effect.Span{}
			switch {
			case a.At != nil:
				span = *a.At
			case a.Within != nil:
				span = *a.Within
			}
			switch {
			case a.Kind == KindStateAt && span == effect.Weeks(26):
				w.told[a.Name] = world.Employed26
			case a.Kind == KindStateAt && span == effect.Weeks(52):
				w.told[a.Name] = world.Employed52
			case a.Kind == KindDaysIn && span == effect.Weeks(52) && a.AtLeast == 0:
				w.told[a.Name] = world.Days52
			}
		}
	}
	conditions := false
	for _, set := range w.sets {
		for _, t := range set.terms {
			for clause := range clausesOf(t) {
				conditions = conditions || len(clause.Conditions.Indicators) > 0
			}
		}
	}
	c.Signals = &conditions
	known := append(c.history().Names(), "sex", "age", "education", "origin")
	var left []string
	keep := func(name string) bool {
		if !slices.Contains(known, name) {
			if !slices.Contains(left, name) {
				left = append(left, name)
			}
			return false
		}
		return true
	}
	kept := func(in []Class) (out []Class) {
		for _, x := range in {
			if keep(x.Covariate) {
				out = append(out, x)
			}
		}
		return out
	}
	c.Compare.Covariates = slices.DeleteFunc(slices.Clone(c.Compare.Covariates), func(name string) bool { return !keep(name) })
	c.Compare.Classes = kept(c.Compare.Classes)
	ladder := c.Compare.Balance.Ladder
	c.Compare.Balance.Ladder = nil
	for _, rung := range ladder {
		if r := kept(rung); len(r) > 0 {
			c.Compare.Balance.Ladder = append(c.Compare.Balance.Ladder, r)
		}
	}
	if len(left) > 0 {
		s.out.Notes = append(s.out.Notes, "Worlds do not have "+strings.Join(left, ", ")+": they are compared without.")
	}
	peers := map[string]int{}
	for _, p := range s.e.Peers {
		peers[p.Municipality]++
	}
	k := 0
	for _, n := range peers {
		k = max(k, n)
	}
	switch k = min(k, o.Municipalities-1); {
	case k >= effect.MinPeers:
		c.Peers = &Peers{By: peer.Euclidean, Conditions: []string{"unemployment_pct", "low_education_pct", "non_western_pct"}, Year: o.From.Time().Year() - 1, K: k}
	case total:
		return nil, fmt.Errorf("%w: worlds like the data have %d municipalities, and the terms pay on a comparison with %d peers or more: leave worlds out", ErrSimulation, o.Municipalities, effect.MinPeers)
	default:
		c.Peers = nil
	}
	return &c, c.Validate()
}
