package jobeffekt

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jobeffekt/jobeffekt/ingest"
)

// ErrChecksum is wrapped by errors about the key input.checksums: a file of sums that
// cannot be read, and a [ChecksumError].
var ErrChecksum = errors.New("checksums")

// MaxChecksumBytes is the size of the largest file of checksums that is read.
const MaxChecksumBytes = 16 << 20

// ChecksumProblem is one file that is not as the file of checksums says.
type ChecksumProblem struct {
	File string // of the dataset, or as the file of checksums names it
	What string // what is wrong, and what to do
}

// ChecksumError names every file of the dataset that is not as the file of checksums
// says, in the order of the dataset, and then files that it lists and that are not
// there, in the order of their names.
type ChecksumError struct {
	Sums     string // the file of checksums
	Problems []ChecksumProblem
}

func (e *ChecksumError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.File + ": " + p.What
	}
	return fmt.Sprintf("%v: the data are not those of input.checksums (%s), so nothing is made of them:\n  %s", ErrChecksum, e.Sums, strings.Join(lines, "\n  "))
}

func (e *ChecksumError) Unwrap() error { return ErrChecksum }

// sums are the SHA-256 of files as somebody gave them.
type sums struct {
	path   string            // of the file of sums, in errors
	of     map[string]string // by the name that the dataset gives a file
	listed map[string]string // the names as they are listed, by the same
	source Source            // the file itself
	exists func(listed string) bool
}

// readSums reads the file of checksums, nil where the run file names none.
func (c *Config) readSums(ctx context.Context) (*sums, error) {
	name := c.Input.Checksums
	if name == "" {
		return nil, nil
	}
	file, data := c.resolve(name), c.resolve(c.Data)
	s := &sums{path: name, of: map[string]string{}, listed: map[string]string{}}
	fail := func(err error) (*sums, error) {
		return nil, fmt.Errorf("%w: input.checksums: %s: %w", ErrChecksum, name, err)
	}
	// Names are relative to the file of sums; those of one that lies here, about data in
	// a store, to the data.
	full := func(listed string) string { return filepath.Join(filepath.Dir(file), filepath.FromSlash(listed)) }
	var open func() (io.ReadCloser, error)
	if isURL(data) {
		fsys, err := c.Open.open(ctx, data)
		if err != nil {
			return nil, err
		}
		base, folder := urlBase(data), ""
		open = func() (io.ReadCloser, error) { return os.Open(file) }
		if isURL(file) {
			inside, ok := strings.CutPrefix(urlBase(file), base+"/")
			if !ok || !fs.ValidPath(inside) {
				return fail(errors.New("it is a URL that does not lie in data; name a file of the store's folder, or one of this machine"))
			}
			if at := strings.LastIndexByte(inside, '/'); at >= 0 {
				folder = inside[:at+1]
			}
			open = func() (io.ReadCloser, error) { return fsys.Open(inside) }
		}
		full = func(listed string) string { return base + "/" + folder + listed }
		s.exists = func(listed string) bool {
			_, err := fs.Stat(fsys, folder+listed)
			return !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrInvalid)
		}
	} else {
		if isURL(file) {
			return fail(errors.New("it is a URL, and data are a folder; name a file"))
		}
		open = func() (io.ReadCloser, error) { return os.Open(file) }
		s.exists = func(listed string) bool {
			_, err := os.Stat(full(listed))
			return !errors.Is(err, os.ErrNotExist)
		}
	}
	f, err := open()
	if err != nil {
		return fail(fmt.Errorf("%w; write it with sha256sum, or correct the path, which is relative to the run file", err))
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, MaxChecksumBytes+1))
	switch {
	case err != nil:
		return fail(err)
	case len(b) > MaxChecksumBytes:
		return fail(fmt.Errorf("it has more than %d bytes, and no list of a dataset's files has", MaxChecksumBytes))
	}
	listed, err := parseSums(b)
	if err != nil {
		return fail(err)
	}
	for name, sum := range listed {
		at := full(name)
		if !isURL(at) {
			if at, err = filepath.Abs(at); err != nil {
				return fail(err)
			}
		}
		if other, twice := s.of[at]; twice && other != sum {
			return fail(fmt.Errorf("%s and %s are the same file, with two sums; keep the right one", s.listed[at], name))
		}
		s.of[at], s.listed[at] = sum, name
	}
	s.source = Source{Bytes: int64(len(b)), SHA256: sha(b)}
	return s, nil
}

