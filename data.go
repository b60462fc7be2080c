package jobeffekt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/ingest"
)

// Opener opens data that are a URL, as s3://bucket/folder, for as long as the
// context lasts: the folder's files, as [ingest.OpenFS] wants them. Credentials come
// from elsewhere than the URL, which the manifest names.
type Opener func(ctx context.Context, url string) (fs.FS, error)

// OpenData opens the dataset that the run file names: a folder, or what c.Open makes
// of a URL. A URL without c.Open, or one that holds credentials, is an error that
// wraps [ErrConfig]. With the key input.checksums every file is hashed and compared; one
// that differs, is not listed or is missing is a [ChecksumError].
func (c *Config) OpenData(ctx context.Context) (*ingest.Dataset, error) {
	ds, err := c.openData(ctx, c.IngestOptions())
	if err != nil {
		return nil, err
	}
	if err := c.checkSums(ctx, ds); err != nil {
		return nil, err
	}
	return ds, nil
}

// openData opens the dataset. Who reads it compares checksums, by checkSums or describe.
func (c *Config) openData(ctx context.Context, opt ingest.Options) (*ingest.Dataset, error) {
	if err := effect.Stopped(ctx); err != nil {
		return nil, err
	}
	opt, err := c.keyed(opt)
	if err != nil {
		return nil, err
	}
	if !isURL(c.Data) {
		return ingest.OpenFolder(c.resolve(c.Data), opt)
	}
	fsys, err := c.Open.open(ctx, c.Data)
	if err != nil {
		return nil, err
	}
	if opt.Workers == 0 {
		// Who waits for a store does not work: more goroutines than processors read.
		opt.Workers = max(runtime.GOMAXPROCS(0), min(4*runtime.GOMAXPROCS(0), 32))
	}
	return ingest.OpenFS(fsys, urlBase(c.Data), opt)
}

func (o Opener) open(ctx context.Context, data string) (fs.FS, error) {
	if err := checkURL(data); err != nil {
		return nil, fmt.Errorf("%w: data: %w", ErrConfig, err)
	}
	if o == nil {
		return nil, fmt.Errorf("%w: data: %s is a URL, and this program reads folders; use jobeffekt-cloud, which reads object stores too (docs/cloud.md), or copy the data to a folder", ErrConfig, urlBase(data))
	}
	fsys, err := o(ctx, data)
	if err != nil {
		return nil, fmt.Errorf("data: %s: %w (docs/cloud.md says what a store needs)", urlBase(data), err)
	}
	return fsys, nil
}

// isURL tells URLs from paths: a scheme of two letters or more, and "://".
func isURL(path string) bool {
	scheme, _, ok := strings.Cut(path, "://")
	return ok && len(scheme) > 1 && !strings.ContainsFunc(scheme, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '+'
	})
}

// urlBase is a URL without its query: what its files' names begin with.
func urlBase(u string) string {
	u, _, _ = strings.Cut(u, "?")
	return strings.TrimRight(u, "/")
}

// checkURL refuses a URL that cannot be written to a manifest. What is wrong is said
// without the values, which may be secret.
func checkURL(raw string) error {
	const leaveOut = "and the manifest names the URL: leave it out; credentials come from the environment"
	base, query, _ := strings.Cut(raw, "?")
	_, rest, _ := strings.Cut(base, "://")
	host, _, _ := strings.Cut(rest, "/")
	switch {
	case strings.Contains(host, "@"):
		return fmt.Errorf("the URL holds a user, or a password, before @, %s", leaveOut)
	case strings.Contains(raw, "#"):
		return errors.New("the URL has a part after #, which names nothing (write # in a name as %23)")
	}
	for _, part := range strings.FieldsFunc(query, func(r rune) bool { return r == '&' || r == ';' }) {
		key, value, _ := strings.Cut(part, "=")
		switch {
		case strings.Contains(key, "%"):
			return errors.New("a name after ? in the URL holds a %; write it plainly")
		case isSecret(key), strings.Contains(value, "@"), strings.Contains(value, "%40"):
			return fmt.Errorf("the URL's %s is a credential, or may hold one, %s", key, leaveOut)
		}
	}
	return nil
}

// isSecret says whether a key of a URL's query is one by which credentials are given.
func isSecret(key string) bool {
	plain := strings.Map(func(r rune) rune {
		if strings.ContainsRune("-_. ", r) {
			return -1
		}
		return r
	}, strings.ToLower(key))
	return slices.Contains([]string{"sig", "key", "pwd", "pass", "auth", "user", "username", "sas"}, plain) ||
		slices.ContainsFunc([]string{
			"secret", "token", "password", "passwd", "signature", "credential", "authorization",
			"accesskey", "accessid", "accountkey", "sharedkey", "privatekey", "apikey", "connectionstring",
		}, func(part string) bool { return strings.Contains(plain, part) })
}

