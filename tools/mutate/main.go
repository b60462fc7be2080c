// Command mutate finds out what the tests of a package do not see. It makes small
// changes to the package, one at a time, and runs the tests that reach each: a
// change that no test notices survives, and is a missing test. No file is touched.
//
//	cd tools && go run ./mutate -tests bonus,bonus/spec -sample 500 bonus
//
// All changes are built into one test binary, each behind a number, so that a
// package is compiled once and not once for each change; see instrument.go for
// what is changed. Which tests reach which change, and how long they take, is
// measured first. A change that does not compile is left out and not counted; one
// whose tests do not end in time counts as noticed.
//
// A survivor that is the same program in other words stands in the file of
// -equivalent with its reason. An entry there that is noticed, or is no change any
// more, fails the run.
package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"os/signal"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

type options struct {
	root       string   // of the module
	dir        string   // of the package that is changed, in the module
	files      []string // those of its files that are changed; none means all
	tests      []string // folders whose tests are run, dir first
	sample     int      // how many changes; 0 means all
	seed       int
	workers    int
	equivalent string
	log        string
	csv        string
	label      string
}

func main() {
	var o options
	var files, tests string
	flag.StringVar(&o.root, "root", "..", "folder of the module")
	flag.StringVar(&files, "files", "", "files of the package to change, with commas; all")
	flag.StringVar(&tests, "tests", "", "folders whose tests are run, with commas; the package itself")
	flag.IntVar(&o.sample, "sample", 0, "changes to try, drawn with the seed; all")
	flag.IntVar(&o.seed, "seed", 1, "draws the sample")
	flag.IntVar(&o.workers, "workers", runtime.NumCPU(), "test processes at a time")
	flag.StringVar(&o.equivalent, "equivalent", "mutate/equivalent.txt", "changes that change nothing, with reasons")
	flag.StringVar(&o.log, "log", "", "file for every change and what became of it")
	flag.StringVar(&o.csv, "csv", "", "file to which one line of counts is added")
	flag.StringVar(&o.label, "label", "", "first cell of that line")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "mutate: name the folder of one package")
		os.Exit(2)
	}
	o.dir = path.Clean(flag.Arg(0))
	o.files, o.tests = split(files), split(tests)
	if len(o.tests) == 0 {
		o.tests = []string{o.dir}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}

func split(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' })
}

// result is what became of a change.
type result string

const (
	killed     result = "killed"     // a test failed
	late       result = "late"       // the tests did not end
	unreached  result = "unreached"  // no test runs it
	survived   result = "survived"   // tests run it and pass
	equivalent result = "equivalent" // survived, and is the same program
)

