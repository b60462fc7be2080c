package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/cmd/jobeffekt-cloud/store"
	"github.com/jobeffekt/jobeffekt/ingest"
)

// patient tries as often as the default, without long waits.
func patient() store.Options {
	o := store.DefaultOptions()
	o.Wait, o.Idle = time.Millisecond, quick
	return o
}

func readFile(t testing.TB, ds *ingest.Dataset, i int) []byte {
	t.Helper()
	f, err := ds.OpenFile(i)
	require.NoError(t, err)
	defer f.Close()
	b, err := io.ReadAll(f)
	require.NoError(t, err)
	return b
}

// spells is the object that comes to harm.
const spells = "data/spells/part-00001.parquet"

// cut sends the first bytes of the answer, and then cuts the connection.
func (d *door) cut(w http.ResponseWriter, r *http.Request, after int64) bool {
	d.pass(w, r, func(a *http.Response) {
		a.Body = io.NopCloser(io.MultiReader(io.LimitReader(a.Body, after), broken{}))
	})
	return true
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("cut") }

// What a store may do that is got over: the results are those of the folder.
func TestGotOver(t *testing.T) {
	ctx := context.Background()
	d := open(t)
	d.upload(t, demo, "data")
	here := measuredHere(t)
	for name, harm := range map[string]func(w http.ResponseWriter, r *http.Request, kind, key string, n int) bool{
		"500 twice, to whatever is asked about one object": func(w http.ResponseWriter, _ *http.Request, _, key string, n int) bool {
			return key == spells && n <= 2 && status(w, http.StatusInternalServerError, "InternalError")
		},
		"too many requests": func(w http.ResponseWriter, _ *http.Request, kind, key string, n int) bool {
			return kind == http.MethodGet && n%3 == 1 && status(w, http.StatusServiceUnavailable, "SlowDown")
		},
		"connections cut, at another byte each time": func(w http.ResponseWriter, r *http.Request, kind, key string, n int) bool {
			return kind == http.MethodGet && key == spells && n%2 == 1 && d.cut(w, r, int64(n)*1777)
		},
		"connections cut before the answer": func(_ http.ResponseWriter, _ *http.Request, kind, key string, n int) bool {
			if kind == http.MethodGet && n%2 == 1 {
				panic(http.ErrAbortHandler)
			}
			return false
		},
		"an answer that stops": func(w http.ResponseWriter, r *http.Request, kind, key string, n int) bool {
			if kind != http.MethodGet || key != spells || n != 2 {
				return false
			}
			d.pass(w, r, func(a *http.Response) {
				a.Body = io.NopCloser(io.MultiReader(io.LimitReader(a.Body, 5000), hanging{r.Context()}))
			})
			return true
		},
		"an answer that is short of what it should be": func(w http.ResponseWriter, r *http.Request, kind, key string, n int) bool {
			if kind != http.MethodGet || key != spells || n > 3 {
				return false
			}
			d.pass(w, r, func(a *http.Response) {
				b, _ := io.ReadAll(a.Body)
				a.Body = io.NopCloser(bytes.NewReader(b[:len(b)/2]))
				a.Header.Del("Content-Length")
			})
			return true
		},
	} {
		t.Run(name, func(t *testing.T) {
			d.forget()
			d.mu.Lock()
			d.harm = harm
			d.mu.Unlock()
			t.Cleanup(func() {
				d.mu.Lock()
				d.harm = nil
				d.mu.Unlock()
			})
			there := job(t, d.url("data"))
			o := patient()
			o.Piece = 64 << 10
			there.Open = o.Open
			_, err := jobeffekt.RunStep(ctx, there, jobeffekt.StepMeasure)
			require.NoError(t, err)
			require.Equal(t, tables(t, here), tables(t, there))
		})
	}
}

// hanging brings nothing until who asked has gone.
type hanging struct{ ctx context.Context }

func (h hanging) Read([]byte) (int, error) {
	<-h.ctx.Done()
	return 0, h.ctx.Err()
}

