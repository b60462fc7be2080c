package jobeffekt_test

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/ingest"
)

// accepting is a job whose terms pay only after an acceptance.
func accepting(t *testing.T, change ...string) *jobeffekt.Config {
	return job(t, append(change, "multiplicity: holm", "multiplicity: holm\n          acceptance: {role: controller}")...)
}

// blindedRun does a job blinded, into a folder of its own.
func blindedRun(t *testing.T, c *jobeffekt.Config) (folder string, r *jobeffekt.Result) {
	t.Helper()
	blind := *c
	blind.Blinded, blind.Out = true, "blinded"
	r, err := jobeffekt.Run(context.Background(), &blind)
	require.NoError(t, err)
	return blind.ResultsFolder(), r
}

// Nothing that a blinded run writes or returns tells of an effect: neither a
// column of figures, nor a table of outcomes or of money. What the diagnostics
// say is the same as in the open run.
func TestBlindedRun(t *testing.T) {
	t.Parallel()
	c := accepting(t)
	open, err := jobeffekt.Run(context.Background(), c)
	require.NoError(t, err)
	folder, r := blindedRun(t, c)

	m, err := jobeffekt.ReadManifest(folder)
	require.NoError(t, err)
	assert.True(t, m.Blinded)
	assert.Equal(t, bonus.StandingRetrospective, m.Standing)
	var names []string
	for _, s := range m.Results {
		if name, ok := strings.CutSuffix(s.Path, ".parquet"); ok {
			names = append(names, name)
		}
	}
	assert.Equal(t, []string{"attrition", "benchmark", "cases", "counts", "covariates", "diagnostics", "estimates", "gate_preview", "peer_conditions", "peer_stability", "peers", "providers", "rejects"}, names)
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	for _, e := range entries {
		assert.NotContains(t, e.Name(), "outcomes")
		assert.NotContains(t, e.Name(), "settlement")
	}

	for table, blank := range map[string][]string{
		"estimates": {"observed", "expected", "difference", "low", "high", "verdict", "standard_error", "df", "var_cell", "var_comparators", "var_peer", "sigma2_between"},
		"benchmark": {"observed", "expected", "difference", "low", "high", "verdict", "standard_error", "df"},
	} {
		b, err := ingest.ReadTable(context.Background(), filepath.Join(folder, table+".parquet"), ingest.DefaultLimits())
		require.NoError(t, err)
		outcome := b.Column("outcome")
		kept := 0
		for i := range b.Rows() {
			if _, placebo := effect.PlaceboOf(cell(outcome, i)); placebo {
				if cell(b.Column("standard_error"), i) != "" {
					kept++
				}
				continue
			}
			for _, name := range blank {
				assert.Empty(t, cell(b.Column(name), i), "%s.%s", table, name)
			}
		}
		assert.NotZero(t, kept, "the placebos of %s stay", table)
	}
	assert.Equal(t, results(t, c)["diagnostics.parquet"], sum(m, "diagnostics.parquet"))
	told := func(r *jobeffekt.Result) (n int) {
		for _, e := range r.Estimates {
			if _, placebo := effect.PlaceboOf(e.Outcome); !placebo && slices.Contains(strings.Split(e.Warnings, ";"), "all_outcomes_equal") {
				n++
			}
		}
		return n
	}
	assert.NotZero(t, told(open))
	assert.Zero(t, told(r), "that all reached the outcome, or nobody, is not told")

	// The gates are those of the open settlement, but for what needs the effects.
	require.Len(t, r.Gates, len(open.Settlement.Gate))
	for i, g := range r.Gates {
		was := open.Settlement.Gate[i]
		assert.Equal(t, was.Line, g.Line)
		if g.Diagnostic == bonus.GateAcceptance || g.Diagnostic == bonus.GateHolm {
			assert.Equal(t, bonus.NotEvaluated, g.State)
			continue
		}
		assert.Equal(t, was.State, g.State)
	}
	assert.Nil(t, r.Settlement)
	assert.Nil(t, r.Strata)
	assert.Empty(t, r.Observations.Results)
	assert.Contains(t, r.Summary(), "BLINDED: no effect is shown")
	assert.Contains(t, r.Summary(), "Gates, by the thresholds of the terms")
	for _, word := range []string{"Verdicts", "observed", "kr.", "made probable"} {
		assert.NotContains(t, r.Summary(), word)
	}

	// It can be made again; nothing goes on from it.
	d, err := jobeffekt.Verify(context.Background(), folder)
	require.NoError(t, err)
	assert.Empty(t, d)
	_, err = jobeffekt.ReadSettlement(context.Background(), folder)
	assert.ErrorContains(t, err, "blinded run")
	after := *c
	after.Out = "blinded"
	_, err = jobeffekt.RunStep(context.Background(), &after, jobeffekt.StepSettle)
	assert.ErrorContains(t, err, "its tables are of a blinded run")
	after.Blinded = true
	_, err = jobeffekt.RunStep(context.Background(), &after, jobeffekt.StepMeasure)
	assert.ErrorIs(t, err, jobeffekt.ErrConfig)

	// An open run does not write over it, nor beside what was decided on it.
	after.Blinded = false
	before := read(t, filepath.Join(folder, "manifest.json"))
	_, err = jobeffekt.Run(context.Background(), &after)
	require.ErrorIs(t, err, jobeffekt.ErrConfig)
	assert.ErrorContains(t, err, "out (blinded) holds a blinded run")
	assert.Equal(t, before, read(t, filepath.Join(folder, "manifest.json")))
	after.Out = "decided"
	decided := filepath.Join(after.ResultsFolder(), jobeffekt.AcceptanceName)
	require.NoError(t, os.Mkdir(after.ResultsFolder(), 0o700))
	require.NoError(t, os.WriteFile(decided, []byte("decisions: []\n"), 0o600))
	_, err = jobeffekt.Run(context.Background(), &after)
	assert.ErrorContains(t, err, "name another folder under out")

	// A blinded run in the folder of an open one takes its effects away.
	again := *c
	again.Blinded = true
	_, err = jobeffekt.Run(context.Background(), &again)
	require.NoError(t, err)
	for _, name := range []string{"outcomes.parquet", "outcomes.csv", "peer_strata.parquet", "settlement.parquet", "settlement.csv"} {
		assert.NoFileExists(t, filepath.Join(c.ResultsFolder(), name))
	}
}

