// Package store shows a folder of an object store as an io/fs file system, for
// [ingest.OpenFS]. Nothing of it is written to.
//
// A file is as it was when it was first looked at: every answer to a read says which
// version of the object it is of, and another one is refused with
// [ingest.ErrChanged]. So a file needs one request when it is looked at and none when
// it is opened again.
package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"cloud.google.com/go/storage"
	azure "github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"gocloud.dev/blob"
	"gocloud.dev/blob/azureblob"
	"gocloud.dev/blob/fileblob"
	"gocloud.dev/blob/gcsblob"
	"gocloud.dev/blob/s3blob"
	"gocloud.dev/gcerrors"
	"gocloud.dev/gcp"

	"github.com/jobeffekt/jobeffekt/ingest"
)

// Options say how objects are read. Start from [DefaultOptions].
type Options struct {
	// Piece is the most bytes of one request, and Least the fewest of one that no plan
	// told of. Planned ranges that lie within Gap of each other are read together.
	Piece, Least, Gap int64
	// Ahead is how many further pieces of what is planned are fetched meanwhile.
	Ahead int
	// Keep is how many bytes an open file holds, beside the pieces being fetched.
	Keep int64
	// Attempts is how often a read is tried, after Wait, then after four times that,
	// and so on. Idle is how long an answer may bring nothing.
	Attempts   int
	Wait, Idle time.Duration
}

// DefaultOptions reads pieces of 8 MiB, two ahead, at least 256 KiB at a time and
// over gaps of 128 KiB; holds 64 MiB a file; tries four times, after 0.2, 0.8 and 3.2
// seconds; and waits 30 seconds for an answer.
func DefaultOptions() Options {
	return Options{
		Piece: 8 << 20, Least: 256 << 10, Gap: 128 << 10, Ahead: 2, Keep: 64 << 20,
		Attempts: 4, Wait: 200 * time.Millisecond, Idle: 30 * time.Second,
	}
}

// ErrScheme is wrapped by the error about a URL of no store that is known.
var ErrScheme = errors.New("no such store: data are s3://bucket/folder, gs://bucket/folder, azblob://container/folder or file:///folder")

var (
	errTruncated = errors.New("the store's answer is cut short")
	errOther     = errors.New("the store's answer is not of the bytes asked for")
	errIdle      = errors.New("the store stopped answering")
	errGone      = errors.New("it is listed but cannot be had: it was removed meanwhile, or its rights differ from those of the listing")
)

// Open opens the folder that a URL names, for as long as the context lasts. What
// stands after ? is for the store's library: region, endpoint, profile,
// use_path_style, anonymous and others for s3, storage_account, domain, protocol,
// localemu for azblob. Credentials come from where the store's own programs look for
// them. The file system may be used from several goroutines, each file by one.
func (o Options) Open(ctx context.Context, data string) (fs.FS, error) {
	u, err := url.Parse(data)
	if err != nil {
		return nil, fmt.Errorf("no URL that can be read (write special characters as %%20)")
	}
	folder := strings.Trim(u.Path, "/")
	query := u.Query()
	switch u.Scheme {
	case s3blob.Scheme:
		// Answers to ranges have no checksum, and the library warns of each.
		if !query.Has("response_checksum_validation") {
			query.Set("response_checksum_validation", "when_required")
		}
	case gcsblob.Scheme:
		// The library would go on with none, and say something else later.
		if query.Get("anonymous") != "true" && os.Getenv("STORAGE_EMULATOR_HOST") == "" {
			if _, err := gcp.DefaultCredentials(ctx); err != nil {
				return nil, errors.New("there are no credentials: name their file in GOOGLE_APPLICATION_CREDENTIALS, or use gcloud auth application-default login")
			}
		}
	case azureblob.Scheme:
	case fileblob.Scheme:
		folder = ""
		query.Set("metadata", "skip")
	default:
		return nil, fmt.Errorf("%w (given: %s://)", ErrScheme, u.Scheme)
	}
	if u.Scheme != fileblob.Scheme {
		u.Path = ""
	}
	u.RawQuery = query.Encode()
	bucket, err := blob.OpenBucket(ctx, u.String())
	if err != nil {
		return nil, clean(ctx, err)
	}
	if folder != "" {
		bucket = blob.PrefixedBucket(bucket, folder+"/")
	}
	context.AfterFunc(ctx, func() { _ = bucket.Close() })
	return o.over(ctx, bucket), nil
}

// over is the file system of a bucket.
func (o Options) over(ctx context.Context, bucket *blob.Bucket) *folder {
	return &folder{ctx: ctx, bucket: bucket, o: o, known: map[string]*info{}, listed: map[string]bool{}}
}

