package jobeffekt

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/internal/strict"
)

// hostileID is an identifier that lies in the malformed files, and may be in no message.
const hostileID = "7700012345"

// signedPartial is a partial of some bytes behind the magic.
func signedPartial(body []byte) []byte {
	b := append([]byte(partialMagic), body...)
	sum := sha256.Sum256(b)
	return append(append(b, sum[:]...), partialEnd...)
}

// zipOf is a zip file of entries with these names and contents.
func zipOf(entries ...string) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i+1 < len(entries); i += 2 {
		w, err := z.CreateHeader(&zip.FileHeader{Name: entries[i], Method: zip.Deflate})
		if err == nil {
			_, err = w.Write([]byte(entries[i+1]))
		}
		if err != nil {
			panic(err)
		}
	}
	if err := z.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// malformedFiles are files with one defect each, and how they are refused: the way they
// are read and what is said. None is of Parquet or CSV, which ingest has.
func malformedFiles(t testing.TB) map[string]struct {
	content []byte
	is      error // nil: *strict.Faults
	message string
} {
	type file = struct {
		content []byte
		is      error
		message string
	}
	pack := `{"format":1,"terms":[],"files":[]}`
	body := func(header string, claimed int) []byte {
		b := binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, partialFormat), uint64(claimed))
		return append(b, header...)
	}
	whole := somePartial(t, filepath.Join(t.TempDir(), "a.partial"))
	flipped := bytes.Clone(whole)
	flipped[len(flipped)/2] ^= 1
	many := make([]string, 0, 2*(MaxPackFiles+1))
	for i := range MaxPackFiles + 1 {
		many = append(many, fmt.Sprintf("f%d", i), "")
	}
	// The size that the file claims of its entry is a lie: it unfolds to more.
	var lie bytes.Buffer
	z := zip.NewWriter(&lie)
	inner := zipOf("x", strings.Repeat("\x00", 1<<16))
	deflated := inner[31 : 31+100] // what there is of the entry does not matter: it does not fit
	w, err := z.CreateRaw(&zip.FileHeader{Name: PackName, Method: zip.Deflate, CRC32: crc32.ChecksumIEEE(nil), CompressedSize64: uint64(len(deflated)), UncompressedSize64: 7})
	require.NoError(t, err)
	_, err = w.Write(deflated)
	require.NoError(t, err)
	require.NoError(t, z.Close())
	sum := strings.Repeat("0", 64)
	return map[string]file{
		"empty.run.yaml":           {[]byte(""), nil, "the file is empty"},
		"deep.run.yaml":            {[]byte("data: " + strings.Repeat("[", 2000)), nil, "stand within each other"},
		"aliases.run.yaml":         {[]byte("data: &a [x, x]\nout: [*a, *a, *a, *a]\n"), nil, "anchors, aliases and tags"},
		"utf16.run.yaml":           {[]byte("\xFF\xFEd\x00a\x00t\x00a\x00"), nil, "keys with values belong here"},
		"two_documents.run.yaml":   {[]byte("data: a\n---\ndata: b\n"), nil, "2 YAML documents"},
		"same_key.run.yaml":        {[]byte("data: a\ndata: b\n"), nil, "the key stands twice"},
		"no_sum.sums":              {[]byte("data/spells.parquet\n"), ErrChecksum, "line 1"},
		"two_sums.sums":            {[]byte(sum + "  a\n1" + sum[1:] + "  a\n"), ErrChecksum, "line 2"},
		"md5.sums":                 {[]byte(sum[:32] + "  data/spells.parquet\n"), ErrChecksum, "line 1"},
		"empty.sums":               {[]byte("\n"), ErrChecksum, "lists no file"},
		"empty.manifest.json":      {nil, ErrManifest, "no JSON"},
		"truncated.manifest.json":  {[]byte(`{"format":1,"steps":["mea`), ErrManifest, "no JSON"},
		"format.manifest.json":     {[]byte(`{"format":2}`), ErrManifest, "format 2"},
		"steps.manifest.json":      {[]byte(`{"format":1,"steps":["settle"]}`), ErrManifest, "steps"},
		"deep.manifest.json":       {[]byte(`{"format":1,"steps":` + strings.Repeat("[", 20_000)), ErrManifest, "no JSON"},
		"types.manifest.json":      {[]byte(`{"format":1,"steps":"` + hostileID + `"}`), ErrManifest, "no JSON"},
		"format.publication.json":  {[]byte(`{"format":9}`), ErrManifest, PublishedName},
		"empty.publication.json":   {nil, ErrManifest, PublishedName},
		"empty.partial":            {nil, ErrPartial, "does not begin"},
		"truncated.partial":        {whole[:len(whole)/2], ErrPartial, "does not end"},
		"flipped.partial":          {flipped, ErrPartial, "not as it was written"},
		"other.partial":            {[]byte("person_id\n" + hostileID + strings.Repeat("\n", 100)), ErrPartial, "does not begin"},
		"header_size.partial":      {signedPartial(body("{}", 1<<60)), ErrPartial, "claims more bytes"},
		"header_json.partial":      {signedPartial(body("{{", 2)), ErrPartial, "makes no sense"},
		"header_unknown.partial":   {signedPartial(body(`{"x":"`+hostileID+`"}`, 6+6+10+2-6)), ErrPartial, "makes no sense"},
		"format.partial":           {signedPartial(append(binary.LittleEndian.AppendUint64(nil, 9), make([]byte, 8)...)), ErrPartial, "format 9"},
		"empty.pack.zip":           {nil, ErrPack, "neither a folder nor a zip"},
		"truncated.pack.zip":       {zipOf(PackName, pack)[:60], ErrPack, "neither a folder nor a zip"},
		"no_list.pack.zip":         {zipOf("README.md", "x"), ErrPack, "no " + PackName},
		"traversal.pack.zip":       {zipOf("../"+PackName, pack), ErrPack, "no name of a plain file"},
		"absolute.pack.zip":        {zipOf("/etc/x", pack), ErrPack, "no name of a plain file"},
		"folder.pack.zip":          {zipOf("a/", "", PackName, pack), ErrPack, "no name of a plain file"},
		"twice.pack.zip":           {zipOf(PackName, pack, PackName, pack), ErrPack, "stands twice"},
		"many.pack.zip":            {zipOf(many...), ErrPack, "1001 files"},
		"lie.pack.zip":             {lie.Bytes(), ErrPack, PackName},
		"list_json.pack.zip":       {zipOf(PackName, `{"format":1,"provider":"`+hostileID), ErrPack, "not one this program can read"},
		"list_traversal.pack.zip":  {zipOf(PackName, `{"format":1,"files":[{"path":"../x"}]}`), ErrPack, "no name of a file in it"},
		"terms_traversal.pack.zip": {zipOf(PackName, `{"format":1,"terms":["../../x.yaml"]}`), ErrPack, ""},
		"empty.choices.yaml":       {[]byte("choices: []\n"), nil, "the list is empty"},
		"changed.choices.yaml":     {[]byte("choices:\n  - name: N\n    role: head\n    on: 2008-01-01\n    by: list\n    peers: {\"751\": [\"730\"]}\n    sha256: " + sum + "\n"), nil, "does not read as it did"},
	}
}

