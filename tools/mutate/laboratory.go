package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/importer"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// laboratory is a package with all its changes built in, and its tests.
type laboratory struct {
	scratch  string
	mutants  []*mutant
	dropped  int // changes that do not compile
	binaries []program
	tests    []*test
	failing  []string        // tests that fail before anything is changed, and are left out
	reached  map[int][]*test // by change, the quickest first
}

type program struct {
	file, folder string
	flags        []string
}

type test struct {
	binary int
	name   string
	takes  time.Duration
}

// listed is what go list says of a package.
type listed struct {
	Dir, ImportPath, Name, Export string
	GoFiles                       []string
	Deps                          []string
	TestImports, XTestImports     []string
}

func list(ctx context.Context, root string, args ...string) ([]listed, error) {
	cmd := exec.CommandContext(ctx, "go", append([]string{"list", "-json=Dir,ImportPath,Name,Export,GoFiles,Deps,TestImports,XTestImports"}, args...)...)
	cmd.Dir, cmd.Stderr = root, os.Stderr
	text, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list %s: %w", strings.Join(args, " "), err)
	}
	var out []listed
	for d := json.NewDecoder(bytes.NewReader(text)); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return out, nil
		} else if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
}

var number = regexp.MustCompile(`\bmut[A-Z]\w*(?:\[[^\]]*\])?\((\d+)`)

// build makes the test binaries. Changes on a line that does not compile are left
// out, and it is tried again.
func build(ctx context.Context, o options, scratch string) (*laboratory, error) {
	all, err := list(ctx, o.root, "-export", "-deps", "./"+o.dir)
	if err != nil {
		return nil, err
	}
	export := map[string]string{}
	for _, p := range all {
		export[p.ImportPath] = p.Export
	}
	self := all[len(all)-1]
	fset, files, info, pkg, err := parsed(self.Dir, self.GoFiles, self.ImportPath,
		importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) { return os.Open(export[path]) }))
	if err != nil {
		return nil, err
	}

	l := &laboratory{scratch: scratch, reached: map[int][]*test{}}
	bad := map[int]bool{}
	for attempt := 0; ; attempt++ {
		if attempt == 20 {
			return nil, errors.New("still does not compile")
		}
		replace := map[string]string{}
		texts := map[string][]string{}
		next, used := 0, map[string]int{}
		l.mutants = nil
		for i, name := range self.GoFiles {
			if len(o.files) > 0 && !slices.Contains(o.files, name) {
				continue
			}
			text, mutants, err := instrumented(fset, files[i], o.dir+"/"+name, info, pkg, &next, used, func(id int) bool { return !bad[id] })
			if err != nil {
				return nil, err
			}
			l.mutants = append(l.mutants, mutants...)
			to := filepath.Join(scratch, name)
			if err := os.WriteFile(to, []byte(text), 0o600); err != nil {
				return nil, err
			}
			replace[filepath.Join(self.Dir, name)], texts[name] = to, strings.Split(text, "\n")
		}
		extra := filepath.Join(scratch, "mutate_support.go")
		if err := os.WriteFile(extra, fmt.Appendf(nil, support, self.Name), 0o600); err != nil {
			return nil, err
		}
		replace[filepath.Join(self.Dir, "mutate_support.go")] = extra
		overlay, err := json.Marshal(map[string]any{"Replace": replace})
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(scratch, "overlay.json"), overlay, 0o600); err != nil {
			return nil, err
		}
		said, err := l.compile(ctx, o)
		if err == nil {
			l.dropped = len(bad)
			return l, nil
		}
		before := len(bad)
		for _, m := range regexp.MustCompile(`(?m)([\w.]+\.go):(\d+):\d+: `).FindAllStringSubmatch(said, -1) {
			line, _ := strconv.Atoi(m[2])
			if lines := texts[m[1]]; line > 0 && line <= len(lines) {
				for _, id := range number.FindAllStringSubmatch(lines[line-1], -1) {
					n, _ := strconv.Atoi(id[1])
					bad[n] = true
					if strings.HasPrefix(id[0], "mutConst") {
						bad[n+1] = true
					}
				}
			}
		}
		if len(bad) == before {
			return nil, fmt.Errorf("does not compile: %w\n%s", err, said)
		}
	}
}

// compile builds the test binary of every folder of tests.
func (l *laboratory) compile(ctx context.Context, o options) (string, error) {
	l.binaries = nil
	for i, dir := range o.tests {
		file := filepath.Join(l.scratch, fmt.Sprintf("tests%d", i))
		cmd := exec.CommandContext(ctx, "go", "test", "-c", "-ldflags=-s", "-gcflags=-e", "-overlay", filepath.Join(l.scratch, "overlay.json"), "-o", file, "./"+dir)
		cmd.Dir = o.root
		said, err := cmd.CombinedOutput()
		if err != nil {
			return string(said), fmt.Errorf("go test -c ./%s: %w", dir, err)
		}
		b := program{file: file, folder: filepath.Join(o.root, dir)}
		p, err := list(ctx, o.root, "./"+dir)
		if err != nil {
			return "", err
		}
		if slices.Contains(append(p[0].TestImports, p[0].XTestImports...), "pgregory.net/rapid") {
			// The same draws every time, and no time spent on making a failure small.
			b.flags = []string{"-rapid.seed=1", "-rapid.nofailfile", "-rapid.shrinktime=1ms"}
		}
		l.binaries = append(l.binaries, b)
	}
	return "", nil
}