// folder is the file system.
type folder struct {
	ctx    context.Context
	bucket *blob.Bucket
	o      Options

	mu     sync.Mutex
	known  map[string]*info
	listed map[string]bool
}

// info is a file, or a folder, as it was when it was first looked at.
type info struct {
	name    string // in the file system
	size    int64
	mtime   time.Time
	version ingest.Version
	dir     bool
}

func (i *info) Name() string               { return path.Base(i.name) }
func (i *info) Size() int64                { return i.size }
func (i *info) ModTime() time.Time         { return i.mtime }
func (i *info) IsDir() bool                { return i.dir }
func (i *info) Sys() any                   { return i.version }
func (i *info) Type() fs.FileMode          { return i.Mode().Type() }
func (i *info) Info() (fs.FileInfo, error) { return i, nil }
func (i *info) Mode() fs.FileMode {
	if i.dir {
		return fs.ModeDir | 0o555
	}
	return 0o444
}

// entry is a file of a listing; more is known of it when it is looked at.
type entry struct {
	folder *folder
	name   string
}

func (e entry) Name() string               { return path.Base(e.name) }
func (e entry) IsDir() bool                { return false }
func (e entry) Type() fs.FileMode          { return 0 }
func (e entry) Info() (fs.FileInfo, error) { return e.folder.Stat(e.name) }

// Open opens a file, without a request if it was looked at before.
func (f *folder) Open(name string) (fs.File, error) {
	i, err := f.look("open", name)
	if err != nil {
		return nil, err
	}
	if i.dir {
		return &listing{folder: f, info: i}, nil
	}
	ctx, cancel := context.WithCancel(f.ctx)
	return &file{folder: f, info: i, ctx: ctx, cancel: cancel}, nil
}

// Stat looks at a file: one request the first time, none later.
func (f *folder) Stat(name string) (fs.FileInfo, error) {
	i, err := f.look("stat", name)
	if err != nil {
		return nil, err
	}
	return i, nil
}