// readMalformedFile reads a file the way that its name says.
func readMalformedFile(t testing.TB, name string, b []byte) error {
	t.Helper()
	folder := t.TempDir()
	put := func(as string) string {
		path := filepath.Join(folder, as)
		require.NoError(t, os.WriteFile(path, b, 0o600))
		return path
	}
	switch {
	case strings.HasSuffix(name, ".run.yaml"):
		_, err := LoadConfig(put("jobeffekt.yaml"))
		return err
	case strings.HasSuffix(name, ".sums"):
		put("SHA256SUMS")
		c := &Config{Data: "data", Path: filepath.Join(folder, "jobeffekt.yaml")}
		c.Input.Checksums = "SHA256SUMS"
		_, err := c.readSums(context.Background())
		return err
	case strings.HasSuffix(name, ".manifest.json"):
		put(ManifestName)
		_, err := ReadManifest(folder)
		return err
	case strings.HasSuffix(name, ".publication.json"):
		put(PublishedName)
		_, err := ReadPublished(folder)
		return err
	case strings.HasSuffix(name, ".partial"):
		_, problem, err := openPartial(context.Background(), put("a.partial"))
		if problem != nil {
			return &PartialError{[]PartialProblem{*problem}}
		}
		return err
	case strings.HasSuffix(name, ".pack.zip"):
		_, err := VerifyPack(context.Background(), put("pack.zip"))
		return err
	case strings.HasSuffix(name, ".choices.yaml"):
		_, err := ParseChoices(name, b)
		return err
	}
	t.Fatal("nobody reads " + name)
	return nil
}

// documented says whether an error of these readers has a documented type.
func documented(err error) bool {
	var faults *strict.Faults
	return err == nil || errors.As(err, &faults) || errors.Is(err, ErrChecksum) || errors.Is(err, ErrManifest) || errors.Is(err, ErrPartial) || errors.Is(err, ErrPack) || errors.Is(err, ErrConfig)
}

// Each malformed file is refused as it should be, by the file that is kept.
func TestMalformedFiles(t *testing.T) {
	const folder = "testdata/malformed"
	for name, f := range malformedFiles(t) {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(folder, name)
			if os.Getenv("JOBEFFEKT_UPDATE") != "" {
				require.NoError(t, os.WriteFile(path, f.content, 0o644))
			}
			kept, err := os.ReadFile(path)
			require.NoError(t, err)
			err = readMalformedFile(t, name, kept)
			require.Error(t, err)
			require.True(t, documented(err), "%T %v", err, err)
			if f.is != nil {
				require.ErrorIs(t, err, f.is)
			} else {
				var faults *strict.Faults
				require.ErrorAs(t, err, &faults)
			}
			require.ErrorContains(t, err, f.message)
			require.NotContains(t, strings.ReplaceAll(err.Error(), os.TempDir(), ""), hostileID)
		})
	}
	readme, err := os.ReadFile(filepath.Join(folder, "README.md"))
	require.NoError(t, err)
	for name := range malformedFiles(t) {
		require.Contains(t, string(readme), "`"+name+"`", "each file has its note in the README")
	}
}

