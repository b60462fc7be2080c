package jobeffekt_test

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/profile"
	"github.com/jobeffekt/jobeffekt/ingest"
)

// Of people who record at once each is in the file, or is told that it is busy.
func TestRecordersAtOnce(t *testing.T) {
	c := job(t, "  k: 8\n", "  k: 8\n  recorded: chosen.yaml\n")
	chosen, err := jobeffekt.ChoosePeers(context.Background(), c)
	require.NoError(t, err)
	var wg sync.WaitGroup
	errs := make([]error, 12)
	for i := range errs {
		wg.Go(func() {
			_, _, errs[i] = jobeffekt.RecordPeers(c, chosen, "N. N.", "controller", effect.NewDate(2010, 6, 1))
		})
	}
	wg.Wait()
	done := 0
	for _, err := range errs {
		if err == nil {
			done++
		} else {
			require.ErrorIs(t, err, jobeffekt.ErrBusy)
		}
	}
	all, err := jobeffekt.ParseChoices("chosen.yaml", read(t, filepath.Join(filepath.Dir(c.Path), "chosen.yaml")))
	require.NoError(t, err)
	assert.Len(t, all.Choices, done)
	assert.NotZero(t, done)
}

// What stands under the name of a file of choices and is none: named, before any
// spell is read.
func TestNoFileOfChoices(t *testing.T) {
	ctx := context.Background()
	c := job(t, "  k: 8\n", "  k: 8\n  recorded: chosen.yaml\n")
	chosen, err := jobeffekt.ChoosePeers(ctx, c)
	require.NoError(t, err)
	place := filepath.Join(filepath.Dir(c.Path), "chosen.yaml")
	try := func(want string) {
		t.Helper()
		_, err := jobeffekt.Run(ctx, c)
		require.ErrorIs(t, err, jobeffekt.ErrConfig)
		assert.ErrorContains(t, err, "peers.recorded: chosen.yaml "+want)
		_, _, err = jobeffekt.RecordPeers(c, chosen, "N. N.", "controller", effect.NewDate(2010, 6, 1))
		assert.ErrorContains(t, err, want)
		assert.NotContains(t, err.Error(), "0101")
	}
	require.NoError(t, os.Mkdir(place, 0o700))
	try("is a folder")
	require.NoError(t, os.Remove(place))
	require.NoError(t, os.WriteFile(place, []byte("010170-1234\x00"), 0o600))
	try("holds a byte 0")
	require.NoError(t, os.Remove(place))

	_, _, err = jobeffekt.RecordPeers(c, chosen, " ", "controller", effect.NewDate(2010, 6, 1))
	require.ErrorIs(t, err, jobeffekt.ErrConfig)

	// A link stays a link.
	kept := filepath.Join(filepath.Dir(c.Path), "kept.yaml")
	_, _, err = jobeffekt.RecordPeers(c, chosen, "N. N.", "controller", effect.NewDate(2010, 6, 1))
	require.NoError(t, err)
	require.NoError(t, os.Rename(place, kept))
	require.NoError(t, os.Symlink("kept.yaml", place))
	_, _, err = jobeffekt.RecordPeers(c, chosen, "N. N.", "controller", effect.NewDate(2010, 6, 2))
	require.NoError(t, err)
	assert.Equal(t, 2, strings.Count(string(read(t, kept)), "sha256:"))
}

// Names of the data move no cursor and begin no line.
func TestNamesAreShownOnOneLine(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	data, err := filepath.Abs(filepath.Join(demo, "data"))
	require.NoError(t, err)
	c := edge(t)
	c.Rankings = []jobeffekt.Ranking{{Name: "r", Observed: "on_benefit_pct", Expected: "unemployment_pct", Year: 2008, Better: profile.Low}}
	c.Data = edited(t, data, "municipalities", func(m *ingest.Table) {
		f := m.Column("name").Factor
		for i := range f.Levels {
			f.Levels[i] += "\x1b[2J\u202e\nEVIL"
		}
	})
	r, err := jobeffekt.Run(ctx, c)
	require.NoError(t, err)
	assert.Contains(t, r.Summary(), "?[2J??EVIL")
	for _, line := range strings.Split(r.Summary(), "\n") {
		assert.False(t, strings.HasPrefix(line, "EVIL"), line)
		assert.NotContains(t, line, "\x1b")
		assert.NotContains(t, line, "\u202e")
	}
}

// Bad rows of the framework conditions are not passed over in silence.
func TestPeersTellOfBadRows(t *testing.T) {
	data, err := filepath.Abs(filepath.Join(demo, "data"))
	require.NoError(t, err)
	c := edge(t, "  fixed:", "  max_reject_share: 0.5\n  fixed:")
	c.Data = edited(t, data, "municipalities", func(m *ingest.Table) {
		m.Column("population").Ints = nil
		m.Column("population").Floats = make([]float64, m.Rows())
		m.Column("population").Floats[in2007(m, "751")+1] = math.Inf(1)
	})
	chosen, err := jobeffekt.ChoosePeers(context.Background(), c)
	require.NoError(t, err)
	require.Len(t, chosen.Rejects, 1)
	assert.Contains(t, chosen.Text(c), "Bad rows without a say: 1 of municipalities: ")
}

// Populations too large to be added up weight nothing.
func TestAreaTooLarge(t *testing.T) {
	data, err := filepath.Abs(filepath.Join(demo, "data"))
	require.NoError(t, err)
	c := edge(t)
	c.Areas = jobeffekt.Areas{"X": {"751", "851"}}
	c.Data = edited(t, data, "municipalities", func(m *ingest.Table) {
		p := m.Column("population")
		p.Ints, p.Floats = nil, make([]float64, m.Rows())
		for i := range p.Floats {
			p.Floats[i] = 1e308
		}
	})
	_, err = jobeffekt.ChoosePeers(context.Background(), c)
	require.ErrorIs(t, err, jobeffekt.ErrConfig)
	assert.ErrorContains(t, err, "areas.X: low_education_pct of its municipalities in 2007 is too large to be added up")
}

// A table of spending without rows is none.
func TestNothingSpent(t *testing.T) {
	data, err := filepath.Abs(filepath.Join(demo, "data"))
	require.NoError(t, err)
	c := edge(t)
	c.Spending = &jobeffekt.Spending{Outcome: "employed_26w"}
	c.Data = edited(t, data, "spend", func(s *ingest.Table) {
		for i := range s.Columns {
			c := &s.Columns[i]
			if c.Factor != nil {
				c.Factor.Codes = c.Factor.Codes[:0]
			}
			c.Ints, c.Floats = cut(c.Ints), cut(c.Floats)
		}
	})
	_, err = jobeffekt.Run(context.Background(), c)
	require.ErrorIs(t, err, jobeffekt.ErrConfig)
	assert.ErrorContains(t, err, "table spend has no rows")
}

func cut[T any](all []T) []T {
	if all == nil {
		return nil
	}
	return all[:0]
}

// A file is not written where something else stands.
func TestWriteTableOntoAFolder(t *testing.T) {
	folder := t.TempDir()
	in := table(t, "a,b\n1,x\n")
	require.NoError(t, os.Mkdir(filepath.Join(folder, "t.csv"), 0o700))
	assert.ErrorContains(t, jobeffekt.WriteTable(filepath.Join(folder, "t.csv"), in), "there is a folder, or something else that is no file, of this name")
	err := jobeffekt.WriteTable(filepath.Join(folder, "none", "t.csv"), in)
	require.True(t, errors.Is(err, os.ErrNotExist))
	assert.ErrorContains(t, err, "make its folder")
}