// parseSums reads lines as sha256sum writes them: the sum in 64 hexadecimal digits, a
// space, a space for text or a star for binary, and the name. A line that begins with a
// backslash has \\, \n and \r in its name escaped. Empty lines and those that begin with
// # say nothing.
func parseSums(b []byte) (map[string]string, error) {
	out := map[string]string{}
	n := 0
	for line := range bytes.Lines(bytes.TrimPrefix(b, []byte("\xEF\xBB\xBF"))) {
		n++
		text := strings.TrimRight(string(line), "\r\n")
		if text == "" || text[0] == '#' {
			continue
		}
		rest, escaped := strings.CutPrefix(text, `\`)
		bad := func(why string) (map[string]string, error) {
			return nil, fmt.Errorf("line %d: %s; it should be as sha256sum writes it: 64 hexadecimal digits, two spaces (or a space and *), and the file's name", n, why)
		}
		if len(rest) < 67 {
			return bad("it is too short")
		}
		sum, mark, name := strings.ToLower(rest[:64]), rest[64:66], rest[66:]
		switch {
		case strings.Trim(sum, "0123456789abcdef") != "":
			return bad("it does not begin with a SHA-256")
		case mark != "  " && mark != " *":
			return bad("no mark between sum and name")
		}
		if escaped {
			name = strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\r`, "\r").Replace(name)
		}
		if other, twice := out[name]; twice && other != sum {
			return bad("the file is listed before, with another sum")
		}
		out[name] = sum
	}
	if len(out) == 0 {
		return nil, errors.New("it lists no file; write it with sha256sum, for example cd data && find . -name '*.parquet' | sort | xargs sha256sum > SHA256SUMS")
	}
	return out, nil
}

// match holds files against the sums: all files of the dataset if whole, which must all
// be listed, with what the list has beside them; else those that are there.
func (s *sums) match(files []string, now []Source, whole bool) error {
	e := &ChecksumError{Sums: s.path}
	seen := map[string]bool{}
	for i, file := range files {
		at := file
		if !isURL(at) {
			var err error
			if at, err = filepath.Abs(at); err != nil {
				return err
			}
		}
		seen[at] = true
		switch want, ok := s.of[at]; {
		case !ok:
			e.Problems = append(e.Problems, ChecksumProblem{file, "it is not listed; if it belongs to the data, ask who made them for its sum, else remove it"})
		case want != now[i].SHA256:
			e.Problems = append(e.Problems, ChecksumProblem{file, fmt.Sprintf("its SHA-256 is %s, and the list has %s; copy the file again, or ask who made it", cmp.Or(now[i].SHA256, "not known"), want)})
		}
	}
	if whole {
		for _, at := range slices.SortedFunc(maps.Keys(s.of), func(a, b string) int { return cmp.Compare(s.listed[a], s.listed[b]) }) {
			if !seen[at] && !s.exists(s.listed[at]) {
				e.Problems = append(e.Problems, ChecksumProblem{s.listed[at], "it is listed and not there; copy it too"})
			}
		}
	}
	if len(e.Problems) > 0 {
		return e
	}
	return nil
}

// checkSums hashes the files of a dataset, where the run file names checksums, and
// compares. The dataset refuses a file that changes afterwards, so that what is read is
// what was hashed.
func (c *Config) checkSums(ctx context.Context, ds *ingest.Dataset) error {
	s, err := c.readSums(ctx)
	if s == nil || err != nil {
		return err
	}
	now, err := inputSources(ctx, c.resolve(c.Data), ds, nil)
	if err != nil {
		return err
	}
	return s.match(ds.Files(), now, true)
}
