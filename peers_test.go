package jobeffekt_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/municipal"
	"github.com/jobeffekt/jobeffekt/effect/peer"
	"github.com/jobeffekt/jobeffekt/ingest"
)

// demoPeers is the key peers of the demonstration, to be replaced.
const demoPeers = "  conditions: [unemployment_pct, low_education_pct, non_western_pct]\n  year: 2007\n  k: 8\n"

// tableOf reads a table of a dataset that lies in one file, and says in which.
func tableOf(t *testing.T, data, name string) (*ingest.Table, string) {
	t.Helper()
	path := filepath.Join(data, name+".parquet")
	if parts, _ := filepath.Glob(filepath.Join(data, name, "*.parquet")); len(parts) > 0 {
		require.Len(t, parts, 1)
		path = parts[0]
	}
	table, err := ingest.ReadTable(context.Background(), path, ingest.DefaultLimits())
	require.NoError(t, err)
	return table, path
}

// names are the texts of a column.
func names(c *ingest.Column) []string {
	if c.Factor == nil {
		return slices.Clone(c.Texts)
	}
	var out []string
	for i := range c.Factor.Codes {
		out = append(out, c.Factor.At(i))
	}
	return out
}

// edited copies a dataset with one table changed.
func edited(t *testing.T, data, name string, change func(*ingest.Table)) string {
	t.Helper()
	out := t.TempDir()
	require.NoError(t, os.CopyFS(out, os.DirFS(data)))
	table, path := tableOf(t, out, name)
	change(table)
	var b bytes.Buffer
	require.NoError(t, table.WriteParquet(&b))
	require.NoError(t, os.WriteFile(path, b.Bytes(), 0o600))
	return out
}

// in2007 is the row of a municipality in 2007, in the table municipalities.
func in2007(m *ingest.Table, id string) int {
	for i, other := range names(m.Column("municipality")) {
		if other == id && m.Column("year").Ints[i] == 2007 {
			return i
		}
	}
	return -1
}

// setNames replaces the texts of a column.
func setNames(c *ingest.Column, to []string) { c.Texts, c.Factor = to, nil }

func choose(t *testing.T, peers string, data ...string) (*jobeffekt.PeerChoice, error) {
	t.Helper()
	c := edge(t, demoPeers, peers)
	if len(data) > 0 {
		c.Data = data[0]
	}
	return jobeffekt.ChoosePeers(context.Background(), c)
}

// of are the peers of a municipality, the nearest first.
func of(p *jobeffekt.PeerChoice, m string) (out []string) {
	for _, x := range p.Peers {
		if x.Municipality == m {
			out = append(out, x.Peer)
		}
	}
	return out
}

