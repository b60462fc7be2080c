package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"github.com/stretchr/testify/require"
)

// The test program is also the store, and the command: each a process of its own.
func TestMain(m *testing.M) {
	switch os.Getenv("JOBEFFEKT_TEST_AS") {
	case "store":
		serve()
	case "command":
		main()
	default:
		os.Exit(m.Run())
	}
}

// serve is an S3 store in memory, on the loopback, until its input ends.
func serve() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(l.Addr())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	panic(http.Serve(l, gofakes3.New(s3mem.New()).Server()))
}

// bucket is the name of the bucket of every test.
const bucket = "region"

// door stands before the store: it counts what comes through and can do harm.
type door struct {
	*httptest.Server
	store string // address of the process
	admin *s3.Client

	latency time.Duration // of every answer

	mu     sync.Mutex
	counts map[string]int // of HEAD, GET and LIST
	bytes  int64          // of answers to GET
	// harm, if not nil, sees the requests for objects and lists; it returns true where
	// it answered. n counts the requests of the kind and object, from 1.
	harm func(w http.ResponseWriter, r *http.Request, kind, key string, n int) bool
	seen map[string]int
}

// open starts a store in a process of its own, and the door before it.
func open(t testing.TB) *door {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "JOBEFFEKT_TEST_AS=store")
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Wait()
	})
	address, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)

	d := &door{store: "http://" + strings.TrimSpace(address), counts: map[string]int{}, seen: map[string]int{}}
	d.Server = httptest.NewServer(d)
	t.Cleanup(d.Server.Close)
	d.admin = s3.New(s3.Options{
		BaseEndpoint: aws.String(d.store), UsePathStyle: true, Region: "eu-north-1",
		Credentials: credentials.NewStaticCredentialsProvider("id", "hush", ""),
	})
	_, err = d.admin.CreateBucket(context.Background(), &s3.CreateBucketInput{Bucket: aws.String(bucket)})
	require.NoError(t, err)

	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "hush", "AWS_REGION": "eu-north-1", "AWS_EC2_METADATA_DISABLED": "true",
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
		"AWS_MAX_ATTEMPTS": "1", // the library's own; ours are what is tested
	} {
		t.Setenv(name, value)
	}
	return d
}

// url is the URL of a folder.
func (d *door) url(folder string) string {
	return "s3://" + bucket + "/" + folder + "?endpoint=" + d.URL + "&use_path_style=true"
}

// put writes an object.
func (d *door) put(t testing.TB, key string, content []byte) {
	t.Helper()
	_, err := d.admin.PutObject(context.Background(), &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String(key), Body: bytes.NewReader(content)})
	require.NoError(t, err)
}

// upload copies a folder, and forgets what was counted.
func (d *door) upload(t testing.TB, dir, folder string) {
	t.Helper()
	require.NoError(t, fs.WalkDir(os.DirFS(dir), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := fs.ReadFile(os.DirFS(dir), name)
		d.put(t, path.Join(folder, name), b)
		return err
	}))
}

// forget begins to count anew.
func (d *door) forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.counts, d.bytes, d.seen = map[string]int{}, 0, map[string]int{}
}

// count is how many requests of each kind came; answers that nobody waits for may
// still be under way.
func (d *door) count() map[string]int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(d.counts)
}

// sent is how many bytes of objects went out.
func (d *door) sent() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.bytes
}

// asked is how often something was asked of an object.
func (d *door) asked(kind, key string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.seen[kind+key]
}

// ServeHTTP counts, harms or passes on.
func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	key := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/"+bucket), "/")
	kind := r.Method
	if key == "" {
		kind, key = "LIST", r.URL.Query().Get("prefix")
	}
	d.mu.Lock()
	d.counts[kind]++
	d.seen[kind+key]++
	n, harm := d.seen[kind+key], d.harm
	d.mu.Unlock()
	if harm != nil && harm(w, r, kind, key, n) {
		return
	}
	time.Sleep(d.latency)
	sent := d.pass(w, r, nil)
	if kind == http.MethodGet {
		d.mu.Lock()
		d.bytes += sent
		d.mu.Unlock()
	}
}

// pass asks the store and hands its answer on, as change makes it.
func (d *door) pass(w http.ResponseWriter, r *http.Request, change func(*http.Response)) int64 {
	ask, err := http.NewRequestWithContext(r.Context(), r.Method, d.store+r.URL.RequestURI(), nil)
	if err != nil {
		panic(err)
	}
	for _, name := range []string{"Range", "If-Match"} {
		if v := r.Header.Get(name); v != "" {
			ask.Header.Set(name, v)
		}
	}
	answer, err := http.DefaultTransport.RoundTrip(ask)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer answer.Body.Close()
	if change != nil {
		change(answer)
	}
	for name, v := range answer.Header {
		w.Header()[name] = v
	}
	w.WriteHeader(answer.StatusCode)
	n, err := io.Copy(w, answer.Body)
	if err != nil {
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler) // the connection is cut, as the one behind was
	}
	return n
}

// status answers with a fault as S3 words it.
func status(w http.ResponseWriter, code int, name string) bool {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(code)
	fmt.Fprintf(w, "<Error><Code>%s</Code><Message>as the test wants</Message></Error>", name)
	return true
}

// quick is a time that is long for the loopback and short for a test.
const quick = 400 * time.Millisecond
