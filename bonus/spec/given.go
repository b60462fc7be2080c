package spec

import (
	"cmp"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/interval"
	"github.com/jobeffekt/jobeffekt/effect/watch"
)

// Given are the facts of a scenario. A new kind of fact is a field here and a
// line in facts.
type Given struct {
	Cases      []Case      `yaml:"cases,omitempty" doc:"participations and what became of them"`
	Effects    []Effect    `yaml:"effects,omitempty" doc:"effects that were estimated, with their diagnostics"`
	Figures    []Figure    `yaml:"figures,omitempty" doc:"numbers about providers that the settlement does not work out itself"`
	Evidence   []Evidence  `yaml:"evidence,omitempty" doc:"documents that were received"`
	Indicators []Indicator `yaml:"indicators,omitempty" doc:"indicators of gaming"`
	Opening    []Balance   `yaml:"opening,omitempty" doc:"what providers owed before the first settlement period"`
	Acceptance []Answered  `yaml:"acceptance,omitempty" doc:"what was decided on the diagnostics before the effects were seen"`
	Seals      []Seal      `yaml:"seals,omitempty" doc:"when versions of the terms were sealed; none is if left out"`
}

// Effect is a figure of a benchmark with its diagnostics. What is left out is
// that of the key case or, as there, of the terms.
type Effect struct {
	Municipality string             `yaml:"municipality,omitempty" doc:"municipality of the cell"`
	MatchScheme  string             `yaml:"match_scheme,omitempty" doc:"numbering of the match group"`
	MatchGroup   string             `yaml:"match_group,omitempty" doc:"match group of the cell"`
	Provider     string             `yaml:"provider,omitempty" doc:"provider"`
	Package      string             `yaml:"package,omitempty" doc:"offer package; all together if left out"`
	Outcome      string             `yaml:"outcome,omitempty" doc:"outcome; that of the first effect clause if left out, and so are method and part"`
	Method       string             `yaml:"method,omitempty" doc:"method of estimation"`
	Part         bonus.Part         `yaml:"part,omitempty" doc:"provider or total"`
	N            *int               `yaml:"n,omitempty" doc:"cases with a complete window; those of the cell if left out"`
	NCompared    *int               `yaml:"n_compared,omitempty" doc:"cases that have comparators; n if left out"`
	Observed     *float64           `yaml:"observed,omitempty" doc:"mean outcome of the cell"`
	Expected     *float64           `yaml:"expected,omitempty" doc:"what similar citizens achieve"`
	Difference   *bonus.Decimal     `yaml:"difference,omitempty" doc:"observed - expected if left out"`
	SE           *float64           `yaml:"se,omitempty" doc:"standard error of the difference"`
	DF           *float64           `yaml:"df,omitempty" doc:"its degrees of freedom; 100 if left out"`
	Low          *bonus.Decimal     `yaml:"low,omitempty" doc:"lower limit of the interval; made of se and df if left out"`
	High         *bonus.Decimal     `yaml:"high,omitempty" doc:"upper limit"`
	Confidence   float64            `yaml:"confidence,omitempty" doc:"confidence of the interval; that of the spec if left out"`
	Refusal      string             `yaml:"refusal,omitempty" doc:"why there is no figure (a code)"`
	NotRated     bool               `yaml:"not_rated,omitempty" doc:"true: too few cases to be rated"`
	Diagnostics  Diagnostics        `yaml:"diagnostics,omitempty" doc:"pass (every diagnostic passes any threshold; if left out) or none (nobody measured any)"`
	Measured     map[string]float64 `yaml:"measured,omitempty" doc:"diagnostics with the value given"`
	Unmeasured   []string           `yaml:"unmeasured,omitempty" doc:"diagnostics that nobody measured"`
}

// Diagnostics says what an effect's diagnostics are that the spec does not give.
type Diagnostics string

// The ways.
const (
	AllPass Diagnostics = "pass"
	NoneAre Diagnostics = "none"
)