// Each way from the run file, with its tables.
func TestWaysOfChoosingPeers(t *testing.T) {
	all := []string{"unemployment_pct", "low_education_pct", "non_western_pct"}
	conditions := "  conditions: [" + strings.Join(all, ", ") + "]\n  year: 2007\n"
	said, err := choose(t, "  by: euclidean\n"+conditions+"  k: 8\n")
	require.NoError(t, err)
	leftOut, err := choose(t, conditions+"  k: 8\n")
	require.NoError(t, err)
	assert.Equal(t, leftOut, said)
	assert.Len(t, said.PeerConditions, 12*8*3)
	assert.Len(t, said.PeerStability, 12*3)
	for _, s := range said.PeerStability {
		j := slices.Index(all, s.LeftOut)
		fewer, err := choose(t, fmt.Sprintf("  conditions: [%s]\n  year: 2007\n  k: 8\n", strings.Join(slices.Delete(slices.Clone(all), j, j+1), ", ")))
		require.NoError(t, err)
		before, after := of(said, s.Municipality), of(fewer, s.Municipality)
		kept := 0.0
		for _, p := range after {
			if slices.Contains(before, p) {
				kept++
			} else {
				assert.Contains(t, strings.Split(s.Gained, ";"), p)
			}
		}
		assert.Equal(t, kept, s.Kept)
		assert.Empty(t, s.Refusal)
	}
	for i, row := range said.PeerConditions {
		assert.Equal(t, said.Peers[i/3].Peer, row.Peer)
	}
	squares := 0.0
	for _, row := range said.PeerConditions[:3] {
		squares += row.Difference * row.Difference
	}
	assert.InEpsilon(t, said.Peers[0].Distance, math.Sqrt(squares), 1e-8, "the differences make the distance")

	other, err := choose(t, "  by: mahalanobis\n"+conditions+"  k: 8\n")
	require.NoError(t, err)
	assert.Len(t, other.Peers, 12*8)
	assert.Equal(t, peer.Mahalanobis, other.Peers[0].By)
	assert.NotEqual(t, of(said, "751"), of(other, "751"))

	clustered, err := choose(t, "  by: ward\n  conditions: [low_education_pct]\n  year: 2007\n  clusters: 2\n")
	require.NoError(t, err)
	for _, p := range clustered.Peers {
		assert.Contains(t, of(clustered, p.Peer), p.Municipality, "in a cluster all are each other's")
	}
	assert.Equal(t, []string{"851", "561", "657", "621"}, of(clustered, "751"), "those under 27 per cent")

	// The expected share: a line through the others on the conditions.
	expected, err := choose(t, "  by: expected_share\n"+conditions+"  share: benefit_pct\n  k: 5\n", withBenefits(t))
	require.NoError(t, err)
	assert.Len(t, expected.Peers, 12*5)
	table, _ := tableOf(t, withBenefits(t), "municipalities")
	var rows []municipal.Municipality
	for i, id := range names(table.Column("municipality")) {
		m := municipal.Municipality{Name: id, Observed: table.Column("benefit_pct").Floats[i]}
		for _, name := range all {
			m.Conditions = append(m.Conditions, table.Column(name).Floats[i])
		}
		if table.Column("year").Ints[i] == 2007 {
			rows = append(rows, m)
		}
	}
	shares, err := municipal.Expect(rows, all, municipal.DefaultExpect())
	require.NoError(t, err)
	share := map[string]float64{}
	for i, m := range rows {
		share[m.Name] = shares[i].Share
	}
	for _, p := range expected.Peers {
		assert.InDelta(t, math.Abs(share[p.Municipality]-share[p.Peer]), p.Distance, 1e-8)
		nearer := 0
		for m, x := range share {
			if m != p.Municipality && math.Abs(x-share[p.Municipality]) < p.Distance-1e-8 {
				nearer++
			}
		}
		assert.EqualValues(t, p.Rank, nearer+1)
	}
	assert.Len(t, expected.PeerStability, 12*3, "the line is fitted again without each")
	assert.Len(t, expected.PeerConditions, 12*5*4)

	given, err := choose(t, "  by: expected_share\n  expected: benefit_pct\n  year: 2007\n  k: 5\n", withBenefits(t))
	require.NoError(t, err)
	assert.Empty(t, given.PeerStability)
	assert.Equal(t, peer.ExpectedCondition, given.PeerConditions[0].Condition)
	assert.Len(t, given.PeerConditions, 12*5)

	listed, err := choose(t, "  list: {'751': ['851', '561', '615', '730']}\n")
	require.NoError(t, err)
	assert.Equal(t, []string{"851", "561", "615", "730"}, of(listed, "751"))
	assert.Equal(t, peer.Listed, listed.Peers[0].By)
	assert.Empty(t, listed.PeerConditions)
	assert.Empty(t, listed.PeerStability)

	// Under the least size nobody is a peer, but has some.
	large, err := choose(t, conditions+"  k: 5\n  min_size: 90000\n  exclude: ['851']\n")
	require.NoError(t, err)
	population := map[string]float64{}
	demoTable, _ := tableOf(t, filepath.Join(demo, "data"), "municipalities")
	for i, id := range names(demoTable.Column("municipality")) {
		population[id] = float64(demoTable.Column("population").Ints[i])
	}
	smallest := ""
	for _, p := range large.Peers {
		assert.GreaterOrEqual(t, population[p.Peer], 90000.0)
		assert.NotEqual(t, "851", p.Peer)
		if population[p.Municipality] < 90000 {
			smallest = p.Municipality
		}
	}
	assert.NotEmpty(t, smallest)
}

// withBenefits is the demonstration's dataset with a share of citizens on benefits,
// which is invented.
func withBenefits(t *testing.T) string {
	return edited(t, filepath.Join(demo, "data"), "municipalities", func(m *ingest.Table) {
		var share []float64
		for i, u := range m.Column("unemployment_pct").Floats {
			share = append(share, 2+0.5*u+0.03*m.Column("low_education_pct").Floats[i]+math.Sin(float64(7*i)))
		}
		m.Columns = append(m.Columns, ingest.Column{Name: "benefit_pct", Floats: share})
	})
}

