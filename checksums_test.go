package jobeffekt_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt"
)

// summed is a job on data of its own, with a file of sums beside them.
func summed(t *testing.T) (c *jobeffekt.Config, sums string) {
	t.Helper()
	c = job(t, "\ninput:\n", "\ninput:\n  checksums: SHA256SUMS\n")
	data := filepath.Join(filepath.Dir(c.Path), "data")
	require.NoError(t, os.CopyFS(data, os.DirFS(c.Data)))
	c.Data = "data"
	sums = filepath.Join(filepath.Dir(c.Path), "SHA256SUMS")
	writeSums(t, c, sums)
	return c, sums
}

// writeSums writes what sha256sum does, every other line as with --binary.
func writeSums(t *testing.T, c *jobeffekt.Config, to string) {
	t.Helper()
	var b strings.Builder
	i := 0
	require.NoError(t, filepath.WalkDir(c.DataFolder(), func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		name, _ := filepath.Rel(filepath.Dir(to), path)
		fmt.Fprintf(&b, "%x %s%s\n", sha256.Sum256(content), []string{" ", "*"}[i%2], filepath.ToSlash(name))
		i++
		return err
	}))
	require.NoError(t, os.WriteFile(to, []byte(b.String()), 0o600))
}

// With the right sums nothing changes but that the manifest names them.
func TestChecksums(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	c, sums := summed(t)
	_, err := jobeffekt.Run(ctx, c)
	require.NoError(t, err)
	m, err := jobeffekt.ReadManifest(c.ResultsFolder())
	require.NoError(t, err)
	require.Len(t, m.Checksums, 1)
	assert.Equal(t, "../SHA256SUMS", m.Checksums[0].Path)
	with := results(t, c)
	differs, err := jobeffekt.Verify(ctx, c.ResultsFolder())
	require.NoError(t, err)
	assert.Empty(t, differs)
	plain := *c
	plain.Input.Checksums, plain.Out = "", "plain"
	_, err = jobeffekt.Run(ctx, &plain)
	require.NoError(t, err)
	assert.Equal(t, results(t, &plain), with)

	// Every door to the data refuses what is not as the list says, before anything is made of it.
	spells := filepath.Join(c.DataFolder(), "spells", "part-00001.parquet")
	good, err := os.ReadFile(spells)
	require.NoError(t, err)
	listed, err := os.ReadFile(sums)
	require.NoError(t, err)
	doors := map[string]func(c *jobeffekt.Config) error{
		"run": func(c *jobeffekt.Config) error { _, err := jobeffekt.Run(ctx, c); return err },
		"step": func(c *jobeffekt.Config) error {
			_, err := jobeffekt.RunStep(ctx, c, jobeffekt.StepEstimate)
			return err
		},
		"check": func(c *jobeffekt.Config) error { return jobeffekt.Check(ctx, c) },
		"plan":  func(c *jobeffekt.Config) error { _, err := jobeffekt.Plan(ctx, c); return err },
		"open":  func(c *jobeffekt.Config) error { _, err := c.OpenData(ctx); return err },
		"cells": func(c *jobeffekt.Config) error {
			other := *c
			other.Out = "cells"
			_, err := jobeffekt.RunCells(ctx, &other)
			return err
		},
		"peers": func(c *jobeffekt.Config) error { _, err := jobeffekt.ChoosePeers(ctx, c); return err },
		"arrange": func(c *jobeffekt.Config) error {
			_, err := jobeffekt.Arrange(ctx, c, filepath.Join(t.TempDir(), "arranged"))
			return err
		},
		"map": func(c *jobeffekt.Config) error {
			_, err := jobeffekt.MapParts(ctx, c, []jobeffekt.Part{{File: "spells/part-00001.parquet"}}, filepath.Join(t.TempDir(), "a.partial"))
			return err
		},
	}
	refused := func(name, file, what string) {
		t.Helper()
		err := doors[name](c)
		require.ErrorIs(t, err, jobeffekt.ErrChecksum, name)
		var e *jobeffekt.ChecksumError
		require.ErrorAs(t, err, &e, name)
		require.Len(t, e.Problems, 1, "%s: %v", name, err)
		require.Contains(t, e.Problems[0].File, file)
		require.Contains(t, e.Problems[0].What, what)
	}
	other := bytes.Clone(good)
	other[len(other)/2] ^= 1
	require.NoError(t, os.WriteFile(spells, other, 0o600))
	for name := range doors {
		refused(name, filepath.Join("spells", "part-00001.parquet"), "copy the file again")
	}
	require.NoError(t, os.WriteFile(spells, good, 0o600))
	assert.Equal(t, with, results(t, c), "nothing was written")

	// A file that is not listed, and one that is listed and not there.
	require.NoError(t, os.WriteFile(sums, bytes.Join(slices.DeleteFunc(bytes.SplitAfter(listed, []byte("\n")), func(l []byte) bool {
		return bytes.Contains(l, []byte("spells/"))
	}), nil), 0o600))
	for name := range doors {
		refused(name, filepath.Join("spells", "part-00001.parquet"), "not listed")
	}
	require.NoError(t, os.WriteFile(sums, fmt.Appendf(bytes.Clone(listed), "%064d  data/caseload.parquet\n", 0), 0o600))
	for _, name := range []string{"run", "check", "open"} {
		refused(name, "data/caseload.parquet", "not there")
	}
	for name, text := range map[string]string{
		"no sum": "data/spells.parquet\n", "short": "abc  data/spells.parquet\n", "empty": "", "comment": "# nothing\n",
		"mark":    strings.Repeat("0", 64) + "\tdata/spells.parquet\n",
		"twice":   fmt.Sprintf("%064d  data/a\n%064d  data/a\n", 0, 1),
		"spelled": fmt.Sprintf("%064d  data/a\n%064d  data/./a\n", 0, 1),
	} {
		require.NoError(t, os.WriteFile(sums, []byte(text), 0o600))
		require.ErrorIs(t, doors["open"](c), jobeffekt.ErrChecksum, name)
	}
	// Lines as other systems end them, comments and upper case.
	text := "\xEF\xBB\xBF# given by N. N.\r\n\r\n" + strings.ReplaceAll(string(listed), "\n", "\r\n")
	require.NoError(t, os.WriteFile(sums, []byte(text), 0o600))
	require.NoError(t, doors["open"](c))
	require.NoError(t, os.Remove(sums))
	require.ErrorIs(t, doors["open"](c), os.ErrNotExist)
}