// A zip file that unfolds to more than a pack may have stops there, and one that claims it
// is not unfolded.
func TestPackThatUnfolds(t *testing.T) {
	if testing.Short() {
		t.Skip("writes a gigabyte")
	}
	if os.Getenv("JOBEFFEKT_FULL") == "" {
		t.Skip("writes a gigabyte to the disk; done with JOBEFFEKT_FULL=1")
	}
	path := filepath.Join(t.TempDir(), "bomb.zip")
	f, err := os.Create(path)
	require.NoError(t, err)
	z := zip.NewWriter(f)
	w, err := z.Create(PackName)
	require.NoError(t, err)
	zeros := make([]byte, 1<<20)
	for range MaxPackBytes>>20 + 1 {
		_, err = w.Write(zeros)
		require.NoError(t, err)
	}
	require.NoError(t, z.Close())
	require.NoError(t, f.Close())
	_, err = VerifyPack(context.Background(), path)
	require.ErrorIs(t, err, ErrPack)
	require.ErrorContains(t, err, "unpacks to more")
}

// fuzzKind fuzzes the reader of one kind of file.
func fuzzKind(f *testing.F, ending string, more ...string) {
	for name, file := range malformedFiles(f) {
		if strings.HasSuffix(name, ending) {
			f.Add(file.content)
		}
	}
	for _, s := range more {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		err := readMalformedFile(t, "x"+ending, b)
		require.True(t, documented(err), "%T %v", err, err)
	})
}

func FuzzRunFile(f *testing.F) {
	demo, err := os.ReadFile("cmd/jobeffekt/demo/jobeffekt.yaml")
	require.NoError(f, err)
	fuzzKind(f, ".run.yaml", string(demo))
}

func FuzzChecksums(f *testing.F) {
	fuzzKind(f, ".sums", strings.Repeat("0", 64)+" *data/a\n\\"+strings.Repeat("1", 64)+"  b\\\\c\n")
}

func FuzzManifest(f *testing.F) {
	fuzzKind(f, ".manifest.json", `{"format":1,"steps":["measure"],"results":[{"path":"cells.parquet"}]}`)
}

func FuzzPublication(f *testing.F) { fuzzKind(f, ".publication.json", `{"format":1}`) }

func FuzzChoices(f *testing.F) { fuzzKind(f, ".choices.yaml") }

func FuzzPack(f *testing.F) { fuzzKind(f, ".pack.zip") }

// TestMutantsPartial damages partials: as they are, so that the hash shows it, and signed
// again, so that only what they say can.
func TestMutantsPartial(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.partial")
	good := somePartial(t, path)
	n, refused, read := 200, 0, 0
	if os.Getenv("JOBEFFEKT_FULL") != "" {
		n = 5000
	}
	for i := range n {
		r := rand.New(rand.NewPCG(11, uint64(i)))
		b := bytes.Clone(good)
		if signed := i%2 == 0; signed {
			b = b[len(partialMagic) : len(b)-partialTail]
		}
		at := r.IntN(len(b))
		switch r.IntN(4) {
		case 0:
			b[at] ^= 1 << r.IntN(8)
		case 1:
			b = b[:at]
		case 2:
			b = append(b[:at:at], b[min(len(b), at+1+r.IntN(30)):]...)
		case 3:
			copy(b[at:], []string{"9223372036854775807", "-1", "99999999999999999999", "null", "{}", "[[]]", "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F"}[r.IntN(7)])
		}
		if i%2 == 0 {
			b = signedPartial(b)
		}
		require.NoError(t, os.WriteFile(path, b, 0o600))
		p, problem, err := openPartial(context.Background(), path)
		require.NoError(t, err)
		if problem != nil {
			require.NotEmpty(t, problem.Cure)
			refused++
			continue
		}
		require.True(t, i%2 == 0 || bytes.Equal(b, good), "only what was signed again can be read")
		_ = p.header.tally(func(path string) string { return path })
		read++
	}
	require.Positive(t, refused)
	if folder := os.Getenv("JOBEFFEKT_MUTANTS"); folder != "" {
		text := fmt.Sprintf("| file | mutants | refused | read |\n|---|---:|---:|---:|\n| partials, every other one signed again | %d | %d | %d |\n", n, refused, read)
		require.NoError(t, os.WriteFile(filepath.Join(folder, "4-partial.part"), []byte(text), 0o644))
	}
}