func TestPeersThatCannotBeChosen(t *testing.T) {
	data, err := filepath.Abs(filepath.Join(demo, "data"))
	require.NoError(t, err)
	conditions := func(change func(*ingest.Table)) string { return edited(t, data, "municipalities", change) }
	only := "  conditions: [unemployment_pct, low_education_pct]\n  year: 2007\n"
	for _, x := range []struct {
		peers, data string
		want        []string
	}{
		{"  conditions: [unemployment_pct, low_educaton_pct]\n  year: 2007\n  k: 4\n", data, []string{`no municipality has the framework condition "low_educaton_pct" in 2007; did you mean "low_education_pct"?`}},
		{"  conditions: [unemployment_pct]\n  year: 2011\n  k: 4\n", data, []string{"table municipalities has no framework conditions for 2011"}},
		{"  by: expected_share\n  conditions: [unemployment_pct]\n  share: benefits\n  year: 2007\n  k: 4\n", data, []string{`no municipality has the framework condition "benefits" in 2007`}},
		{"  by: expected_share\n  expected: benefits\n  year: 2007\n  k: 4\n", data, []string{`no municipality has the framework condition "benefits" in 2007`}},
		{only + "  k: 4\n", conditions(func(m *ingest.Table) {
			m.Column("unemployment_pct").Floats[in2007(m, "751")] = math.NaN()
			m.Column("low_education_pct").Floats[in2007(m, "851")] = math.NaN()
			m.Column("year").Ints[in2007(m, "561")] = 2012
		}), []string{"municipality 561 has cases but no framework conditions for 2007"}},
		{only + "  k: 4\n", conditions(func(m *ingest.Table) {
			m.Column("unemployment_pct").Floats[in2007(m, "751")] = math.NaN()
			m.Column("low_education_pct").Floats[in2007(m, "851")] = math.NaN()
		}), []string{"municipality 751 has no value of unemployment_pct", "municipality 851 has no value of low_education_pct"}},
		{only + "  k: 12\n", data, []string{"municipality 461 has 11 candidates where 12 peers are asked for", "municipality 851 has 11 candidates"}},
		{only + "  k: 4\n  min_size: 1e9\n", data, []string{"municipality 751 has 0 candidates where 4 peers are asked for"}},
		{only + "  k: 4\n  exclude: ['999']\n", data, []string{"excluded municipality 999 is not in the table of municipalities"}},
		{"  by: ward\n" + only + "  clusters: 6\n", data, []string{"that can be peers: too few for", "who need 4 others"}},
		{"  by: ward\n" + only + "  clusters: 13\n", data, []string{"12 municipalities cannot be cut into 13 clusters"}},
		{"  by: mahalanobis\n  conditions: [unemployment_pct, low_education_pct, sum]\n  year: 2007\n  k: 4\n", conditions(func(m *ingest.Table) {
			c := ingest.Column{Name: "sum"}
			for i, u := range m.Column("unemployment_pct").Floats {
				c.Floats = append(c.Floats, u+m.Column("low_education_pct").Floats[i])
			}
			m.Columns = append(m.Columns, c)
		}), []string{"sum is a combination of unemployment_pct, low_education_pct"}},
		{"  conditions: [unemployment_pct, same]\n  year: 2007\n  k: 4\n", conditions(func(m *ingest.Table) {
			m.Columns = append(m.Columns, ingest.Column{Name: "same", Floats: slices.Repeat([]float64{3}, m.Rows())})
		}), []string{"same is the same in every municipality"}},
		{"  by: expected_share\n  conditions: [unemployment_pct, same]\n  share: low_education_pct\n  year: 2007\n  k: 4\n", conditions(func(m *ingest.Table) {
			m.Columns = append(m.Columns, ingest.Column{Name: "same", Floats: slices.Repeat([]float64{3}, m.Rows())})
		}), []string{"expected shares", "nothing can be told from it: same"}},
		{"  list: {'75': ['851', '561', '615', '730']}\n", data, []string{"municipality 75, which is given peers, has neither participations in the cohort nor peer_strata"}},
		{"  list: {'751': ['851', '561', '615', '998', '999']}\n", data, []string{"municipality 998, a peer of 751, has neither", "municipality 999, a peer of 751, has neither"}},
	} {
		_, err := choose(t, x.peers, x.data)
		for _, want := range x.want {
			assert.ErrorContains(t, err, want)
		}
	}
	_, err = jobeffekt.ChoosePeers(context.Background(), edge(t, "peers:", "", demoPeers, ""))
	assert.ErrorContains(t, err, "the run file has no key peers")
}

