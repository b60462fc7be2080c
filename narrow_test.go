package jobeffekt_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/ingest"
)

// peersByConditions is what the demonstration's run file says of peers.
const peersByConditions = `peers:                   # comparable municipalities: the 8 nearest
  conditions: [unemployment_pct, low_education_pct, non_western_pct]
  year: 2007
  k: 8
`

// alone is a job of the demonstration about some municipalities that pays nothing.
func alone(t *testing.T, municipalities string, change ...string) *jobeffekt.Config {
	t.Helper()
	return job(t, append([]string{"terms: [terms.yaml]", "", peersByConditions, "", "period: 2008 ", "municipalities: " + municipalities + "\n  period: 2008 "}, change...)...)
}

// TestArrange writes the demonstration anew. Every result of runs, over all and over
// two municipalities, is the same file as before.
func TestArrange(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	folder := filepath.Join(t.TempDir(), "arranged")
	source := job(t)
	tables, err := jobeffekt.Arrange(ctx, source, folder)
	require.NoError(t, err)
	written := map[string]bool{}
	for _, table := range tables {
		written[table.Name] = table.Rows > 0
		assert.Equal(t, table.Rows == 0, table.Files > 0)
	}
	assert.Equal(t, map[string]bool{"participations": true, "persons": true, "spells": true, "municipalities": false, "providers": false, "spend": false, "satisfaction": false, "inspections": false, "experience": false}, written)
	left, err := filepath.Glob(filepath.Join(filepath.Dir(folder), ".*"))
	require.NoError(t, err)
	assert.Empty(t, left)
	assert.NoFileExists(t, filepath.Join(folder, "truth.parquet"))

	for _, municipalities := range []string{`["751", "461"]`, ""} {
		var all [2]map[string]string
		for k, data := range []string{source.Data, folder} {
			c := job(t, "terms: [terms.yaml]", "")
			if municipalities != "" {
				c = alone(t, municipalities)
			}
			c.Data = data
			_, err := jobeffekt.Run(ctx, c)
			require.NoError(t, err)
			all[k] = results(t, c)
			delete(all[k], jobeffekt.ManifestName)
		}
		assert.NotEmpty(t, all[0])
		assert.Equal(t, all[0], all[1])
	}

	_, err = jobeffekt.Arrange(ctx, &jobeffekt.Config{Data: "s3://bucket/data"}, t.TempDir())
	require.ErrorContains(t, err, "only a dataset in a folder")

	// The folder of another dataset, and that of the dataset, are left alone.
	_, err = jobeffekt.Arrange(ctx, source, folder)
	require.ErrorIs(t, err, jobeffekt.ErrNotEmpty)
	_, err = jobeffekt.Arrange(ctx, source, filepath.Join(source.Data, "arranged"))
	require.ErrorIs(t, err, jobeffekt.ErrConfig)
}

// TestArrangeFails leaves nothing behind: neither of data that cannot be read, nor
// of a run that is stopped.
func TestArrangeFails(t *testing.T) {
	source := job(t)
	parent := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := jobeffekt.Arrange(ctx, source, filepath.Join(parent, "a"))
	require.ErrorIs(t, err, context.Canceled)

	broken := t.TempDir()
	require.NoError(t, os.CopyFS(broken, os.DirFS(source.Data)))
	spells, err := filepath.Glob(filepath.Join(broken, "spells", "*.parquet"))
	require.NoError(t, err)
	b, err := os.ReadFile(spells[0])
	require.NoError(t, err)
	for i := 4; i < len(b)/2; i++ { // its pages, not its footer
		b[i] ^= 0x55
	}
	require.NoError(t, os.WriteFile(spells[0], b, 0o600))
	c := job(t)
	c.Data = broken
	_, err = jobeffekt.Arrange(context.Background(), c, filepath.Join(parent, "b"))
	require.Error(t, err)
	entries, err := os.ReadDir(parent)
	require.NoError(t, err)
	assert.Empty(t, entries)
}