// Names lists the ways.
func (Diagnostics) Names() []string { return []string{string(AllPass), string(NoneAre)} }

// Figure is a [bonus.Figure].
type Figure struct {
	Figure   string         `yaml:"figure" doc:"name of the figure, as satisfaction"`
	Provider string         `yaml:"provider,omitempty" doc:"provider; that of the key case if left out; none for a figure of all providers"`
	Period   string         `yaml:"period" doc:"period or day that it is of"`
	N        *int           `yaml:"n,omitempty" doc:"persons or cases behind it; unknown if left out"`
	Value    *bonus.Decimal `yaml:"value,omitempty" doc:"the number; there is none if left out"`
}

// Evidence is a [bonus.Evidence].
type Evidence struct {
	Case string      `yaml:"case" doc:"case that it is about"`
	Kind string      `yaml:"kind" doc:"what it is, as the terms name it"`
	On   effect.Date `yaml:"received_on" doc:"day on which it was received"`
}

// Indicator is an indicator of gaming of a provider in a municipality.
type Indicator struct {
	Indicator    bonus.Indicator `yaml:"indicator" doc:"name of the indicator"`
	Municipality string          `yaml:"municipality,omitempty" doc:"municipality"`
	Provider     string          `yaml:"provider,omitempty" doc:"provider"`
	N            int             `yaml:"n,omitempty" doc:"how many it could be true of"`
	Count        int             `yaml:"count,omitempty" doc:"how many it is true of"`
	NotEvaluated string          `yaml:"not_evaluated,omitempty" doc:"why nothing could be counted"`
}

// Answered is a decision on the diagnostics.
type Answered struct {
	Role     string       `yaml:"role" doc:"who decided"`
	On       effect.Date  `yaml:"on" doc:"day of the decision"`
	Decision bonus.Answer `yaml:"decision,omitempty" doc:"accepted (if left out) or refused"`
	Other    bool         `yaml:"other,omitempty" doc:"true: the diagnostics have changed since"`
}

// Seal is a seal of a version of the terms, as the terms read now.
type Seal struct {
	Version effect.Date `yaml:"version" doc:"valid_from of the version"`
	On      effect.Date `yaml:"sealed_on" doc:"day of the seal"`
	Role    string      `yaml:"role,omitempty" doc:"who sealed; the head of finance if left out"`
}

// hash stands for that of the diagnostics.
const hash = "0000000000000000000000000000000000000000000000000000000000000000"

// facts are what a scenario gives, with the terms as they are sealed in it.
func (s *Spec) facts(x *Scenario, given []*bonus.Terms) ([]*bonus.Terms, bonus.Facts, error) {
	terms := make([]*bonus.Terms, len(given))
	for i, t := range given {
		unsealed := *t
		unsealed.Seals = nil
		terms[i] = &unsealed
	}
	t := terms[0]
	list := s.cases(x, t)
	f := bonus.Facts{Observations: s.observe(x, list)}
	base := defaults(t)
	if s.Case != nil {
		base = s.Case.over(base)
	}
	for i := range x.Given.Effects {
		row, diagnostics, err := s.effect(&x.Given.Effects[i], base, f.Observations, t)
		if err != nil {
			return nil, f, fmt.Errorf("effects[%d]: %w", i, err)
		}
		f.Benchmark, f.Diagnostics = append(f.Benchmark, row), append(f.Diagnostics, diagnostics...)
	}
	for _, g := range x.Given.Figures {
		figure := bonus.Figure{Name: g.Figure, Provider: cmp.Or(g.Provider, base.Provider), Period: g.Period, N: -1}
		if g.Provider == None {
			figure.Provider = "" // of all providers
		}
		if g.N != nil {
			figure.N = int64(*g.N)
		}
		if g.Value != nil {
			figure.Value = g.Value.String()
		}
		f.Figures = append(f.Figures, figure)
	}
	for _, g := range x.Given.Evidence {
		f.Evidence = append(f.Evidence, bonus.Evidence{Participation: effect.TextID(g.Case), Kind: g.Kind, On: g.On})
	}
	f.Opening = opening(x.Given.Opening, base)
	for _, g := range x.Given.Indicators {
		f.Indicators = append(f.Indicators, watch.Row{
			Indicator: watch.Indicator(g.Indicator), N: int64(g.N), Count: int64(g.Count), NotEvaluated: g.NotEvaluated,
			Who: watch.Who{Municipality: cmp.Or(g.Municipality, base.Municipality), Provider: cmp.Or(g.Provider, base.Provider)},
		})
	}
	if len(x.Given.Acceptance) > 0 {
		f.Acceptance = &bonus.Acceptance{SHA256: hash}
		for _, a := range x.Given.Acceptance {
			d := bonus.Decision{Role: a.Role, On: a.On, Decision: cmp.Or(a.Decision, bonus.Accepted), SHA256: hash}
			if a.Other {
				d.SHA256 = "other"
			}
			f.Acceptance.Decisions = append(f.Acceptance.Decisions, d)
		}
	}
	var err error
	terms[0], err = x.sealed(t)
	return terms, f, err
}