// Keys that do not go together, all of them at once.
func TestPeersThatContradict(t *testing.T) {
	file := func(text string) []byte {
		return []byte("data: d\nout: o\nas_of: 2010-01-01\ncohort: {period: 2009}\noutcomes: [{name: a, kind: state_at, states: [ordinary_employment], at: 6 months}]\ncompare: {covariates: [age]}\n" + text)
	}
	for text, want := range map[string][]string{
		"peers: {}":                      {"give either conditions, year and k, or a list"},
		"peers: {conditions: [a], k: 4}": {"choosing peers by framework conditions needs conditions, year and k"},
		"peers: {by: near}":              {"peers.by"},
		"peers: {by: ward, conditions: [a], year: 2007, k: 4}":                     {"choosing peers by ward needs conditions, year and clusters", "peers.k: this does not go with peers by ward"},
		"peers: {by: ward, conditions: [a], year: 2007, clusters: 1}":              {"give 2 clusters or more"},
		"peers: {by: mahalanobis, conditions: [a], year: 2007, k: 4, clusters: 3}": {"peers.clusters: this does not go with peers by mahalanobis"},
		"peers: {conditions: [a, a], year: 2007, k: 4, exclude: [x, x]}":           {"peers.conditions[1]: a stands twice", "peers.exclude[1]: x stands twice"},
		"peers: {conditions: [a], year: 2007, k: 4, share: b}":                     {"peers.share: this does not go with peers by euclidean"},
		"peers: {by: expected_share, conditions: [a], year: 2007, k: 4}":           {"choosing peers by expected_share needs conditions, share, year and k; or expected, year and k"},
		"peers: {by: expected_share, conditions: [a], share: a, year: 2007, k: 4}": {"a is a framework condition too, and would explain itself"},
		"peers: {by: expected_share, expected: e, conditions: [a], year: 1, k: 4}": {"peers.conditions: this does not go with peers by expected_share"},
		"peers: {by: expected_share, expected: e, k: 4}":                           {"choosing peers by expected_share needs expected, year and k"},
		"peers: {list: {a: [b, c, d, e]}, exclude: [f], min_size: 5}":              {"peers.exclude: this does not go with peers by list", "peers.min_size: this does not go"},
		"peers: {conditions: [a], year: 2007, k: 4, min_size: -1}":                 {"a population is 0 or more"},
		"areas: {A: [x, y], B: [y, z, z]}":                                         {"areas.B[0]: municipality y is in area A already", "areas.B[2]: municipality z stands twice"},
		"areas: {\"A\\u001b[2J\": [x, y]}":                                         {"stands on one line, without control characters"},
		"areas: {C: []}":                                                           {"areas.C: the list is empty"},
		"areas: {x: [y, z], A: [x, w]}":                                            {"areas.x: an area cannot have the name of municipality x, which is in area A"},
		"areas: {A: [x, y]}\npeers: {conditions: [a], year: 2007, k: 4, exclude: [x]}": {
			"peers.exclude[0]: municipality x is in area A; name the area",
		},
		"areas: {A: [A, y]}\npeers: {list: {y: [A, b, c, d]}}": {"peers.list.y: municipality y is in area A; name the area"},
		"areas: {A: [x, y]}\npeers: {list: {a: [A, b, c, y]}}": {"peers.list.a[3]: municipality y is in area A; name the area"},
	} {
		_, err := jobeffekt.ParseConfig("f", file(text+"\n"))
		for _, w := range want {
			assert.ErrorContains(t, err, w, text)
		}
	}
	for _, text := range []string{
		"peers: {by: ward, conditions: [a], year: 2007, clusters: 3, min_size: 1000, exclude: [b]}",
		"peers: {by: expected_share, conditions: [a], share: b, year: 2007, k: 4, min_size: 1000}",
		"peers: {by: expected_share, expected: b, year: 2007, k: 4, recorded: p.yaml}",
		"peers: {list: {a: [b, c, d, e]}, recorded: p.yaml}",
		"areas: {A: [A, y], B: [b, c]}\npeers: {list: {a: [A, B, c1, d]}}",
	} {
		_, err := jobeffekt.ParseConfig("f", file(text+"\n"))
		assert.NoError(t, err, text)
	}
}