// What is not got over is an error that says what it is, and nothing is written.
func TestNotGotOver(t *testing.T) {
	whole, err := os.ReadFile(filepath.Join(demo, "spells", "part-00001.parquet"))
	require.NoError(t, err)
	for _, c := range []struct {
		name string
		harm func(d *door, w http.ResponseWriter, r *http.Request, kind, key string, n int) bool
		is   error
		says string
	}{
		{"500 for ever", func(_ *door, w http.ResponseWriter, _ *http.Request, kind, key string, _ int) bool {
			return kind == http.MethodGet && key == spells && status(w, http.StatusInternalServerError, "InternalError")
		}, nil, "StatusCode: 500"},
		{"rights for the list alone", func(_ *door, w http.ResponseWriter, _ *http.Request, _, key string, _ int) bool {
			return key == spells && status(w, http.StatusForbidden, "AccessDenied")
		}, fs.ErrPermission, "see that the credentials are there"},
		{"no rights for the folder", func(_ *door, w http.ResponseWriter, _ *http.Request, kind, _ string, _ int) bool {
			return kind == "LIST" && status(w, http.StatusForbidden, "AccessDenied")
		}, fs.ErrPermission, "see that the credentials are there"},
		{"rights taken away midway", func(_ *door, w http.ResponseWriter, _ *http.Request, kind, key string, n int) bool {
			return kind == http.MethodGet && key == spells && n > 2 && status(w, http.StatusForbidden, "AccessDenied")
		}, fs.ErrPermission, "it could not be read"},
		{"listed, but not there", func(_ *door, w http.ResponseWriter, _ *http.Request, _, key string, _ int) bool {
			return key == spells && status(w, http.StatusNotFound, "NoSuchKey")
		}, nil, "it is listed but cannot be had"},
		{"removed midway", func(_ *door, w http.ResponseWriter, _ *http.Request, kind, key string, n int) bool {
			return kind == http.MethodGet && key == spells && n > 2 && status(w, http.StatusNotFound, "NoSuchKey")
		}, fs.ErrNotExist, "it could not be read"},
		{"cut every time", func(d *door, w http.ResponseWriter, r *http.Request, kind, key string, _ int) bool {
			return kind == http.MethodGet && key == spells && d.cut(w, r, 100)
		}, nil, "cut short"},
		{"never an answer", func(_ *door, _ http.ResponseWriter, r *http.Request, kind, key string, _ int) bool {
			if kind != http.MethodGet || key != spells {
				return false
			}
			<-r.Context().Done()
			return true
		}, nil, "the store stopped answering"},
		{"the whole object in place of a part", func(d *door, w http.ResponseWriter, r *http.Request, kind, key string, _ int) bool {
			if kind != http.MethodGet || key != spells {
				return false
			}
			r.Header.Del("Range")
			d.pass(w, r, nil)
			return true
		}, nil, "not of the bytes asked for"},
		{"replaced midway", func(d *door, _ http.ResponseWriter, _ *http.Request, kind, key string, n int) bool {
			if kind == http.MethodGet && key == spells && n == 3 {
				// Of the same size, a moment later: only the version tells.
				_, err := http.DefaultClient.Do(put(d.store+"/"+bucket+"/"+spells, append(bytes.Clone(whole[:len(whole)-1]), 'X')))
				if err != nil {
					panic(err)
				}
			}
			return false
		}, ingest.ErrChanged, "run again when the export has finished"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := open(t)
			d.upload(t, demo, "data")
			d.forget()
			d.mu.Lock()
			d.harm = func(w http.ResponseWriter, r *http.Request, kind, key string, n int) bool {
				return c.harm(d, w, r, kind, key, n)
			}
			d.mu.Unlock()
			there := job(t, d.url("data"))
			o := patient()
			o.Piece, o.Gap = 64<<10, 0
			there.Open = o.Open
			_, err := jobeffekt.RunStep(context.Background(), there, jobeffekt.StepMeasure)
			require.Error(t, err)
			if c.is != nil {
				require.ErrorIs(t, err, c.is)
			}
			require.ErrorContains(t, err, c.says)
			require.ErrorContains(t, err, "s3://region/data")
			require.NotContains(t, err.Error(), "\n")
			for _, damage := range []error{ingest.ErrTruncated, ingest.ErrCorrupt, ingest.ErrNotParquet} {
				require.NotErrorIs(t, err, damage)
			}
			left, err := filepath.Glob(filepath.Join(there.ResultsFolder(), "*.parquet"))
			require.NoError(t, err)
			require.Empty(t, left)
			require.LessOrEqual(t, d.asked(http.MethodGet, spells), 20, "tries are bounded")
		})
	}
}

func put(url string, content []byte) *http.Request {
	r, err := http.NewRequest(http.MethodPut, url, bytes.NewReader(content))
	if err != nil {
		panic(err)
	}
	return r
}

// Objects that are no tables are named as files would be.
func TestBadObjects(t *testing.T) {
	whole, err := os.ReadFile(filepath.Join(demo, "spells", "part-00001.parquet"))
	require.NoError(t, err)
	d := open(t)
	d.upload(t, demo, "data")
	for _, c := range []struct {
		content []byte
		want    error
	}{{nil, ingest.ErrEmptyFile}, {whole[:len(whole)-100], ingest.ErrTruncated}, {whole[:3], ingest.ErrNotParquet}, {[]byte(strings.Repeat("no", 9000)), ingest.ErrNotParquet}} {
		d.put(t, spells, c.content)
		fsys, err := patient().Open(context.Background(), d.url("data"))
		require.NoError(t, err)
		_, err = ingest.OpenFS(fsys, "s3://region/data", ingest.DefaultOptions())
		require.ErrorIs(t, err, c.want)
		require.ErrorContains(t, err, "s3://region/data/spells/part-00001.parquet")
	}
}

// An end of the work ends the requests, and is told as such.
func TestCancelled(t *testing.T) {
	d := open(t)
	d.upload(t, demo, "data")
	d.forget()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var asked, ended atomic.Bool
	d.mu.Lock()
	d.harm = func(_ http.ResponseWriter, r *http.Request, kind, key string, n int) bool {
		if kind != http.MethodGet || key != spells {
			return false
		}
		asked.Store(true)
		cancel()
		<-r.Context().Done()
		ended.Store(true)
		return true
	}
	d.mu.Unlock()
	there := job(t, d.url("data"))
	began := time.Now()
	_, err := jobeffekt.RunStep(ctx, there, jobeffekt.StepMeasure)
	require.ErrorIs(t, err, context.Canceled)
	require.True(t, asked.Load())
	require.Less(t, time.Since(began), 10*time.Second, "nobody waits for a store that was given up")
	require.Eventually(t, ended.Load, 5*time.Second, time.Millisecond)
	_, err = os.Stat(there.ResultsFolder())
	require.ErrorIs(t, err, fs.ErrNotExist)
}