// fileURL is the folder that a URL of the scheme file names, "" for any other.
func fileURL(data string) string {
	scheme, rest, _ := strings.Cut(urlBase(data), "://")
	at := strings.IndexByte(rest, '/') // behind the host, which is nobody or localhost
	if !strings.EqualFold(scheme, "file") || at < 0 {
		return ""
	}
	path := unescaped(rest[at:])
	if len(path) > 2 && path[0] == '/' && path[2] == ':' { // file:///C:/data
		path = path[1:]
	}
	return filepath.FromSlash(path)
}

// unescaped is the path of a URL with %20 and its like as they are meant.
func unescaped(path string) string {
	var out []byte
	for i := 0; i < len(path); i++ {
		b := path[i]
		if b == '%' && i+2 < len(path) {
			if n, err := strconv.ParseUint(path[i+1:i+3], 16, 8); err == nil {
				b, i = byte(n), i+2
			}
		}
		out = append(out, b)
	}
	return string(out)
}

// amongData says whether a path lies in the dataset's folder, where it would be taken
// for input. No path lies in an object store.
func (c *Config) amongData(path string) (bool, error) {
	data := c.resolve(c.Data)
	if isURL(data) {
		if data = fileURL(data); data == "" {
			return false, nil
		}
	}
	data, err := filepath.Abs(data)
	if err != nil {
		return false, err
	}
	if path, err = filepath.Abs(path); err != nil {
		return false, err
	}
	rel, err := filepath.Rel(data, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator)), nil
}

// inputSources describes the input files as they are now, but for those that are known
// by their names, which are not read for it.
func inputSources(ctx context.Context, out string, ds *ingest.Dataset, known map[string]Source) ([]Source, error) {
	list := make([]Source, 0, len(ds.Files()))
	total := int64(0)
	for i, file := range ds.Files() {
		if _, ok := known[file]; !ok {
			total += ds.FileSize(i)
		}
	}
	count := effect.Count(ctx, "hashing inputs", "bytes", total)
	for i, file := range ds.Files() {
		path, err := relative(out, file)
		if err != nil {
			return nil, err
		}
		s, ok := known[file]
		if s.Path = path; !ok {
			if s, err = hashOpened(ctx, ds, i, path, count); err != nil {
				return nil, err
			}
		}
		list = append(list, s)
	}
	return list, nil
}

// tick is longer than a file system's clock stands still: 2 seconds on the coarsest.
const tick = 3 * time.Second

// steady says whether the inputs are, after they were read, as they were described: sources in the
// order of the dataset's files. began is when the work began, by the clock of a file system. Files of which it
// is in doubt are hashed again.
func steady(ctx context.Context, ds *ingest.Dataset, described []Source, began time.Time) error {
	doubtful, err := ds.Unchanged(began.Add(-tick))
	if err != nil {
		return err
	}
	count := effect.Count(ctx, "hashing inputs again", "bytes", 0)
	for _, i := range doubtful {
		now, err := hashOpened(ctx, ds, i, described[i].Path, count)
		if err != nil {
			return err
		}
		if now != described[i] {
			return changedFile(ds, i)
		}
	}
	return nil
}

// untouched is [steady] where there is nothing to hash again: a file of which it is in doubt counts as changed.
func untouched(ds *ingest.Dataset) error {
	doubtful, err := ds.Unchanged(time.Unix(1<<40, 0)) // no file is so new
	if err == nil && len(doubtful) > 0 {
		err = changedFile(ds, doubtful[0])
	}
	return err
}

func changedFile(ds *ingest.Dataset, i int) error {
	return &ingest.FileError{File: ds.Files()[i], Err: ingest.ErrChanged, Cure: "run again when the export has finished"}
}

// hashOpened describes an input file by its place in the dataset.
func hashOpened(ctx context.Context, ds *ingest.Dataset, i int, path string, count *effect.Counted) (Source, error) {
	f, err := ds.OpenFile(i)
	if err != nil {
		return Source{}, err
	}
	defer f.Close()
	h := newHasher(io.Discard)
	err = copyTo(ctx, counting{h, count}, f)
	return h.source(path), err
}

// counting counts the bytes that pass through it.
type counting struct {
	w     io.Writer
	count *effect.Counted
}

func (c counting) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.count.Add(int64(n))
	return n, err
}

// hashInput describes an input that a manifest names, as it is now.
func hashInput(fsys fs.FS, data, path string) (Source, error) {
	name, ok := strings.CutPrefix(path, urlBase(data)+"/")
	if !ok {
		return Source{}, fmt.Errorf("%w: its input %s does not lie in its data", ErrManifest, path)
	}
	f, err := fsys.Open(name)
	if err != nil {
		return Source{}, err
	}
	defer f.Close()
	return hashReader(f, path)
}

// dataFrom is where the data are that the results of a folder were made of.
func (m *Manifest) dataFrom(folder string) (string, error) {
	if isURL(m.Data) {
		return m.Data, nil
	}
	return filepath.Abs(filepath.Join(folder, filepath.FromSlash(m.Data)))
}