// A choice that was recorded holds the run to it.
func TestRecordedPeers(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	c := job(t, "  k: 8\n", "  k: 8\n  recorded: chosen.yaml\n", "terms: [terms.yaml]", "")
	_, err := jobeffekt.Run(ctx, c)
	require.ErrorIs(t, err, jobeffekt.ErrConfig)
	assert.ErrorContains(t, err, "there is no chosen.yaml: no choice of peers is recorded yet")
	assert.ErrorContains(t, jobeffekt.Check(ctx, c), "no choice of peers is recorded yet")

	chosen, err := jobeffekt.ChoosePeers(ctx, c)
	require.NoError(t, err)
	assert.Contains(t, chosen.Text(c), "Not recorded.")
	_, _, err = jobeffekt.RecordPeers(c, chosen, "", "controller", 0)
	require.ErrorIs(t, err, jobeffekt.ErrConfig)
	day := effect.NewDate(2010, 6, 1)
	entry, path, err := jobeffekt.RecordPeers(c, chosen, `N. "N." Å`, "controller", day)
	require.NoError(t, err)
	assert.Equal(t, filepath.Join(filepath.Dir(c.Path), "chosen.yaml"), path)
	require.NoError(t, jobeffekt.Check(ctx, c))

	r, err := jobeffekt.Run(ctx, c)
	require.NoError(t, err)
	require.Equal(t, fmt.Sprint(chosen.Peers), fmt.Sprint(r.Peers), "what was shown is what is used")
	assert.Equal(t, entry, r.Recorded)
	assert.Contains(t, r.Summary(), "The peers were recorded on 2010-06-01 by N. \"N.\" Å (controller); as_of is 2010-06-30. By then results could be seen: the cohort's first window ended on 2008-")
	m, err := jobeffekt.ReadManifest(c.ResultsFolder())
	require.NoError(t, err)
	require.Len(t, m.Recorded, 1)
	assert.Equal(t, "../chosen.yaml", m.Recorded[0].Path)
	d, err := jobeffekt.Verify(ctx, c.ResultsFolder())
	require.NoError(t, err)
	assert.Empty(t, d)
	again, err := jobeffekt.RunStep(ctx, c, jobeffekt.StepBenchmark)
	require.NoError(t, err)
	assert.Equal(t, r.Recorded, again.Recorded)

	before := *r
	choice := *r.Recorded
	choice.On = effect.NewDate(2007, 12, 31)
	before.Recorded = &choice
	assert.Contains(t, before.Summary(), "The peers were recorded on 2007-12-31 by N. \"N.\" Å (controller); as_of is 2010-06-30.\n")

	// Before as_of, every time: a later record says so.
	early := *c
	early.AsOf = effect.NewDate(2010, 5, 31)
	early.Out = "early"
	r, err = jobeffekt.Run(ctx, &early)
	require.NoError(t, err)
	assert.Contains(t, r.Summary(), "That is after as_of, 2010-05-31, when results could be seen already.")

	// Other peers, other conditions: named.
	other := *c
	peers := *c.Peers
	peers.K, peers.Exclude = 7, []string{"851"}
	other.Peers = &peers
	_, err = jobeffekt.Run(ctx, &other)
	require.ErrorIs(t, err, jobeffekt.ErrPeersChanged)
	assert.ErrorContains(t, err, "the choice of 2010-06-01 by N. \"N.\" Å (controller) in chosen.yaml has other values of k, exclude and other peers for 461, 540, 561")
	changed, err := jobeffekt.ChoosePeers(ctx, &other)
	require.NoError(t, err)
	assert.Contains(t, changed.Text(&other), "Not as recorded: the choice of 2010-06-01")

	// One municipality's conditions change, and with them the peers of some.
	moved := *c
	moved.Data = edited(t, c.Data, "municipalities", func(m *ingest.Table) {
		m.Column("unemployment_pct").Floats[in2007(m, "751")] += 0.5
	})
	_, err = jobeffekt.Evaluate(ctx, open(t, &moved), &moved)
	require.ErrorIs(t, err, jobeffekt.ErrPeersChanged)
	assert.NotContains(t, err.Error(), "other values")

	// The new choice is recorded; the older one stays in the file; the latest day counts.
	_, _, err = jobeffekt.RecordPeers(&other, changed, "M. M.", "controller", day+1)
	require.NoError(t, err)
	_, err = jobeffekt.Run(ctx, c)
	require.ErrorIs(t, err, jobeffekt.ErrPeersChanged)
	all, err := jobeffekt.ParseChoices("chosen.yaml", read(t, path))
	require.NoError(t, err)
	require.Len(t, all.Choices, 2)
	assert.Equal(t, *entry, all.Choices[0])
	assert.Equal(t, "M. M.", all.Latest().Name)
	d, err = jobeffekt.Verify(ctx, c.ResultsFolder())
	require.NoError(t, err)
	assert.Equal(t, []jobeffekt.Difference{{Path: "../chosen.yaml", What: "changed since the results were written"}}, d)
	_, _, err = jobeffekt.RecordPeers(c, chosen, "K. K.", "controller", day)
	require.NoError(t, err)
	_, err = jobeffekt.ChoosePeers(ctx, c)
	require.NoError(t, err)
	all, err = jobeffekt.ParseChoices("chosen.yaml", read(t, path))
	require.NoError(t, err)
	assert.Equal(t, "M. M.", all.Latest().Name, "an earlier day does not count, wherever it stands")

	// Whoever touches what was recorded is found out.
	touched := strings.Replace(string(read(t, path)), `"461": ["630"`, `"461": ["631"`, 1)
	require.NoError(t, os.WriteFile(path, []byte(touched), 0o600))
	_, err = jobeffekt.Run(ctx, c)
	assert.ErrorContains(t, err, "choices[0].sha256: the choice does not read as it did when it was recorded")
	_, err = jobeffekt.ParseChoices("f", []byte("choices: []\n"))
	assert.ErrorContains(t, err, "choices: the list is empty")
}