// start runs tests of one binary, with a limit of memory: a change can ask for all there is.
func (l *laboratory) start(ctx context.Context, binary int, names []string, limit time.Duration, env ...string) (failed, ended bool, said string) {
	b := l.binaries[binary]
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	args := append([]string{
		"-c", `ulimit -v 8000000 2>/dev/null; exec "$0" "$@"`, b.file, "-test.short", "-test.failfast", "-test.timeout=0",
		"-test.run=^(" + strings.Join(names, "|") + ")$",
	}, b.flags...)
	cmd := exec.CommandContext(limited, "/bin/sh", args...)
	cmd.Dir = b.folder
	cmd.Env = append(append(os.Environ(), "TMPDIR="+l.scratch), env...)
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	if limited.Err() != nil {
		return true, false, string(out)
	}
	return err != nil, true, string(out)
}

// reach runs every test alone, and notes which changes it comes by.
func (l *laboratory) reach(ctx context.Context) error {
	for i, b := range l.binaries {
		cmd := exec.CommandContext(ctx, b.file, "-test.list=^(Test|Example|Fuzz)")
		cmd.Dir = b.folder
		names, err := cmd.Output()
		if err != nil {
			return fmt.Errorf("listing the tests of %s: %w", b.folder, err)
		}
		for _, name := range strings.Fields(string(names)) {
			file := filepath.Join(l.scratch, "reached")
			if err := os.WriteFile(file, nil, 0o600); err != nil {
				return err
			}
			began := time.Now()
			failed, _, said := l.start(ctx, i, []string{name}, 10*time.Minute, "MUTATE_REACHED="+file)
			if failed {
				// One that counts allocations or seconds, or reads the source, may fail for what is built in.
				l.failing = append(l.failing, name)
				if len(l.failing) > 3 {
					return fmt.Errorf("%s fail before anything is changed; the last:\n%s", strings.Join(l.failing, ", "), said)
				}
				continue
			}
			t := &test{binary: i, name: name, takes: time.Since(began)}
			l.tests = append(l.tests, t)
			ids, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			for _, id := range strings.Fields(string(ids)) {
				n, err := strconv.Atoi(id)
				if err != nil {
					return err
				}
				if !slices.Contains(l.reached[n], t) { // a process that a test starts may say so again
					l.reached[n] = append(l.reached[n], t)
				}
			}
		}
	}
	for _, tests := range l.reached {
		slices.SortStableFunc(tests, func(a, b *test) int { return int(a.takes - b.takes) })
	}
	return nil
}

func (l *laboratory) seconds() (sum float64) {
	for _, t := range l.tests {
		sum += t.takes.Seconds()
	}
	return sum
}

type outcome struct {
	result result
	by     string
}

// try runs the tests that reach each change with it on.
func (l *laboratory) try(ctx context.Context, drawn []*mutant, workers int) []outcome {
	out := make([]outcome, len(drawn))
	var wait sync.WaitGroup
	turn := make(chan int)
	for range max(1, workers) {
		wait.Go(func() {
			for i := range turn {
				out[i] = l.one(ctx, drawn[i])
			}
		})
	}
	for i := range drawn {
		if ctx.Err() != nil {
			break
		}
		turn <- i
	}
	close(turn)
	wait.Wait()
	return out
}

// one runs the tests of a change, the quickest first, some in each process.
func (l *laboratory) one(ctx context.Context, m *mutant) outcome {
	tests := l.reached[m.id]
	if len(tests) == 0 {
		return outcome{unreached, ""}
	}
	for most := 300 * time.Millisecond; len(tests) > 0; most *= 8 {
		batch := map[int][]string{}
		sum, n := time.Duration(0), 0
		for n < len(tests) && (n == 0 || sum+tests[n].takes <= most) {
			sum += tests[n].takes
			batch[tests[n].binary] = append(batch[tests[n].binary], tests[n].name)
			n++
		}
		tests = tests[n:]
		for b := range l.binaries {
			if len(batch[b]) == 0 {
				continue
			}
			failed, ended, said := l.start(ctx, b, batch[b], 15*time.Second+10*sum, "MUTATE_ON="+strconv.Itoa(m.id))
			switch {
			case !ended:
				return outcome{late, strings.Join(batch[b], " ")}
			case failed:
				by := regexp.MustCompile(`--- FAIL: (\w+)`).FindStringSubmatch(said)
				if by == nil {
					return outcome{killed, "panic in " + batch[b][0]}
				}
				return outcome{killed, by[1]}
			}
		}
	}
	return outcome{survived, ""}
}