// Cells of some municipalities alone are those of a run over all, where the reach of
// the registers is given; what is left out is told, and areas stand for their members.
func TestMunicipalitiesAlone(t *testing.T) {
	ctx := context.Background()
	reach := []string{"  fixed: [sex", "  registers_reach: 2010-06-30\n  fixed: [sex"}
	whole, err := jobeffekt.RunStep(ctx, job(t, append(reach, "terms: [terms.yaml]", "")...), jobeffekt.StepMeasure)
	require.NoError(t, err)
	own := func(o *effect.Observations, chosen ...string) (lines []effect.Attrition) {
		for _, a := range o.Attrition {
			for _, m := range chosen {
				if a.Municipality == m {
					lines = append(lines, a)
				}
			}
		}
		return lines
	}
	for _, given := range []struct{ key, areas string }{{`["751", 461]`, ""}, {`[Begge]`, `areas: {Begge: ["751", "461"], Nowhere: ["999"]}`}} {
		c := alone(t, given.key, append(reach, "peers:", given.areas+"\npeers:", "compare:", given.areas+"\ncompare:")...)
		r, err := jobeffekt.RunStep(ctx, c, jobeffekt.StepMeasure)
		require.NoError(t, err)
		if given.areas == "" {
			assert.Equal(t, own(whole.Observations, "461", "751"), own(r.Observations, "461", "751"))
			assert.Equal(t, []string{"461", "751"}, r.Observations.Cases.Municipality.Levels)
		} else {
			assert.Equal(t, []string{"Begge"}, r.Observations.Cases.Municipality.Levels)
		}
		first := r.Observations.Attrition[0]
		assert.Equal(t, effect.StepRead, first.Step)
		total := int64(r.Observations.Cases.Len())
		for _, count := range r.Counts {
			if count.Table == ingest.Participations && count.Name == ingest.CountElsewhere {
				total += count.Rows
				assert.Equal(t, first.N, count.Rows)
			}
		}
		assert.Equal(t, int64(whole.Observations.Cases.Len()), total)
	}
	_, err = jobeffekt.RunStep(ctx, alone(t, `["751", "0751", "75"]`), jobeffekt.StepMeasure)
	require.ErrorIs(t, err, jobeffekt.ErrConfig)
	assert.ErrorContains(t, err, "cohort.municipalities[1]: no participation that can be read in table participations is of 0751")
	assert.ErrorContains(t, err, "cohort.municipalities[2]: no participation that can be read in table participations is of 75;")
}

// What needs the citizens of others, or says nothing, is refused with its place.
func TestMunicipalitiesRefused(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(demo, "jobeffekt.yaml"))
	require.NoError(t, err)
	for _, of := range []struct {
		key, more string
		says      []string
	}{
		{`["751"]`, "", []string{"peers: with cohort.municipalities peers cannot be chosen", "before_after: with cohort.municipalities say which"}},
		{`["751", "751"]`, "", []string{"cohort.municipalities[1]: municipality 751 stands twice"}},
		{`[]`, "", []string{"cohort.municipalities: the list is empty"}},
		{`["751", ""]`, "", []string{"cohort.municipalities[1]: the value is empty"}},
		{`["751"]`, `areas: {Øst: ["751"]}`, []string{"cohort.municipalities[0]: municipality 751 is in area Øst; name the area"}},
	} {
		text := strings.Replace(string(b), "cohort:\n", "cohort:\n  municipalities: "+of.key+"\n", 1) + of.more
		_, err := jobeffekt.ParseConfig("jobeffekt.yaml", []byte(text))
		for _, text := range of.says {
			assert.ErrorContains(t, err, text)
		}
	}
	lists := strings.Replace(string(b), peersByConditions, "peers:\n  list: {\"751\": [\"851\", \"461\", \"561\"]}\n", 1)
	lists = strings.Replace(strings.Replace(lists, "cohort:\n", "cohort:\n  municipalities: [\"751\", \"851\", \"461\"]\n", 1), "  from: 2007-01-01\n", "  from: 2007-01-01\n  among: [\"157\"]\n", 1)
	_, err = jobeffekt.ParseConfig("jobeffekt.yaml", []byte(lists))
	assert.ErrorContains(t, err, "peers.list.751[2]: 561 is not in cohort.municipalities")
	assert.ErrorContains(t, err, "before_after.among[0]: 157 is not in cohort.municipalities")
	assert.NotContains(t, err.Error(), "peers.list.751[0]")
}