// What is written is what is read, for every way of declaring peers.
func TestRecordedEntriesReadBack(t *testing.T) {
	for _, peers := range []string{
		"  by: ward\n  conditions: [low_education_pct]\n  year: 2007\n  clusters: 2\n  min_size: 0.5\n",
		"  by: expected_share\n  conditions: [unemployment_pct]\n  share: low_education_pct\n  year: 2007\n  k: 4\n  exclude: ['851', '561']\n",
		"  by: expected_share\n  expected: low_education_pct\n  year: 2007\n  k: 4\n",
		"  list: {'751': ['851', '561', '615', 'North & South']}\nareas:\n  \"North & South\": ['740', '730']\n  '461': ['461']\n",
	} {
		c := edge(t, demoPeers, peers)
		chosen, err := jobeffekt.ChoosePeers(context.Background(), c)
		require.NoError(t, err)
		entry, path, err := jobeffekt.RecordPeers(c, chosen, "N", "R", effect.NewDate(2009, 1, 1))
		require.NoError(t, err)
		assert.Equal(t, jobeffekt.ChoicesName, filepath.Base(path))
		all, err := jobeffekt.ParseChoices("f", read(t, path))
		require.NoError(t, err)
		assert.Equal(t, entry.Canonical(), all.Choices[0].Canonical())
		assert.Equal(t, entry.Text(), all.Choices[0].Text())
		chosen, err = jobeffekt.ChoosePeers(context.Background(), c)
		require.NoError(t, err)
		assert.Contains(t, chosen.Text(c), "Recorded on 2009-01-01 by N (R).\nRuns do not look at it")
		assert.Equal(t, len(c.Peers.List) == 0, strings.Contains(chosen.Text(c), "the nearest first, with the distance"), "a list has neither")
	}
}

// merged is a dataset in which somebody has put areas in place of municipalities
// beforehand: in every table, populations summed and conditions weighted.
func merged(t *testing.T, data string, area map[string]string) string {
	t.Helper()
	for _, name := range []string{"participations", "caseload"} {
		data = edited(t, data, name, func(p *ingest.Table) {
			to := names(p.Column("municipality"))
			for i, m := range to {
				if a, in := area[m]; in {
					to[i] = a
				}
			}
			setNames(p.Column("municipality"), to)
		})
	}
	ds, err := ingest.OpenFolder(data, ingest.DefaultOptions())
	require.NoError(t, err)
	expenses, err := ingest.Rows[ingest.Expense](context.Background(), ds)
	require.NoError(t, err)
	amounts := map[ingest.Expense]float64{}
	for _, e := range expenses {
		x, err := strconv.ParseFloat(e.Amount, 64)
		require.NoError(t, err)
		require.Equal(t, x, math.Trunc(x), "sums of whole numbers are exact")
		if a, in := area[e.Municipality]; in {
			e.Municipality = a
		}
		e.Amount = ""
		amounts[e] += x
	}
	expenses = nil
	for e, x := range amounts {
		e.Amount = strconv.FormatFloat(x, 'f', -1, 64)
		expenses = append(expenses, e)
	}
	data = withSpend(t, data, expenses...)
	return edited(t, data, "municipalities", func(m *ingest.Table) {
		ids, years, people, called := names(m.Column("municipality")), m.Column("year").Ints, m.Column("population").Ints, names(m.Column("name"))
		type place struct {
			id   string
			year int64
		}
		rows, sums, places := []int{}, map[place]int64{}, []place{}
		for i, id := range ids {
			if a, in := area[id]; in {
				ids[i], called[i] = a, a
			}
			p := place{ids[i], years[i]}
			if places = append(places, p); sums[p] == 0 {
				rows = append(rows, i)
			}
			sums[p] += people[i]
		}
		for k := range m.Columns {
			if c := &m.Columns[k]; c.Floats != nil {
				means := map[place]float64{}
				for i, v := range c.Floats {
					means[places[i]] += v * float64(people[i]) / float64(sums[places[i]])
				}
				for i := range c.Floats {
					c.Floats[i] = effect.Round(means[places[i]])
				}
			}
		}
		for i := range people {
			people[i] = sums[places[i]]
		}
		setNames(m.Column("municipality"), ids)
		setNames(m.Column("name"), called)
		*m = *m.Take(rows)
	})
}

