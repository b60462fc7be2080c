package jobeffekt_test

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/effect/world"
)

// paidLine is a line as testdata/reference/paid_path.py works it out: kroner from
// the input tables, by code that shares nothing with this module.
type paidLine struct {
	Line     string
	Cases    int64
	Quantity float64
	Amount   int64    // kroner
	Shut     []string // diagnostics that keep the gate shut
	Refused  string
	Gate     map[string]float64
}

// The whole paid path, from participations and spells to kroner, is the same
// line by line as a second implementation makes it: of the demonstration, and of
// worlds and terms that were drawn, so that it is the rule that is held.
func TestPaidPath(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"demo", "2", "3", "5", "6"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile("testdata/reference/paid_path_" + name + ".json")
			require.NoError(t, err)
			var want struct {
				Total int64
				Lines []paidLine
			}
			require.NoError(t, json.Unmarshal(text, &want))
			require.NotEmpty(t, want.Lines)

			result, err := jobeffekt.Run(context.Background(), paidJob(t, name))
			require.NoError(t, err)
			got := result.Settlement
			require.NotNil(t, got)
			assert.Len(t, got.Lines, len(want.Lines))
			gates := map[string]map[string]float64{}
			for _, g := range got.Gate {
				if gates[g.Line] == nil {
					gates[g.Line] = map[string]float64{}
				}
				gates[g.Line][string(g.Diagnostic)] = g.Measured
			}
			lines, total := map[string]int{}, int64(0)
			for i, l := range got.Lines {
				lines[l.ID] = i
				total += int64(l.Amount)
			}
			assert.Equal(t, want.Total*100, total)
			if name == "demo" {
				assert.Equal(t, int64(3_140_233_00), total)
			}
			for _, w := range want.Lines {
				i, ok := lines[w.Line]
				if !assert.True(t, ok, w.Line) {
					continue
				}
				l := got.Lines[i]
				assert.Equal(t, w.Amount*100, int64(l.Amount), w.Line)
				assert.Equal(t, w.Cases, l.Cases, w.Line)
				if l.Clause != "cap" {
					quantity, err := strconv.ParseFloat(l.Quantity, 64)
					require.NoError(t, err)
					assert.InDelta(t, w.Quantity, quantity, 1e-6*math.Max(1, w.Quantity), w.Line)
				}
				if w.Refused != "" {
					assert.Contains(t, l.Reason, "refusal:"+w.Refused, w.Line)
				}
				for _, d := range w.Shut {
					assert.Contains(t, l.Reason, d, w.Line)
				}
				for d, x := range w.Gate {
					m, ok := gates[w.Line][d]
					assert.True(t, ok && math.Abs(m-x) <= 1e-7*math.Max(1, math.Abs(x)), "%s: %s is %v, and by the second implementation %v", w.Line, d, m, x)
				}
			}
		})
	}
}

// paidJob is the run file of a settlement that paid_path.py has worked out.
func paidJob(t *testing.T, name string) *jobeffekt.Config {
	t.Helper()
	folder, from := t.TempDir(), filepath.Join("testdata/paid", name)
	if name == "demo" {
		from = demo
	}
	for _, file := range []string{"jobeffekt.yaml", "terms.yaml", "terms.seal.yaml", "peers.choice.yaml"} {
		b, err := os.ReadFile(filepath.Join(from, file))
		if os.IsNotExist(err) && name != "demo" {
			continue
		}
		require.NoError(t, err)
		text := string(b)
		if name == "demo" && file == "jobeffekt.yaml" { // what nothing is paid on is left out
			text = strings.Replace(text, "methods: [balance, regression, strata]", "methods: [balance]", 1)
			for _, part := range [][2]string{{"\nviews:", "\nterms:"}, {"  - name: time_to_job", "\npeers:"}, {"  also: [own_projects]", "  by_package"}} {
				a := strings.Index(text, part[0])
				require.Positive(t, a, "the demonstration reads differently: %s", part[0])
				z := strings.Index(text[a:], part[1])
				require.Positive(t, z, "the demonstration reads differently: %s", part[1])
				text = text[:a] + text[a+z:]
			}
		}
		require.NoError(t, os.WriteFile(filepath.Join(folder, file), []byte(text), 0o600))
	}
	c, err := jobeffekt.LoadConfig(filepath.Join(folder, "jobeffekt.yaml"))
	require.NoError(t, err)
	if name == "demo" {
		c.Data, err = filepath.Abs(filepath.Join(demo, "data"))
		require.NoError(t, err)
		return c
	}
	// jobeffekt synth data --persons 4000 --municipalities 8 --provider-sd 0.8 --seed NAME
	o := world.Default()
	o.Persons, o.Municipalities, o.ProviderSD, o.Seed = 4000, 8, 0.8, uint64(name[0]-'0')
	require.NoError(t, jobeffekt.Synth(context.Background(), filepath.Join(folder, "data"), o, "751"))
	return c
}