// A wrong value that the format cannot show is found: of all changes of a file that can still
// be read, none passes.
func TestChecksumsFindWhatReadsWell(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	c, _ := summed(t)
	path := filepath.Join(c.DataFolder(), "participations", "part-00001.parquet")
	good, err := os.ReadFile(path)
	require.NoError(t, err)
	read := 0
	for i := range uint64(60) {
		r := rand.New(rand.NewPCG(3, i))
		b := bytes.Clone(good)
		b[r.IntN(len(b))] ^= 1 << r.IntN(8)
		require.NoError(t, os.WriteFile(path, b, 0o600))
		plain := *c
		plain.Input.Checksums = ""
		if ds, err := plain.OpenData(ctx); err == nil {
			if _, err := ds.Cases(ctx); err == nil {
				read++
			}
		}
		_, err := c.OpenData(ctx)
		require.Error(t, err)
	}
	require.Positive(t, read, "some changes can be read")
}

// Sums of data in a store: beside the data there, or in a file here whose names are those
// from the data's URL.
func TestChecksumsOfAStore(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	c, sums := summed(t)
	folder := c.DataFolder()
	var asked []string
	c.Open = stored(folder, &asked)
	c.Data = "s3://bucket/folder"
	c.Input.Checksums = "s3://bucket/folder/SHA256SUMS"
	b, err := os.ReadFile(sums)
	require.NoError(t, err)
	b = bytes.ReplaceAll(b, []byte("data/"), nil)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "SHA256SUMS"), b, 0o600))
	_, err = c.OpenData(ctx)
	require.NoError(t, err)
	c.Input.Checksums = "SHA256SUMS"
	require.NoError(t, os.WriteFile(sums, b, 0o600))
	_, err = c.OpenData(ctx)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(sums, append(b, "0000000000000000000000000000000000000000000000000000000000000000  spells/none.parquet\n"...), 0o600))
	_, err = c.OpenData(ctx)
	require.ErrorContains(t, err, "not there")
	c.Input.Checksums = "s3://other/SHA256SUMS"
	_, err = c.OpenData(ctx)
	require.ErrorIs(t, err, jobeffekt.ErrChecksum)
}

// The reduce holds the files of spells against the sums, as the maps found them.
func TestChecksumsOfParts(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	c, sums := summed(t)
	to := filepath.Join(t.TempDir(), "a.partial")
	_, err := jobeffekt.MapParts(ctx, c, []jobeffekt.Part{{File: "spells/part-00001.parquet"}}, to)
	require.NoError(t, err)
	_, err = jobeffekt.Reduce(ctx, c, []string{to})
	require.NoError(t, err)
	b, err := os.ReadFile(sums)
	require.NoError(t, err)
	lines := strings.SplitAfter(string(b), "\n")
	for i, l := range lines {
		if strings.Contains(l, "spells/") {
			lines[i] = strings.Repeat("0", 64) + l[64:]
		}
	}
	require.NoError(t, os.WriteFile(sums, []byte(strings.Join(lines, "")), 0o600))
	_, err = jobeffekt.Reduce(ctx, c, []string{to})
	require.ErrorIs(t, err, jobeffekt.ErrChecksum)
}