// Areas in the run file are what a dataset gives in which they were put in place
// of municipalities beforehand, to the byte, in any order of rows; and every case
// of a member is the area's.
func TestAreas(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	change := []string{
		"    - {covariate: education}", "    - {covariate: referral_month}\n    - {covariate: elapsed_benefit_weeks, cuts: [52]}",
		"    - {covariate: age, cuts: [30, 50]}", "", "also: [own_projects]", "also: [own_projects, without_offer]",
		"by_package: true", "max_uncovered: 0.5", "  k: 8\n", "  k: 6\n", "peers:", "spending: {outcome: employed_26w}\n" +
			"ranking: [{name: r, observed: on_benefit_pct, conditions: [unemployment_pct, low_education_pct], year: 2008, better: low, weight: population}]\npeers:",
	}
	area := map[string]string{"740": "Midt", "615": "Midt", "657": "Midt", "561": "561", "621": "561"}
	plain := edge(t, change...)
	data := withCaseload(t, plain.Data)
	areas := func(data string) *jobeffekt.Config {
		c := edge(t, append(change, "compare:\n", "areas:\n  Midt: ['740', '615', '657']\n  '561': ['561', '621']\n\ncompare:\n")...)
		c.Data = data
		return c
	}
	c := areas(data)
	r, err := jobeffekt.Run(ctx, c)
	require.NoError(t, err)
	got := results(t, c)

	plain.Data = merged(t, data, area)
	_, err = jobeffekt.Run(ctx, plain)
	require.NoError(t, err)
	want := results(t, plain)
	counts := func(x map[string]string) map[string]string {
		// The rows of municipalities that were read are those of the members.
		delete(x, "counts.parquet")
		delete(x, "summary.txt")
		return x
	}
	assert.Equal(t, counts(want), counts(maps.Clone(got)))

	require.Len(t, r.Rankings, 9)
	require.NotEmpty(t, r.Spending)
	n := map[string]int64{}
	for _, a := range r.Observations.Attrition {
		if a.Step == effect.StepRead && a.Outcome == "employed_26w" {
			n[a.Municipality] += a.N
		}
	}
	for m, a := range area {
		if m != a {
			assert.NotContains(t, n, m)
		}
	}
	members := map[string]int64{}
	participations, _ := tableOf(t, data, "participations")
	for _, m := range names(participations.Column("municipality")) {
		if a, in := area[m]; in {
			m = a
		}
		members[m]++
	}
	assert.Equal(t, members, n)
	assert.Contains(t, of(&r.PeerChoice, "751"), "561")

	other := areas(edited(t, data, "participations", func(p *ingest.Table) {
		order := make([]int, p.Rows())
		for i := range order {
			order[i] = (i*7919 + 13) % len(order)
		}
		*p = *p.Take(order)
	}))
	_, err = jobeffekt.Run(ctx, other)
	require.NoError(t, err)
	assert.Equal(t, got, results(t, other))
}

// Strata of the members add up.
func TestAreasOfStrata(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	base := edge(t)
	_, err := jobeffekt.RunStep(ctx, base, jobeffekt.StepMeasure)
	require.NoError(t, err)
	strata, err := ingest.ReadTable(ctx, filepath.Join(base.ResultsFolder(), "peer_strata.parquet"), ingest.DefaultLimits())
	require.NoError(t, err)
	// The strata of 851 and 730 come from two municipalities that nobody has records of.
	var rows []int
	ids := names(strata.Column("municipality"))
	for i, m := range ids {
		if m == "851" || m == "730" {
			ids[i] = map[string]string{"851": "X", "730": "Y"}[m]
			rows = append(rows, i)
		}
	}
	setNames(strata.Column("municipality"), ids)
	parts := strata.Take(rows)
	list := "  list: {'751': ['561', '615', '740', '657', 'X', 'Y']}\n"
	apart := edge(t, demoPeers, list)
	apart.Data = t.TempDir()
	require.NoError(t, os.CopyFS(apart.Data, os.DirFS(base.Data)))
	write := func(folder string, x *ingest.Table) {
		var b bytes.Buffer
		require.NoError(t, x.WriteParquet(&b))
		require.NoError(t, os.WriteFile(filepath.Join(folder, "peer_strata.parquet"), b.Bytes(), 0o600))
	}
	write(apart.Data, parts)
	joined := edge(t, demoPeers, strings.Replace(list, "'X', 'Y'", "Z", 1)+"areas: {Z: [X, Y]}\n")
	joined.Data = apart.Data
	got, err := jobeffekt.Evaluate(ctx, open(t, joined), joined)
	require.NoError(t, err)
	z := 0
	for _, e := range got.Estimates {
		if e.Municipality == "751" && e.Comparators == effect.Peers {
			z++
		}
	}
	assert.Positive(t, z)

	// The same strata with the name of the area on every line, added by hand.
	type key [9]string
	var keys []key
	sums, at := map[key][3]float64{}, map[key]int{}
	columns := []string{"match_scheme", "match_group", "outcome", "period"}
	for _, c := range parts.Columns {
		if !slices.Contains(columns, c.Name) && !slices.Contains([]string{"municipality", "n", "sum", "sum_squares"}, c.Name) {
			columns = append(columns, c.Name)
		}
	}
	require.LessOrEqual(t, len(columns), len(key{}))
	for i := range parts.Rows() {
		var k key
		for j, name := range columns {
			k[j] = cell(parts.Column(name), i)
		}
		s, known := sums[k]
		if !known {
			keys, at[k] = append(keys, k), i
		}
		s[0] += float64(parts.Column("n").Ints[i])
		s[1] += parts.Column("sum").Floats[i]
		s[2] += parts.Column("sum_squares").Floats[i]
		sums[k] = s
	}
	require.Less(t, len(keys), parts.Rows(), "some lines add up")
	var first []int
	for _, k := range keys {
		first = append(first, at[k])
	}
	added := parts.Take(first)
	setNames(added.Column("municipality"), slices.Repeat([]string{"Z"}, len(keys)))
	for i, k := range keys {
		added.Column("n").Ints[i], added.Column("sum").Floats[i], added.Column("sum_squares").Floats[i] = int64(sums[k][0]), sums[k][1], sums[k][2]
	}
	byHand := edge(t, demoPeers, strings.Replace(list, "'X', 'Y'", "Z", 1))
	byHand.Data = t.TempDir()
	require.NoError(t, os.CopyFS(byHand.Data, os.DirFS(base.Data)))
	write(byHand.Data, added)
	want, err := jobeffekt.Evaluate(ctx, open(t, byHand), byHand)
	require.NoError(t, err)
	same(t, want.Estimates, got.Estimates)
}

