package command

import (
	"bytes"
	"context"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/ingest"
)

const operate = "../../../examples/operate"

func fileText(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(b)
}

// The commands of the files to copy, and of the page about them, exist with their flags.
func TestOperateFilesNameFlagsThatExist(t *testing.T) {
	root := newRoot(newTalk(&bytes.Buffer{}, &bytes.Buffer{}))
	lines := 0
	for _, name := range []string{operate + "/jobeffekt.service", operate + "/crontab", "../../../docs/operate.md"} {
		for _, line := range strings.Split(fileText(t, name), "\n") {
			_, command, ok := strings.Cut(line, "jobeffekt run ")
			if !ok || strings.HasPrefix(line, "#") {
				continue
			}
			lines++
			c, _, err := root.Find([]string{"run"})
			require.NoError(t, err)
			for _, flag := range regexp.MustCompile(`--[a-z-]+`).FindAllString(command, -1) {
				f := strings.TrimPrefix(flag, "--")
				assert.True(t, f == "help" || c.Flags().Lookup(f) != nil || root.PersistentFlags().Lookup(f) != nil, "%s: %s", name, flag)
			}
		}
	}
	assert.GreaterOrEqual(t, lines, 5)
}

// systemd itself reads the unit files, where it is installed.
func TestSystemdUnits(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not installed")
	}
	folder := t.TempDir()
	for _, name := range []string{"jobeffekt.service", "jobeffekt.timer"} {
		// The program need not be installed here.
		unit := strings.ReplaceAll(fileText(t, filepath.Join(operate, name)), "/usr/local/bin/jobeffekt", "/bin/true")
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte(unit), 0o600))
	}
	out, err := exec.Command(analyze, "verify", "--man=no", filepath.Join(folder, "jobeffekt.timer"), filepath.Join(folder, "jobeffekt.service")).CombinedOutput()
	require.NoError(t, err, string(out))
	assert.Empty(t, string(out))
}

// What a line that is withheld pays, or that it pays nothing, is in no series; nor is a total that
// may not be told.
func TestMetricsWithhold(t *testing.T) {
	null := math.NaN()
	p := &jobeffekt.Publication{Tables: []*ingest.Table{
		{Name: jobeffekt.TableSettlement, Columns: []ingest.Column{
			{Name: "line", Texts: []string{"a", "b", "c", "d", "e"}}, {Name: "amount_ore", Floats: []float64{100, 0, null, null, 0}}, {Name: "reason", Texts: []string{"", "", "", "", bonus.ReasonGate + ":n"}},
		}},
		{Name: jobeffekt.TableGate, Columns: []ingest.Column{{Name: "line", Texts: []string{"c", "d", "d", "e"}}, {Name: "accepted", Bools: []bool{true, true, false, false}}}},
		{Name: jobeffekt.TablePaid, Columns: []ingest.Column{
			{Name: "agreement_id", Texts: []string{"A", "A", "B"}}, {Name: "provider_id", Texts: []string{"", "P", ""}}, {Name: "amount_ore", Floats: []float64{null, 700, 1_600_000}},
		}},
	}}
	r := prometheus.NewRegistry()
	withheld, err := (&gauges{registry: r, in: r}).settled(p)
	require.NoError(t, err)
	assert.Equal(t, 1, withheld)
	families, err := r.Gather()
	require.NoError(t, err)
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			got[f.GetName()+" "+m.GetLabel()[0].GetValue()] = m.GetGauge().GetValue()
		}
	}
	assert.Equal(t, map[string]float64{
		"jobeffekt_settlement_lines paid": 1, "jobeffekt_settlement_lines nothing": 1, "jobeffekt_settlement_lines withheld": 1, "jobeffekt_settlement_lines stopped": 2,
		"jobeffekt_settled_kroner B": 20_000,
	}, got)
}

// One citizen more or less at the highest price, nor a few of them, can be told from the amount
// of two nights: each amount is as good as another within a step that is wider than that.
func TestMetricsTellOfNoFewCitizens(t *testing.T) {
	for price, want := range map[float64]float64{100_000: 10_000, 400_000: 50_000, 6_000_000: 1_000_000} {
		p := &jobeffekt.Publication{MinCount: 5, Tables: []*ingest.Table{{Name: jobeffekt.TableSettlement, Columns: []ingest.Column{{Name: "unit_price_ore", Floats: []float64{price, math.NaN(), 100}}}}}}
		assert.Equal(t, want, unitOf(p))
		for citizens := range 5 {
			step := nearest(1_000_000+float64(citizens)*price/100, want) - nearest(1_000_000, want)
			assert.Contains(t, []float64{0, want}, step)
		}
	}
}