func run(ctx context.Context, o options, out io.Writer) error {
	root, err := filepath.Abs(o.root)
	if err != nil {
		return err
	}
	o.root = root
	known, err := readEquivalent(o.equivalent, o.dir)
	if err != nil {
		return err
	}
	scratch, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)

	l, err := build(ctx, o, scratch)
	if err != nil {
		return err
	}
	drawn := draw(l.mutants, o.sample, o.seed)
	fmt.Fprintf(out, "%s: %d changes, %d tried, %d did not compile\n", o.dir, len(l.mutants), len(drawn), l.dropped)
	if err := l.reach(ctx); err != nil {
		return err
	}
	fmt.Fprintf(out, "%d tests take %.1f s\n", len(l.tests), l.seconds())
	for _, name := range l.failing {
		fmt.Fprintf(out, "left out, as it fails before anything is changed: %s\n", name)
	}

	became := l.try(ctx, drawn, o.workers)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var log strings.Builder
	count := map[result]int{}
	var wrong []string
	for i, m := range drawn {
		r := became[i].result
		if reason, ok := known[m.key]; ok {
			switch r {
			case survived, unreached:
				r = equivalent
			default:
				wrong = append(wrong, "noticed by "+became[i].by+", though said to change nothing ("+reason+"): "+m.key)
			}
		}
		count[r]++
		fmt.Fprintf(&log, "%s\t%s:%d\t%s\t%s\n", r, m.file, m.line, m.key, became[i].by)
		if r == survived || r == unreached {
			fmt.Fprintf(out, "%-9s line %d  %s\n", r, m.line, m.key)
		}
	}
	all := map[string]bool{}
	for _, m := range l.mutants {
		all[m.key] = true
	}
	for key := range known {
		if file, _, _ := strings.Cut(key, ": "); !all[key] && o.covers(file) {
			wrong = append(wrong, "is no change any more: "+key)
		}
	}
	if o.log != "" {
		if err := os.WriteFile(o.log, []byte(log.String()), 0o644); err != nil {
			return err
		}
	}
	noticed := count[killed] + count[late]
	counted := len(drawn) - count[equivalent]
	low, high := wilson(noticed, counted)
	fmt.Fprintf(out, "%d killed, %d late, %d survived, %d unreached, %d equivalent: %.1f %%", count[killed], count[late], count[survived],
		count[unreached], count[equivalent], 100*float64(noticed)/float64(counted))
	if len(drawn) < len(l.mutants) {
		fmt.Fprintf(out, " (95 %% of all from %.1f to %.1f)", 100*low, 100*high)
	}
	fmt.Fprintln(out)
	if o.csv != "" {
		line := fmt.Sprintf("%s,%s,%d,%d,%d,%d,%d,%d,%d\n", o.label, o.dir, len(l.mutants), len(drawn), count[killed], count[late],
			count[survived], count[unreached], count[equivalent])
		f, err := os.OpenFile(o.csv, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			return err
		}
		_, err = f.WriteString(line)
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	slices.Sort(wrong)
	if len(wrong) > 0 {
		return fmt.Errorf("%s is out of date:\n%s", o.equivalent, strings.Join(wrong, "\n"))
	}
	return nil
}

// covers says whether a file is one of those changed.
func (o options) covers(file string) bool {
	return path.Dir(file) == o.dir && (len(o.files) == 0 || slices.Contains(o.files, path.Base(file)))
}

// readEquivalent reads changes, one a line, each with its reason on lines that
// begin with a space; what begins with # is left out.
func readEquivalent(file, dir string) (map[string]string, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	out, key := map[string]string{}, ""
	for i, line := range strings.Split(string(text), "\n") {
		switch {
		case line == "" || line[0] == '#':
		case line[0] != ' ':
			key = line
			if file, _, ok := strings.Cut(key, ": "); ok && path.Dir(file) == dir {
				out[key] = ""
			}
		case key == "":
			return nil, fmt.Errorf("%s:%d: a reason without a change", file, i+1)
		default:
			if r, ok := out[key]; ok {
				out[key] = strings.TrimSpace(r + " " + strings.TrimSpace(line))
			}
		}
	}
	for key, reason := range out {
		if reason == "" {
			return nil, fmt.Errorf("%s: no reason for %s", file, key)
		}
	}
	return out, nil
}

// draw takes n of the changes, those with the smallest hashes: a change that is
// added elsewhere hardly moves the sample.
func draw(all []*mutant, n, seed int) []*mutant {
	if n == 0 || n >= len(all) {
		return all
	}
	hash := func(m *mutant) uint64 {
		h := sha256.Sum256([]byte(fmt.Sprint(seed, m.key)))
		return binary.BigEndian.Uint64(h[:])
	}
	out := slices.Clone(all)
	slices.SortFunc(out, func(a, b *mutant) int { return cmp.Compare(hash(a), hash(b)) })
	out = out[:n]
	slices.SortFunc(out, func(a, b *mutant) int { return cmp.Compare(a.id, b.id) })
	return out
}

// wilson is the 95 % interval of a share.
func wilson(x, n int) (low, high float64) {
	const z = 1.959963984540054
	N := float64(n)
	p := float64(x) / N
	mid, half := p+z*z/(2*N), z*math.Sqrt(p*(1-p)/N+z*z/(4*N*N))
	return (mid - half) / (1 + z*z/N), (mid + half) / (1 + z*z/N)
}
