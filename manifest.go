package jobeffekt

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/jobeffekt/jobeffekt/effect"
)

// ManifestName is the file of a results folder that says what the results were
// made of. A folder without it holds no finished results.
const ManifestName = "manifest.json"

// Manifest says what a folder of results was made of and by what, so that
// [Verify] can make it again.
type Manifest struct {
	Format   int         `json:"format"` // 1
	Program  Program     `json:"program"`
	AsOf     effect.Date `json:"as_of"`
	Standing string      `json:"standing"` // of the settlement; provisional, retrospective without one
	Blinded  bool        `json:"blinded,omitempty"`
	Steps    []Step      `json:"steps"`          // done, in order
	Keys     []StepKey   `json:"keys,omitempty"` // of the steps of a whole run, from the first on; those done alone have none
	RunFile  Source      `json:"run_file"`
	Data     string      `json:"data"` // folder of the dataset, relative to the results folder, or its URL
	Terms    []Source    `json:"terms,omitempty"`
	Seals    []Source    `json:"seals,omitempty"`    // files beside the terms
	Accepted []Source    `json:"accepted,omitempty"` // the blinded run's manifest and what was decided on it
	Recorded []Source    `json:"recorded,omitempty"` // file of the recorded choices of peers
	// Pseudonyms are those made of identifiers as the inputs were read.
	Pseudonyms *Pseudonymised `json:"pseudonyms,omitempty"`
	// Checksums is the file of checksums that the inputs were held against.
	Checksums []Source `json:"checksums,omitempty"`
	Inputs    []Source `json:"inputs"`
	Results   []Source `json:"results"`
	// Sum is the SHA-256 of all of the above where there are keys: a manifest that was edited
	// keeps no step.
	Sum string `json:"sum,omitempty"`

	file string // hash of the file that it was read from
}

// stands says whether the manifest of a folder still is the one that was read: what was
// read between is then of one run.
func (m *Manifest) stands(folder string) error {
	now, err := hashFile(filepath.Join(folder, ManifestName), ManifestName)
	if err != nil {
		return fmt.Errorf("%w: its manifest went while it was read: another run writes to it; try again when it is done: %w", ErrManifest, err)
	}
	if now.SHA256 != m.file {
		return fmt.Errorf("%w: another run has written to it while it was read; try again", ErrManifest)
	}
	return nil
}

// sum is what Sum is of a manifest as it was written.
func (m *Manifest) sum() (string, error) {
	if len(m.Keys) == 0 {
		return "", nil
	}
	plain := *m
	plain.Sum = ""
	text, err := json.Marshal(plain)
	return sha(text), err
}

