package report

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/internal/whole"
)

// file is one file of a publication's folder: its path there, with slashes, and what writes it.
type file struct {
	name  string
	write func(context.Context, io.Writer) error
}

// ErrFolder is wrapped by errors about a folder that cannot take a publication.
var ErrFolder = errors.New("folder of the publication")

// writeFolder writes the files into a folder beside the one asked for, and puts it in its
// place when everything is written.
func writeFolder(ctx context.Context, p *jobeffekt.Publication, out string, o Options, files []file) (err error) {
	out, err = filepath.Abs(out)
	if err != nil {
		return err
	}
	if _, err := replaceable(out); err != nil { // before anything is written
		return err
	}
	made, err := whole.NewFolder(out)
	if held, ok := errors.AsType[*whole.HeldError](err); ok {
		return fmt.Errorf("%s: %w", out, &jobeffekt.BusyError{By: held.By})
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrFolder, err)
	}
	defer func() { err = errors.Join(whole.Cure(err, filepath.Dir(out)), made.Drop()) }()
	// What a killed one had moved away may be back.
	earlier, err := replaceable(out)
	if err != nil {
		return err
	}
	if earlier != nil {
		if err := p.Follows(earlier); err != nil {
			return err
		}
	}
	manifest, err := os.ReadFile(filepath.Join(p.Folder, jobeffekt.ManifestName))
	if err != nil {
		return err
	}
	sum := sha256.Sum256(manifest)
	if hash := hex.EncodeToString(sum[:]); p.ManifestSHA256 != "" && hash != p.ManifestSHA256 {
		return fmt.Errorf("%w: another run has written to %s since it was read; try again when it is done", jobeffekt.ErrManifest, p.Folder)
	}
	m := jobeffekt.Published{
		Format: 1, Program: p.Manifest.Program, AsOf: p.Manifest.AsOf, Standing: p.Manifest.Standing, Blinded: p.Manifest.Blinded, MinCount: p.MinCount,
		ManifestSHA256: hex.EncodeToString(sum[:]), Languages: o.Languages, Yearly: o.Yearly, Providers: o.Providers, Municipalities: o.Municipalities, Record: p.Head(),
	}
	for _, part := range o.Only {
		m.Only = append(m.Only, string(part))
	}
	for _, f := range files {
		s, err := writeFile(ctx, made.Path, f)
		if err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
		m.Files = append(m.Files, s)
	}
	if _, err := writeFile(ctx, made.Path, file{jobeffekt.PublishedName, func(_ context.Context, w io.Writer) error {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(m)
	}}); err != nil {
		return err
	}
	// Remembered before it stands: what is remembered and never went out hides a little more
	// next time, and what went out without being remembered would give figures away.
	if err := errors.Join(effect.Stopped(ctx), p.Record(ctx)); err != nil {
		return err
	}
	return made.Publish(earlier != nil)
}

// replaceable is the earlier publication that stands in the folder's place, nil for none;
// anything else there is an error, and so is a file that the publication did not bring.
func replaceable(out string) (*jobeffekt.Published, error) {
	info, err := os.Lstat(out)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%w: %s is there already and is no folder", ErrFolder, out)
	}
	m, err := jobeffekt.ReadPublished(out)
	if err != nil {
		return nil, fmt.Errorf("%w: %s is there already and holds no earlier publication (%s that this program can read); give a folder that does not exist", ErrFolder, out, jobeffekt.PublishedName)
	}
	brought := map[string]bool{jobeffekt.PublishedName: true}
	for _, f := range m.Files {
		brought[f.Path] = true
	}
	return m, fs.WalkDir(os.DirFS(out), ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && !brought[path] {
			return fmt.Errorf("%w: %s would be replaced, and %s in it is not of the earlier publication: move it away, or give another folder", ErrFolder, out, path)
		}
		return err
	})
}

// writeFile writes one file and says what it holds.
func writeFile(ctx context.Context, folder string, f file) (s jobeffekt.Source, err error) {
	if err := effect.Stopped(ctx); err != nil {
		return s, err
	}
	path := filepath.Join(folder, filepath.FromSlash(f.name))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return s, err
	}
	w, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	sum, n := sha256.New(), &counter{}
	if err := f.write(ctx, io.MultiWriter(w, sum, n)); err != nil {
		return s, err
	}
	return jobeffekt.Source{Path: f.name, Bytes: n.bytes, SHA256: hex.EncodeToString(sum.Sum(nil))}, nil
}

type counter struct{ bytes int64 }

func (c *counter) Write(b []byte) (int, error) { c.bytes += int64(len(b)); return len(b), nil }

// fileName is an identifier made safe for a name of a file: other characters than letters,
// digits, - and _ become _, and where that changed anything, eight digits of a hash of the
// identifier keep it apart from others.
func fileName(id string) string {
	safe := strings.Map(func(r rune) rune {
		if r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' {
			return r
		}
		return '_'
	}, id)
	if safe == id && len(id) > 0 && len(id) <= 60 {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	return safe[:min(len(safe), 60)] + "_" + hex.EncodeToString(sum[:4])
}