// cell is a value of a column as text, "" for a missing one.
func cell(c *ingest.Column, i int) string {
	switch {
	case c.Floats != nil && math.IsNaN(c.Floats[i]):
		return ""
	case c.Floats != nil:
		return fmt.Sprint(c.Floats[i])
	case c.Factor != nil:
		return c.Factor.At(i)
	}
	return c.Texts[i]
}

func sum(m *jobeffekt.Manifest, path string) string {
	k := slices.IndexFunc(m.Results, func(s jobeffekt.Source) bool { return s.Path == path })
	return m.Results[k].SHA256
}

// Terms that ask for it pay after an acceptance of these diagnostics only.
func TestAcceptance(t *testing.T) {
	t.Parallel()
	c := accepting(t)
	folder, _ := blindedRun(t, c)
	asOf := c.AsOf
	decide := func(answer bonus.Answer, role string) {
		require.NoError(t, jobeffekt.Accept(folder, bonus.Decision{
			Name: "N. N.", Role: role, On: effect.NewDate(2010, 7, 15), Decision: answer, Note: "as agreed",
		}))
	}
	_, err := jobeffekt.Run(context.Background(), c)
	require.NoError(t, err)
	settle := func() *jobeffekt.Result {
		r, err := jobeffekt.RunStep(context.Background(), c, jobeffekt.StepSettle)
		require.NoError(t, err)
		return r
	}
	effects := func(r *jobeffekt.Result) (paid int, reason string) {
		for _, l := range r.Settlement.Lines {
			if l.Clause == "effect" && l.Amount > 0 {
				paid++
			}
		}
		for _, g := range r.Settlement.Gate {
			if g.Diagnostic == bonus.GateAcceptance || g.Diagnostic == bonus.GateHolm {
				reason = g.Reason
			}
		}
		return paid, reason
	}
	paid, reason := effects(settle())
	assert.Zero(t, paid)
	assert.Contains(t, reason, "the run names no blinded run")

	c.Accepted = "blinded"
	paid, reason = effects(settle())
	assert.Zero(t, paid)
	assert.Equal(t, "the controller has decided nothing", reason)

	decide(bonus.Refused, "controller")
	_, reason = effects(settle())
	assert.Equal(t, "refused by the controller on 2010-07-15", reason)

	decide(bonus.Accepted, "controller")
	decide(bonus.Refused, "head of finance") // whom the terms do not ask
	paid, reason = effects(settle())
	assert.NotZero(t, paid)
	assert.Equal(t, "accepted by the controller on 2010-07-15", reason)
	m, err := jobeffekt.ReadManifest(c.ResultsFolder())
	require.NoError(t, err)
	require.Len(t, m.Accepted, 2)
	assert.Equal(t, "../blinded/acceptance.yaml", m.Accepted[1].Path)

	// Other data, other diagnostics: the acceptance does not hold, and it is said
	// which changed.
	c.AsOf = effect.NewDate(2009, 1, 31)
	r, err := jobeffekt.Run(context.Background(), c)
	require.NoError(t, err)
	paid, reason = effects(r)
	assert.Zero(t, paid)
	assert.Contains(t, reason, "the controller accepted other diagnostics on 2010-07-15 than there are now: n (")

	// What is decided on must be as it was written, and of a blinded run.
	d := bonus.Decision{Name: "N. N.", Role: "controller", On: effect.NewDate(2010, 7, 15), Decision: bonus.Accepted}
	assert.ErrorContains(t, jobeffekt.Accept(c.ResultsFolder(), d), "not of a blinded run")
	d.On = asOf
	assert.NoError(t, jobeffekt.Accept(folder, d))
	d.On = asOf - 1
	assert.ErrorContains(t, jobeffekt.Accept(folder, d), "a decision on 2010-06-29 lies before the as_of of the blinded run, 2010-06-30")
	d.On = asOf
	d.Decision = "maybe"
	assert.ErrorIs(t, jobeffekt.Accept(folder, d), jobeffekt.ErrConfig)
	d.Decision = bonus.Accepted
	path := filepath.Join(folder, "diagnostics.parquet")
	require.NoError(t, os.WriteFile(path, append(read(t, path), 0), 0o600))
	assert.ErrorIs(t, jobeffekt.Accept(folder, d), jobeffekt.ErrManifest)

	c.Accepted = "nowhere"
	_, err = jobeffekt.Run(context.Background(), c)
	assert.ErrorIs(t, err, jobeffekt.ErrConfig)
	c.Blinded = true
	_, err = jobeffekt.Run(context.Background(), c)
	assert.NoError(t, err, "a blinded run comes before, and looks at no acceptance")
}

