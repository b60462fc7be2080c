package jobeffekt_test

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt"
)

// stored opens a folder as a URL, and says what it was asked for.
func stored(folder string, asked *[]string) jobeffekt.Opener {
	return func(_ context.Context, url string) (fs.FS, error) {
		*asked = append(*asked, url)
		return os.DirFS(folder), nil
	}
}

// Data behind a URL give the bytes that the folder gives, the manifest names the
// URL, and the results are verified against it.
func TestDataBehindAURL(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	c := job(t)
	c.Data = broken(t, c.Data, 10) // so that rejects name files
	_, err := jobeffekt.RunStep(ctx, c, jobeffekt.StepMeasure)
	require.NoError(t, err)
	here, err := jobeffekt.ReadManifest(c.ResultsFolder())
	require.NoError(t, err)

	far := job(t)
	var asked []string
	far.Data, far.Open = "s3://bucket/some/data/?region=eu-north-1", stored(c.Data, &asked)
	require.NoError(t, jobeffekt.Check(ctx, far))
	_, err = jobeffekt.RunStep(ctx, far, jobeffekt.StepMeasure)
	require.NoError(t, err)
	there, err := jobeffekt.ReadManifest(far.ResultsFolder())
	require.NoError(t, err)
	require.Equal(t, here.Results, there.Results)
	require.Equal(t, far.Data, there.Data)
	require.Len(t, there.Inputs, len(here.Inputs))
	for i, s := range there.Inputs {
		require.True(t, strings.HasPrefix(s.Path, "s3://bucket/some/data/") && strings.HasSuffix(s.Path, ".parquet"), s.Path)
		require.Equal(t, here.Inputs[i].SHA256, s.SHA256)
	}

	// Steps go on from tables of the same data; verifying makes them again.
	_, err = jobeffekt.RunStep(ctx, far, jobeffekt.StepEstimate)
	require.NoError(t, err)
	differences, err := jobeffekt.VerifyFrom(ctx, far.ResultsFolder(), far.Open)
	require.NoError(t, err)
	require.Empty(t, differences)
	for _, url := range asked {
		require.Equal(t, far.Data, url)
	}
	_, err = jobeffekt.Verify(ctx, far.ResultsFolder())
	require.ErrorIs(t, err, jobeffekt.ErrConfig)
	require.ErrorContains(t, err, "jobeffekt-cloud")

	parts, err := filepath.Glob(filepath.Join(c.Data, "spells", "*.parquet"))
	require.NoError(t, err)
	require.NoError(t, os.Remove(parts[0]))
	differences, err = jobeffekt.VerifyFrom(ctx, far.ResultsFolder(), far.Open)
	require.NoError(t, err)
	require.Equal(t, []jobeffekt.Difference{{Path: "s3://bucket/some/data/spells/" + filepath.Base(parts[0]), What: "missing"}}, differences)
}

func TestURLsThatAreRefused(t *testing.T) {
	ctx := context.Background()
	for url, want := range map[string]string{
		"s3://AKIA:hush@bucket/data":                    "a user, or a password, before @",
		"s3://bucket/data#hush":                         "a part after #",
		"s3://bucket/data?X-Amz-Credential=hush":        "the URL's X-Amz-Credential is a credential",
		"s3://bucket/data?region=eu&secret_key=hush":    "the URL's secret_key is a credential",
		"azblob://container/data?sv=2020&sig=hush":      "the URL's sig is a credential",
		"azblob://container?AccountKey=hush":            "the URL's AccountKey is a credential",
		"gs://bucket?access_token=hush":                 "the URL's access_token is a credential",
		"s3://bucket?endpoint=http://me:hush@host":      "the URL's endpoint is a credential, or may hold one",
		"s3://bucket?endpoint=http%3A%2F%2Fhush%40host": "the URL's endpoint is a credential, or may hold one",
		"s3://bucket?s%65cret=hush":                     "holds a %",
	} {
		c := job(t)
		c.Data = url
		c.Open = func(context.Context, string) (fs.FS, error) {
			t.Errorf("%s was opened", url)
			return nil, fs.ErrInvalid
		}
		for _, err := range []error{
			jobeffekt.Check(ctx, c),
			func() error { _, err := jobeffekt.Run(ctx, c); return err }(),
			func() error { _, err := jobeffekt.ChoosePeers(ctx, c); return err }(),
		} {
			require.ErrorIs(t, err, jobeffekt.ErrConfig)
			require.ErrorContains(t, err, want)
			require.NotContains(t, err.Error(), "hush")
		}
		_, err := os.Stat(c.ResultsFolder())
		require.ErrorIs(t, err, fs.ErrNotExist)
	}
	c := job(t)
	c.Data = "s3://bucket/data?region=eu"
	_, err := jobeffekt.Run(ctx, c)
	require.ErrorIs(t, err, jobeffekt.ErrConfig)
	require.ErrorContains(t, err, "s3://bucket/data is a URL, and this program reads folders; use jobeffekt-cloud")
	c = job(t)
	c.Out = "s3://bucket/results"
	_, err = jobeffekt.Run(ctx, c)
	require.ErrorContains(t, err, "out is a URL, and results go to a folder")
	c = job(t)
	c.Open = func(context.Context, string) (fs.FS, error) { return os.DirFS("."), nil }
	folder := filepath.ToSlash(filepath.Dir(c.ResultsFolder()))
	for _, written := range []string{"file://" + folder, "FILE://" + folder, "file://localhost" + folder, "file://" + strings.ReplaceAll(folder, "t", "%74")} {
		c.Data = written
		_, err = jobeffekt.Run(ctx, c)
		require.ErrorContains(t, err, "lies in the dataset's folder", written)
	}
	_, err = jobeffekt.MapParts(ctx, job(t), []jobeffekt.Part{{File: "spells.parquet"}}, "s3://bucket/a.partial")
	require.ErrorIs(t, err, jobeffekt.ErrPartial)
	require.ErrorContains(t, err, "partials are files")
}