// effect makes a row of the benchmark and its diagnostics.
func (s *Spec) effect(e *Effect, base Case, obs *effect.Observations, t *bonus.Terms) (effect.BenchmarkRow, []effect.Diagnostic, error) {
	row := effect.BenchmarkRow{
		Outcome: e.Outcome, Method: e.Method, Part: effect.Part(e.Part),
		Cell: effect.Cell{
			Municipality: cmp.Or(e.Municipality, base.Municipality), MatchScheme: cmp.Or(e.MatchScheme, base.MatchScheme),
			MatchGroup: cmp.Or(e.MatchGroup, base.MatchGroup), Provider: cmp.Or(e.Provider, base.Provider), Package: e.Package,
		},
	}
	for i := range t.Versions {
		for _, c := range t.Versions[i].Clauses {
			if c.Measure.Effect != "" {
				row.Outcome, row.Method = cmp.Or(row.Outcome, c.Measure.Effect), cmp.Or(row.Method, c.Measure.Method)
				row.Part = cmp.Or(row.Part, effect.Part(c.Measure.Part))
			}
		}
	}
	r, ok := obs.Result(row.Outcome)
	if !ok || row.Method == "" || row.Part == "" {
		return row, nil, fmt.Errorf("the terms pay on no effect: give its outcome, which stands under outcomes, its method and its part")
	}
	row.Unit = r.Unit
	for i := range obs.Cases.Len() {
		c := obs.Cases
		if r.Complete[i] && c.Municipality.At(i) == row.Municipality && c.MatchScheme.At(i) == row.MatchScheme && c.MatchGroup.At(i) == row.MatchGroup &&
			c.Provider.At(i) == row.Provider && (row.Package == "" || c.Package.At(i) == row.Package) {
			row.N++
		}
	}
	given := func(n *int, other int64) int64 {
		if n == nil {
			return other
		}
		return int64(*n)
	}
	row.N = given(e.N, row.N)
	row.NCompared = given(e.NCompared, row.N)
	row.Figures = e.figures(row.Figures, cmp.Or(e.Confidence, s.Confidence, 0.95))
	diagnostics, err := e.diagnosed(&row)
	return row, diagnostics, err
}