// The metrics of the demonstration's results: named and typed as Prometheus wants them, each on
// the page, coarse, and of an agreement's total alone. The rules ask for series that exist.
func TestMetrics(t *testing.T) {
	folder := t.TempDir()
	var stdout, stderr bytes.Buffer
	require.Equal(t, exitDone, execute(context.Background(), []string{"synth", filepath.Join(folder, "data"), "--persons", "300", "--municipalities", "4", "-q"}, &stdout, &stderr))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "run.yaml"), []byte(`data: data
out: results
as_of: 2010-06-30
cohort: {period: 2008}
outcomes:
  - {name: employed_26w, kind: state_at, states: [ordinary_employment], at: 26 weeks}
compare: {methods: [strata], classes: [{covariate: sex}]}
terms: [terms.yaml]
`), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "terms.yaml"), []byte(`agreement: A-751
title: Invented
source: {document: "Invented", dated: 2007-11-15}
currency: DKK
match_scheme: match5_2004
starts: 2008-01-01
ends: 2011-12-31
packages: [{id: P1, name: One, job_oriented: true}, {id: P2, name: Two, job_oriented: false}, {id: P3, name: Three, job_oriented: false}]
periods: half_year
applies_by: referral
rounding: {unit: 1, mode: half_up, stage: line}
versions:
  - valid_from: 2008-01-01
    clauses:
      - id: job
        section: "1"
        text: A price for each citizen in work
        measure: {reached: employed_26w}
        conditions: {job_oriented: true}
        schedule: {unit_prices: [{match_group: 4, package: P1, amount: 4000}, {match_group: 5, package: P1, amount: 5000}]}
`), 0o600))
	file := filepath.Join(folder, "night.prom")
	require.Equal(t, exitDone, execute(context.Background(), []string{"run", filepath.Join(folder, "run.yaml"), "-q", "--metrics", file}, &stdout, &stderr), stderr.String())
	written := fileText(t, file)

	problems, err := promlint.New(strings.NewReader(written)).Lint()
	require.NoError(t, err)
	assert.Empty(t, problems)

	page := fileText(t, "../../../docs/operate.md")
	var told []string
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (\S+) gauge$`).FindAllStringSubmatch(written, -1) {
		told = append(told, m[1])
		assert.Contains(t, page, "| `"+m[1]+"` |")
	}
	assert.Len(t, regexp.MustCompile("(?m)^\\| `jobeffekt_").FindAllString(page, -1), len(told), "%v", told)
	amount := regexp.MustCompile(`(?m)^jobeffekt_settled_kroner\{agreement_id="A-751",run="night"\} (\S+)$`).FindStringSubmatch(written)
	require.NotNil(t, amount)
	kroner, err := strconv.ParseFloat(amount[1], 64)
	require.NoError(t, err)
	assert.Positive(t, kroner)
	assert.Zero(t, math.Mod(kroner, amountUnit))
	for _, m := range regexp.MustCompile(`(?m)^jobeffekt_rows_\S+ (\d+)$`).FindAllStringSubmatch(written, -1) {
		assert.Regexp(t, `[05]$`, m[1])
	}
	info, err := os.Stat(file)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o644), info.Mode().Perm(), "the collector is somebody else")
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	assert.Len(t, entries, 5, "nothing is left beside it")

	var rules struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr string
			}
		}
	}
	require.NoError(t, yaml.Unmarshal([]byte(fileText(t, operate+"/alerts.yml")), &rules))
	require.NotEmpty(t, rules.Groups)
	for _, r := range rules.Groups[0].Rules {
		series := regexp.MustCompile(`jobeffekt_[a-z_]+`).FindAllString(r.Expr, -1)
		assert.NotEmpty(t, series, r.Alert)
		for _, s := range series {
			assert.True(t, slices.Contains(told, s), "%s asks for %s", r.Alert, s)
		}
	}
}
