package main

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"cloud.google.com/go/storage"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/stretchr/testify/require"
	"gocloud.dev/blob"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/cmd/jobeffekt-cloud/store"
	"github.com/jobeffekt/jobeffekt/ingest"
)

// makeBucket makes the bucket, if it is not there.
func makeBucket(ctx context.Context, b *blob.Bucket, base string) {
	var google *storage.Client
	if b.As(&google) {
		_ = google.Bucket(strings.TrimPrefix(base, "gs://")).Create(ctx, "jobeffekt", nil)
	}
	var microsoft *container.Client
	if b.As(&microsoft) {
		_, _ = microsoft.Create(ctx, nil)
	}
}

// TestOtherStores reads and writes the stores that JOBEFFEKT_TEST_STORES names, as
// URLs of buckets with spaces between them. .ci/stores starts two.
func TestOtherStores(t *testing.T) {
	stores := strings.Fields(os.Getenv("JOBEFFEKT_TEST_STORES"))
	if len(stores) == 0 {
		t.Skip("JOBEFFEKT_TEST_STORES names no store; bash .ci/stores does")
	}
	ctx := context.Background()
	here := job(t, "")
	var err error
	here.Data, err = filepath.Abs(demo)
	require.NoError(t, err)
	_, err = jobeffekt.RunStep(ctx, here, jobeffekt.StepMeasure)
	require.NoError(t, err)
	for _, url := range stores {
		base, query, _ := strings.Cut(url, "?")
		t.Run(base, func(t *testing.T) {
			b, err := blob.OpenBucket(ctx, url)
			require.NoError(t, err)
			makeBucket(ctx, b, base)
			require.NoError(t, fs.WalkDir(os.DirFS(demo), ".", func(name string, e fs.DirEntry, err error) error {
				if err != nil || e.IsDir() {
					return err
				}
				content, err := fs.ReadFile(os.DirFS(demo), name)
				require.NoError(t, err)
				return b.WriteAll(ctx, "some/data/"+name, content, nil)
			}))
			data := base + "/some/data"
			if query != "" {
				data += "?" + query
			}
			o := store.DefaultOptions()
			o.Piece, o.Gap = 64<<10, 0
			fsys, err := o.Open(ctx, data)
			require.NoError(t, err)
			require.NoError(t, fstest.TestFS(fsys, "spells/part-00001.parquet"))

			there := job(t, data)
			there.Open = o.Open
			_, err = jobeffekt.RunStep(ctx, there, jobeffekt.StepMeasure)
			require.NoError(t, err)
			require.Equal(t, tables(t, here), tables(t, there))
			differences, err := jobeffekt.VerifyFrom(ctx, there.ResultsFolder(), there.Open)
			require.NoError(t, err)
			require.Empty(t, differences)

			// An object that is replaced by one of the same size is another version.
			ds, err := there.OpenData(ctx)
			require.NoError(t, err)
			whole, err := os.ReadFile(filepath.Join(demo, "spells", "part-00001.parquet"))
			require.NoError(t, err)
			require.NoError(t, b.WriteAll(ctx, "some/data/spells/part-00001.parquet", append(bytes.Clone(whole[:len(whole)-1]), 'X'), nil))
			_, err = jobeffekt.Measure(ctx, ds, there)
			require.ErrorIs(t, err, ingest.ErrChanged)
			require.NoError(t, b.Delete(ctx, "some/data/spells/part-00001.parquet"))
			_, err = jobeffekt.Measure(ctx, ds, there)
			require.ErrorIs(t, err, fs.ErrNotExist)
			_, err = o.Open(ctx, base+"/none"+strings.TrimPrefix(data, base+"/some/data"))
			require.NoError(t, err, "opening asks nothing")
		})
	}
}