// figures fills in a figure's numbers with nine digits, as tables have them.
func (e *Effect) figures(f effect.Figures, confidence float64) effect.Figures {
	nan := math.NaN()
	number := func(x *float64, other float64) float64 {
		if x == nil {
			return other
		}
		return effect.Round(*x)
	}
	decimal := func(d *bonus.Decimal, other float64) float64 {
		if d == nil {
			return other
		}
		x, _ := d.Rat().Float64()
		return effect.Round(x)
	}
	f.Observed, f.Expected, f.Confidence = number(e.Observed, nan), number(e.Expected, nan), confidence
	f.Difference = nan
	if e.Observed != nil && e.Expected != nil {
		f.Difference = less(*e.Observed, *e.Expected)
	}
	f.Difference = decimal(e.Difference, f.Difference)
	f.SE, f.DF = number(e.SE, nan), number(e.DF, 100)
	half := nan
	if e.SE != nil {
		half = interval.StudentT(f.DF, confidence) * f.SE
	}
	f.Low, f.High = decimal(e.Low, effect.Round(f.Difference-half)), decimal(e.High, effect.Round(f.Difference+half))
	f.Refusal = e.Refusal
	switch {
	case e.NotRated || e.Refusal != "":
		f.Verdict = effect.NotRated
	case f.Low > 0:
		f.Verdict = effect.Higher
	case f.High < 0:
		f.Verdict = effect.Lower
	default:
		f.Verdict = effect.NoDifference
	}
	return f
}

// less subtracts numbers as they were written, so that 0.6 - 0.5 is 0.1.
func less(a, b float64) float64 {
	x, _ := new(big.Rat).SetString(strconv.FormatFloat(a, 'g', -1, 64))
	y, _ := new(big.Rat).SetString(strconv.FormatFloat(b, 'g', -1, 64))
	d, _ := x.Sub(x, y).Float64()
	return effect.Round(d)
}

// plenty is more than any threshold that a diagnostic which is no share must be
// at least.
const plenty = 1e6

// diagnosed are the diagnostics of a figure.
func (e *Effect) diagnosed(row *effect.BenchmarkRow) ([]effect.Diagnostic, error) {
	names := effect.DiagnosticName("").Names()
	for name := range e.Measured {
		if !slices.Contains(names, name) {
			return nil, fmt.Errorf("there is no diagnostic %q: use %s", name, strings.Join(names, ", "))
		}
	}
	for _, name := range e.Unmeasured {
		if !slices.Contains(names, name) {
			return nil, fmt.Errorf("there is no diagnostic %q: use %s", name, strings.Join(names, ", "))
		}
	}
	var out []effect.Diagnostic
	for _, name := range effect.DiagnosticNames() {
		d := effect.Diagnostic{Outcome: row.Outcome, Cell: row.Cell, Method: row.Method, Part: row.Part, Name: name}
		value, given := e.Measured[string(name)]
		switch {
		case given:
			d.Value = effect.Round(value)
		case slices.Contains(e.Unmeasured, string(name)) || e.Diagnostics == NoneAre:
			continue
		case name == effect.DiagN:
			d.Value = float64(row.N)
		case row.Part == effect.Provider && (name == effect.DiagPeers || name == effect.DiagEffectivePeers):
			d.Value, d.NotApplicable = math.NaN(), "the provider's part lies within one municipality"
		case name.AtMost():
			d.Value = 0
		case name.IsShare():
			d.Value = 1
		default:
			d.Value = plenty
		}
		out = append(out, d)
	}
	return out, nil
}

// sealed are the terms with the scenario's seals.
func (x *Scenario) sealed(t *bonus.Terms) (*bonus.Terms, error) {
	if len(x.Given.Seals) == 0 {
		return t, nil
	}
	var b strings.Builder
	fmt.Fprintf(&b, "agreement: %q\nseals:\n", t.Agreement)
	for i, g := range x.Given.Seals {
		v := slices.IndexFunc(t.Versions, func(v bonus.Version) bool { return v.ValidFrom == g.Version })
		if v < 0 {
			return nil, fmt.Errorf("seals[%d]: the terms have no version valid from %s", i, g.Version)
		}
		// One that comes too late cannot be made, only written.
		role := cmp.Or(g.Role, "head of finance")
		seal, err := t.Seal(v, t.FirstReferral(v)-1, "N. N.", role)
		if err != nil {
			return nil, fmt.Errorf("seals[%d]: %w", i, err)
		}
		seal.SealedOn = g.On
		b.WriteString(seal.Text())
	}
	return t.Sealed("seals of the scenario", []byte(b.String()))
}
