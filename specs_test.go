package jobeffekt_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/bonus/spec"
)

// TestTermsDoWhatTheirSpecsSay runs the spec of every model of a contract.
func TestTermsDoWhatTheirSpecsSay(t *testing.T) {
	specs, err := filepath.Glob("testdata/terms/*.spec.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, specs)
	for _, file := range specs {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".spec.yaml"), func(t *testing.T) {
			n, err := jobeffekt.CheckSpec(context.Background(), file)
			require.NoError(t, err)
			require.Positive(t, n)
			auditScenarios(t, file)
		})
	}
}

// auditScenarios works every line of every scenario out again, and looks for clauses
// that no scenario is about.
func auditScenarios(t *testing.T, file string) {
	t.Helper()
	src, err := os.ReadFile(file)
	require.NoError(t, err)
	s, err := spec.Parse(filepath.Base(file), src)
	require.NoError(t, err)
	var terms []*bonus.Terms
	for _, name := range append([]string{s.Terms}, s.Also...) {
		one, err := jobeffekt.ReadTerms(filepath.Join(filepath.Dir(file), name))
		require.NoError(t, err)
		terms = append(terms, one)
	}
	said := map[string]bool{}
	for i := range s.Scenarios {
		sealed, f, err := s.Facts(i, terms...)
		require.NoError(t, err)
		settlement, err := bonus.Settle(context.Background(), sealed, f)
		if err != nil {
			continue // a scenario about faults
		}
		for _, l := range settlement.Lines {
			said[l.Agreement+" "+l.Clause] = true
		}
		for _, d := range settlement.Decisions {
			said[d.Agreement+" "+d.Clause] = true
		}
		for _, a := range settlement.Audit(sealed, f) {
			require.Empty(t, a.Differs, "%s: %s: from %s", s.Scenarios[i].It, a.Line, a.From)
		}
	}
	for _, v := range terms[0].Versions {
		for _, c := range v.Clauses {
			require.True(t, said[terms[0].Agreement+" "+c.ID], "no scenario of %s says what clause %s does", s.File, c.ID)
		}
	}
}

// TestEveryModelHasASpec holds testdata/terms to the contract models that must be
// expressible.
func TestEveryModelHasASpec(t *testing.T) {
	for _, model := range [][2]string{
		{"Aalborg IMPACT60", "aalborg-impact60"},
		{"Aarhus flex job 2011", "aarhus-flexjob"},
		{"Aarhus/DSI rate card", "aarhus-dsi"},
		{"Copenhagen 2020", "copenhagen-2020"},
		{"Lejre 2020", "lejre-2020"},
		{"Gladsaxe", "gladsaxe"},
		{"Statutory job premium", "job-premium"},
		{"UK Work Programme", "uk-work-programme"},
		{"UK Restart", "uk-restart"},
		{"Australia", "australia"},
		{"Sweden Rusta och matcha, result pay", "rusta-och-matcha-pay"},
		{"Sweden Rusta och matcha, score", "rusta-och-matcha-score"},
		{"US HRRP", "us-hrrp"},
		{"US HVBP", "us-hvbp"},
		{"Peterborough", "peterborough"},
		{"Pool", "pool"},
	} {
		for _, name := range []string{model[1] + ".yaml", model[1] + ".spec.yaml"} {
			require.FileExists(t, filepath.Join("testdata/terms", name), model[0])
		}
	}
	// Terms without a spec are a promise that nobody holds.
	files, err := filepath.Glob("testdata/terms/*.yaml")
	require.NoError(t, err)
	for _, file := range files {
		if !jobeffekt.IsSpec(file) && !strings.HasSuffix(file, ".seal.yaml") {
			require.FileExists(t, jobeffekt.SpecName(file))
		}
	}
}