// A seal beside the terms is read, goes to the manifest and is verified.
func TestSealedRun(t *testing.T) {
	t.Parallel()
	c := job(t)
	terms := filepath.Join(filepath.Dir(c.Path), "terms.yaml")
	seals := filepath.Join(filepath.Dir(c.Path), "terms.seal.yaml")
	added, err := jobeffekt.SealTerms(terms, effect.NoDate, effect.NewDate(2007, 12, 14), "N. N.", "head of finance")
	require.NoError(t, err)
	require.Len(t, added, 1)
	r, err := jobeffekt.Run(context.Background(), c)
	require.NoError(t, err)
	assert.Equal(t, bonus.StandingSealed, r.Standing())
	assert.Contains(t, r.Summary(), "Provisional, sealed: nothing here is booked.")
	for _, l := range r.Settlement.Lines {
		assert.Equal(t, bonus.StandingSealed, l.Standing)
	}
	m, err := jobeffekt.ReadManifest(c.ResultsFolder())
	require.NoError(t, err)
	assert.Equal(t, bonus.StandingSealed, m.Standing)
	require.Len(t, m.Seals, 1)
	assert.Equal(t, "../terms.seal.yaml", m.Seals[0].Path)
	d, err := jobeffekt.Verify(context.Background(), c.ResultsFolder())
	require.NoError(t, err)
	assert.Empty(t, d)

	// A step done again keeps it.
	_, err = jobeffekt.RunStep(context.Background(), c, jobeffekt.StepSettle)
	require.NoError(t, err)
	again, err := jobeffekt.ReadManifest(c.ResultsFolder())
	require.NoError(t, err)
	assert.Equal(t, m.Seals, again.Seals)
	assert.Equal(t, m.Standing, again.Standing)

	// Everything is sealed; nothing more to do, and nothing is written.
	before := read(t, seals)
	_, err = jobeffekt.SealTerms(terms, effect.NoDate, effect.NewDate(2007, 12, 15), "N. N.", "head of finance")
	require.ErrorIs(t, err, bonus.ErrSeal)
	_, err = jobeffekt.SealTerms(terms, effect.NewDate(2009, 1, 1), effect.NewDate(2007, 12, 15), "N. N.", "head of finance")
	require.ErrorIs(t, err, bonus.ErrSeal)
	assert.Equal(t, before, read(t, seals))

	// Terms edited after the fact are told, and a new version is sealed beside
	// the first without touching its seal.
	text := string(read(t, terms))
	require.NoError(t, os.WriteFile(terms, []byte(strings.ReplaceAll(text, "amount: 40000}", "amount: 50000}")), 0o600))
	d, err = jobeffekt.Verify(context.Background(), c.ResultsFolder())
	require.NoError(t, err)
	assert.NotEmpty(t, d)
	r, err = jobeffekt.RunStep(context.Background(), c, jobeffekt.StepSettle)
	require.NoError(t, err)
	assert.Contains(t, r.Summary(), "Provisional, retrospective")
	assert.Contains(t, r.Summary(), "does not read as it did when it was sealed on 2007-12-14")

	version := text[strings.Index(text, "  - valid_from"):]
	text = strings.Replace(text, "valid_from: 2008-01-01", "valid_from: 2008-01-01\n    valid_to: 2009-01-01", 1) + strings.Replace(version, "2008-01-01", "2009-01-01", 1)
	require.NoError(t, os.WriteFile(terms, []byte(text), 0o600))
	added, err = jobeffekt.SealTerms(terms, effect.NoDate, effect.NewDate(2008, 12, 1), "M. M.", "head of finance")
	require.NoError(t, err)
	require.Len(t, added, 1)
	assert.True(t, strings.HasPrefix(string(read(t, seals)), string(before)), "what was signed stays, byte for byte")
	both, err := jobeffekt.ReadTerms(terms)
	require.NoError(t, err)
	for i := range both.Versions {
		ok, why := both.Standing(i)
		assert.True(t, ok, why)
	}

	// A file that cannot be added to is left alone.
	require.NoError(t, os.WriteFile(seals, []byte("seals: [{version: 2001-01-01, until: 2002-01-01, sha256: "+strings.Repeat("0", 64)+", sealed_on: 2000-01-01, name: N, role: R}]\nagreement: A-751\n"), 0o600))
	_, err = jobeffekt.SealTerms(terms, effect.NoDate, effect.NewDate(2007, 12, 14), "N. N.", "head of finance")
	assert.ErrorContains(t, err, "add this by hand")
}