func TestAreasThatCannotBeMerged(t *testing.T) {
	data, err := filepath.Abs(filepath.Join(demo, "data"))
	require.NoError(t, err)
	for _, x := range []struct {
		areas, data string
		want        []string
	}{
		{"{A: ['751', '999'], B: ['998']}", data, []string{"areas.A: municipality 999 is in none of the tables", "areas.B: municipality 998 is in none"}},
		{"{'851': ['751', '561']}", data, []string{"areas.851: the dataset has a municipality of this name that is not in the area"}},
		{"{A: ['751', '851'], B: ['561', '461']}", edited(t, data, "municipalities", func(m *ingest.Table) {
			m.Column("population").Ints[in2007(m, "751")] = 0
			m.Column("population").Ints[in2007(m, "461")] = -5
			m.Column("year").Ints[in2007(m, "851")] = 2012
		}), []string{
			"areas.A: the population of municipality 751 in 2007 is not above 0", "areas.B: the population of municipality 461 in 2007",
			"areas.A: municipality 851 has no framework conditions for 2007",
		}},
		{"{A: ['751', '851']}", edited(t, data, "municipalities", func(m *ingest.Table) {
			m.Columns = slices.DeleteFunc(m.Columns, func(c ingest.Column) bool { return c.Name == "population" })
		}), []string{"areas.A: municipality 751 has no population in 2007 in table municipalities", "areas.A: municipality 851 has no population"}},
		{"{A: ['751', '851']}", edited(t, data, "municipalities", func(m *ingest.Table) {
			m.Column("unemployment_pct").Floats[in2007(m, "851")] = math.NaN()
		}), []string{"municipality A has no value of unemployment_pct"}},
	} {
		c := edge(t, "compare:\n", "areas: "+x.areas+"\n\ncompare:\n")
		c.Data = x.data
		_, err := jobeffekt.ChoosePeers(context.Background(), c)
		for _, want := range x.want {
			assert.ErrorContains(t, err, want)
		}
	}
}

// What members spent adds up exactly; what is not told is not nothing.
func TestAreasOfSpend(t *testing.T) {
	areas := jobeffekt.Areas{"A": {"1", "2"}, "3": {"3", "4"}}
	spent := func(m string, year int64, channel, amount string) ingest.Expense {
		return ingest.Expense{Municipality: m, Year: year, Channel: channel, Amount: amount}
	}
	rows := []ingest.Expense{
		spent("1", 2008, "own", "0.1"), spent("2", 2008, "own", "0.25"), spent("3", 2008, "own", "5"), spent("4", 2008, "own", "-7"), spent("9", 2008, "own", "3.50"),
	}
	got, err := areas.Expenses(rows)
	require.NoError(t, err)
	assert.Equal(t, []ingest.Expense{spent("3", 2008, "own", "-2"), spent("9", 2008, "own", "3.50"), spent("A", 2008, "own", "0.35")}, got)
	rows = append(rows, spent("1", 2009, "own", "1"), spent("3", 2008, "total", "1/3"))
	_, err = areas.Expenses(rows)
	assert.ErrorContains(t, err, "areas.A: table spend does not tell what municipality 2 spent in 2009 (own)")
	assert.ErrorContains(t, err, "areas.3: what municipality 3 spent in 2008 (total) is not a decimal")
}

// The examples in the document are run files, and name every key.
func TestExamplesOfPeers(t *testing.T) {
	text := string(read(t, filepath.Join("docs", "run-file.md")))
	blocks := regexp.MustCompile("(?s)```yaml\n((?:peers|areas):.*?)```").FindAllStringSubmatch(text, -1)
	require.Len(t, blocks, 8)
	for _, b := range blocks {
		_, err := jobeffekt.ParseConfig("run-file.md", []byte("data: d\nout: o\nas_of: 2010-01-01\ncohort: {period: 2009}\n"+
			"outcomes: [{name: a, kind: state_at, states: [ordinary_employment], at: 6 months}]\ncompare: {covariates: [age]}\n"+b[1]))
		assert.NoError(t, err, b[1])
	}
	keys := reflect.TypeFor[jobeffekt.Peers]()
	for i := range keys.NumField() {
		name, _, _ := strings.Cut(keys.Field(i).Tag.Get("yaml"), ",")
		assert.Contains(t, text, "| `"+name+"` |")
	}
	for _, name := range peer.By("").Names() {
		assert.Contains(t, text, "by: "+name)
	}
}