// Program is what made the results.
type Program struct {
	Module   string `json:"module"`
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"` // of the source, where the build knows it
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// Source is one file and what it held.
type Source struct {
	Path   string `json:"path"` // inputs, run file and terms: relative to the results folder
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Step is a step of the job.
type Step string

// The steps whose results stand in a folder, in order.
const (
	StepMeasure   Step = "measure"
	StepEstimate  Step = "estimate"
	StepBenchmark Step = "benchmark"
	StepSettle    Step = "settle"
)

// ErrManifest is wrapped by errors about a results folder without a usable
// manifest.
var ErrManifest = errors.New("results folder")

// ReadManifest reads the manifest of a results folder.
func ReadManifest(folder string) (*Manifest, error) {
	m, err := readManifest(folder)
	if err != nil {
		return nil, err
	}
	if len(m.Steps) == 0 && slices.ContainsFunc(m.Results, func(r Source) bool { return r.Path == TableCells+".parquet" }) {
		return nil, fmt.Errorf("%w: it holds the cells alone, from which nothing goes on; do the step measure, into another folder", ErrManifest)
	}
	// A folder holds the steps from the first on, each with all of its tables but
	// those that the run file may not have asked for.
	if len(m.Steps) == 0 || len(m.Steps) > len(steps()) || !slices.Equal(m.Steps, steps()[:len(m.Steps)]) {
		return nil, badManifest("its steps are not the first of measure, estimate, benchmark and settle")
	}
	for _, s := range m.Steps {
		for _, t := range resultsOf(s, m.Blinded) {
			if !onRequest(t) && !slices.ContainsFunc(m.Results, func(r Source) bool { return r.Path == t+".parquet" }) {
				return nil, badManifest(fmt.Sprintf("it does not name %s.parquet, which the step %s writes", t, s))
			}
		}
	}
	return m, nil
}

func badManifest(why string) error {
	return fmt.Errorf("%w: its %s is not one this program can read: %s", ErrManifest, ManifestName, why)
}

// readManifest reads it as it stands.
func readManifest(folder string) (*Manifest, error) {
	b, err := readUpTo(filepath.Join(folder, ManifestName), MaxManifestBytes)
	if err != nil {
		return nil, fmt.Errorf("%w: no %s in it, so it holds no finished results; run the job first: %w", ErrManifest, ManifestName, err)
	}
	var m Manifest
	if err := json.Unmarshal(b, &m); err != nil {
		return nil, badManifest("it is no JSON of a manifest")
	}
	if m.Format != 1 {
		return nil, badManifest(fmt.Sprintf("format %d, where 1 is known", m.Format))
	}
	m.file = sha(b)
	return &m, nil
}

// String is for people: v1.2.3 (revision 0123456789ab, go1.26.8, linux/amd64). The version
// is (devel) where it was not built from a tagged commit.
func (p Program) String() string {
	built := []string{p.Go, p.Platform}
	if p.Revision != "" {
		built = append([]string{"revision " + p.Revision[:min(12, len(p.Revision))]}, built...)
	}
	return p.Version + " (" + strings.Join(built, ", ") + ")"
}

// ThisProgram is the program that runs, as a manifest names what made its results.
func ThisProgram() Program {
	p := Program{Module: "github.com/jobeffekt/jobeffekt", Version: "(devel)", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if info, ok := debug.ReadBuildInfo(); ok {
		p.builtBy(info)
	}
	return p
}

// builtBy fills in which version of the library a program holds.
func (p *Program) builtBy(info *debug.BuildInfo) {
	library := &info.Main
	for _, m := range info.Deps {
		// A program of this repository in a module of its own has the library of the
		// folder above it, not the version it asks for.
		switch {
		case m.Path != p.Module:
		case m.Replace == nil:
			library = m
		case !strings.HasPrefix(info.Main.Path, p.Module+"/"):
			library = m.Replace // a folder has no version, whatever was asked for
		}
	}
	if library.Version != "" {
		p.Version = library.Version
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && library == &info.Main {
			p.Revision = s.Value
		}
	}
}

// hashFile describes a file as it is now; path is how the manifest names it.
func hashFile(file, path string) (Source, error) {
	f, err := os.Open(file)
	if err != nil {
		return Source{}, err
	}
	defer f.Close()
	return hashReader(f, path)
}

func hashReader(r io.Reader, path string) (Source, error) {
	h := sha256.New()
	n, err := io.Copy(h, r)
	return Source{Path: path, Bytes: n, SHA256: hex.EncodeToString(h.Sum(nil))}, err
}

func sha(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

// sources describes files, with paths relative to the results folder.
func sources(out string, files []string) ([]Source, error) {
	list := make([]Source, 0, len(files))
	for _, file := range files {
		path, err := relative(out, file)
		if err != nil {
			return nil, err
		}
		s, err := hashFile(file, path)
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, nil
}

// relative names a file from a folder. A URL stays what it is, but from a URL that
// it begins with.
func relative(folder, file string) (string, error) {
	if isURL(file) {
		if name, ok := strings.CutPrefix(file, urlBase(folder)+"/"); ok && isURL(folder) {
			return name, nil
		}
		return file, nil
	}
	a, err := filepath.Abs(folder)
	if err != nil {
		return "", err
	}
	b, err := filepath.Abs(file)
	if err != nil {
		return "", err
	}
	path, err := filepath.Rel(a, b)
	return filepath.ToSlash(path), err
}

// hasher hashes and counts what passes through it.
type hasher struct {
	w io.Writer
	h hash.Hash
	n int64
}

func newHasher(w io.Writer) *hasher { return &hasher{w: w, h: sha256.New()} }

func (h *hasher) Write(b []byte) (int, error) {
	n, err := h.w.Write(b)
	h.h.Write(b[:n])
	h.n += int64(n)
	return n, err
}

func (h *hasher) source(name string) Source {
	return Source{Path: name, Bytes: h.n, SHA256: hex.EncodeToString(h.h.Sum(nil))}
}