func (f *folder) look(op, name string) (*info, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	if name == "." {
		return &info{name: ".", dir: true}, nil
	}
	f.mu.Lock()
	i, listed := f.known[name], f.listed[name]
	f.mu.Unlock()
	if i != nil {
		return i, nil
	}
	var attrs *blob.Attributes
	err := f.try(func(ctx context.Context) (err error) {
		attrs, err = f.bucket.Attributes(ctx, name)
		return err
	})
	switch {
	case err == nil:
		i = &info{name: name, size: attrs.Size, mtime: attrs.ModTime, version: version(attrs)}
	case errors.Is(err, fs.ErrNotExist) && listed:
		err = errGone
	case errors.Is(err, fs.ErrNotExist):
		if _, list := f.ReadDir(name); list == nil {
			i, err = &info{name: name, dir: true}, nil
		}
	}
	if err != nil {
		return nil, &fs.PathError{Op: op, Path: name, Err: err}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if before := f.known[name]; before != nil { // somebody else looked at it meanwhile
		return before, nil
	}
	f.known[name] = i
	return i, nil
}

// ReadDir lists a folder: one request for each thousand objects. A store has no empty
// folders, so that one without objects is not there.
func (f *folder) ReadDir(name string) ([]fs.DirEntry, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	prefix := name + "/"
	if name == "." {
		prefix = ""
	}
	var out []fs.DirEntry
	token := blob.FirstPageToken
	for len(token) > 0 {
		var page []*blob.ListObject
		var next []byte
		err := f.try(func(ctx context.Context) (err error) {
			page, next, err = f.bucket.ListPage(ctx, token, 1000, &blob.ListOptions{Prefix: prefix, Delimiter: "/"})
			return err
		})
		if err != nil {
			return nil, &fs.PathError{Op: "open", Path: name, Err: err}
		}
		token = next
		f.mu.Lock()
		for _, o := range page {
			full := strings.TrimSuffix(o.Key, "/")
			switch {
			case !fs.ValidPath(full) || path.Dir(full) != name:
				// The folder's own marker, and names that no file has.
			case o.IsDir:
				i := &info{name: full, dir: true}
				f.known[full] = i
				out = append(out, i)
			case full == o.Key:
				f.listed[full] = true
				out = append(out, entry{f, full})
			}
		}
		f.mu.Unlock()
	}
	if len(out) == 0 {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fmt.Errorf("nothing lies there that may be listed (%w)", fs.ErrNotExist)}
	}
	slices.SortFunc(out, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return out, nil
}

// try does a request until it succeeds, is refused, or was tried often enough.
func (f *folder) try(request func(context.Context) error) error {
	wait := f.o.Wait
	for attempt := 1; ; attempt++ {
		ctx, cancel := context.WithTimeoutCause(f.ctx, f.o.Idle, errIdle)
		err := clean(ctx, request(ctx))
		cancel()
		if err == nil || final(err) || attempt >= f.o.Attempts {
			return err
		}
		if err := sleep(f.ctx, wait); err != nil {
			return err
		}
		wait *= 4
	}
}

func sleep(ctx context.Context, wait time.Duration) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// final says whether trying again would bring nothing else.
func final(err error) bool {
	for _, f := range []error{context.Canceled, context.DeadlineExceeded, fs.ErrNotExist, fs.ErrPermission, ingest.ErrChanged} {
		if errors.Is(err, f) {
			return true
		}
	}
	return false
}

// clean says what a store's library reported: without its layers, and without what
// stands after ? in addresses, where some stores have signatures.
func clean(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	for _, known := range []error{context.Canceled, ingest.ErrChanged, errTruncated, errOther} {
		if errors.Is(err, known) {
			return err
		}
	}
	layers := regexp.MustCompile(`^blob( \(key "[^"]*"\))? \(code=\w+\): `)
	text := strings.Join(strings.Fields(regexp.MustCompile(`\?[^\s"]*`).ReplaceAllString(layers.ReplaceAllString(err.Error(), ""), "")), " ")
	if len(text) > 400 {
		text = strings.ToValidUTF8(text[:400], "") + " ..."
	}
	switch gcerrors.Code(err) {
	case gcerrors.NotFound:
		return fmt.Errorf("%w in the store, or may not be seen: %s", fs.ErrNotExist, text)
	case gcerrors.PermissionDenied:
		return fmt.Errorf("%w by the store; see that the credentials are there and may read it: %s", fs.ErrPermission, text)
	}
	return fmt.Errorf("the store: %s", text)
}

// version is what tells one content of an object from another.
func version(a *blob.Attributes) ingest.Version {
	var google storage.ObjectAttrs
	if a.As(&google) {
		return generation(google.Generation)
	}
	return ingest.Version(a.ETag)
}

func generation(n int64) ingest.Version { return ingest.Version(fmt.Sprint("generation ", n)) }

// versionRead is the version that an answer is of; all stores that are known say it.
func versionRead(r *blob.Reader) ingest.Version {
	var amazon s3.GetObjectOutput
	var google *storage.Reader
	var microsoft azure.DownloadStreamResponse
	switch {
	case r.As(&amazon):
		return ingest.Version(aws.ToString(amazon.ETag))
	case r.As(&google):
		return generation(google.Attrs.Generation)
	case r.As(&microsoft) && microsoft.ETag != nil:
		return ingest.Version(*microsoft.ETag)
	}
	// fileblob, as it makes its ETags.
	return ingest.Version(fmt.Sprintf("\"%x-%x\"", r.ModTime().UnixNano(), r.Size()))
}

// fetch reads bytes of an object, all of them or an error.
func (f *folder) fetch(ctx context.Context, i *info, at int64, b []byte) error {
	wait := f.o.Wait
	for attempt := 1; ; attempt++ {
		n, err := f.read(ctx, i, at, b)
		at, b = at+int64(n), b[n:]
		if err == nil || final(err) || attempt >= f.o.Attempts {
			return err
		}
		if err := sleep(ctx, wait); err != nil {
			return err
		}
		wait *= 4
	}
}

// once keeps a store's library from trying a read again by itself, where it lets one:
// how often it is tried is said here, and its last error is what is told.
func once(as func(any) bool) error {
	var amazon *[]func(*s3.Options)
	if as(&amazon) {
		*amazon = append(*amazon, func(o *s3.Options) { o.Retryer = aws.NopRetryer{} })
	}
	var google **storage.ObjectHandle
	if as(&google) {
		*google = (*google).Retryer(storage.WithPolicy(storage.RetryNever))
	}
	return nil
}

// read asks once, and returns how much came.
func (f *folder) read(ctx context.Context, i *info, at int64, b []byte) (n int, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	idle := time.AfterFunc(f.o.Idle, func() { cancel(errIdle) })
	defer idle.Stop()
	r, err := f.bucket.NewRangeReader(ctx, i.name, at, int64(len(b)), &blob.ReaderOptions{BeforeRead: once})
	if err != nil {
		return 0, clean(ctx, err)
	}
	defer r.Close()
	if versionRead(r) != i.version {
		return 0, ingest.ErrChanged
	}
	for n < len(b) && err == nil {
		idle.Reset(f.o.Idle)
		var k int
		k, err = r.Read(b[n:])
		n += k
	}
	if n < len(b) {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = errTruncated
		}
		return n, clean(ctx, err)
	}
	// One who gives the whole object, or more than was asked for, gives other bytes.
	if k, _ := r.Read(make([]byte, 1)); k > 0 {
		return 0, errOther
	}
	return n, nil
}
