package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A small package whose tests are known to miss some changes: each is found, by
// name, and no file of it is touched.
func TestMutate(t *testing.T) {
	root := t.TempDir()
	files := map[string]string{
		"go.mod": "module example.org/small\n\ngo 1.26.0\n",
		"p/p.go": `package p

import "errors"

func Sign(x int) int {
	if x < 0 {
		return -1
	}
	return 1
}

func Sum(list []int) (sum int) {
	for _, x := range list {
		if x == 7 {
			continue
		}
		sum += x
	}
	return sum
}

func Unused(a, b bool) bool { return a && b }

func Fail(x int) error {
	if x > 2 {
		return errors.New("large")
	}
	return nil
}
`,
		"p/p_test.go": `package p

import "testing"

func TestAll(t *testing.T) {
	if Sign(-3) != -1 || Sign(2) != 1 || Sum([]int{1, 2, 7}) != 3 || Fail(5) == nil || Fail(1) != nil {
		t.Fatal()
	}
}
`,
		"equivalent.txt": "# none\n",
	}
	for name, text := range files {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	try := func() (string, error) {
		var out strings.Builder
		err := run(context.Background(), options{
			root: root, dir: "p", tests: []string{"p"}, workers: 2,
			equivalent: filepath.Join(root, "equivalent.txt"), log: filepath.Join(root, "log"),
		}, &out)
		return out.String(), err
	}
	out, err := try()
	if err != nil {
		t.Fatal(err, out)
	}
	log, err := os.ReadFile(filepath.Join(root, "log"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"killed\tp/p.go:6\tp/p.go: Sign: not x < 0\tTestAll",
		"unreached\tp/p.go:6\tp/p.go: Sign: x < 0 -> x <= 0\t",                 // no test of 0
		"survived\tp/p.go:15\tp/p.go: Sum: continue -> break\t",                // the 7 comes last
		"killed\tp/p.go:17\tp/p.go: Sum: without sum += x\tTestAll",            //
		"killed\tp/p.go:17\tp/p.go: Sum: sum += x -> -=\tTestAll",              //
		"unreached\tp/p.go:22\tp/p.go: Unused: a && b -> a || b\t",             //
		"killed\tp/p.go:26\tp/p.go: Fail: return errors.New(\"large\") -> nil", //
		"survived\tp/p.go:25\tp/p.go: Fail: in x > 2: 2 -> 2 + 1",              // 3 is not tried
	} {
		if !strings.Contains(string(log), want) {
			t.Errorf("%q is not in:\n%s", want, log)
		}
	}
	for name, text := range files {
		if got, err := os.ReadFile(filepath.Join(root, name)); err != nil || string(got) != text {
			t.Errorf("%s was touched", name)
		}
	}

	// What is said to change nothing must be a change, and not be noticed.
	entry := func(text string) {
		if err := os.WriteFile(filepath.Join(root, "equivalent.txt"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	entry("p/p.go: Sum: continue -> break\n  as a trial\n")
	if out, err := try(); err != nil || !strings.Contains(out, "1 equivalent") {
		t.Error(err, out)
	}
	entry("p/p.go: Sign: not x < 0\n  wrongly\n")
	if _, err := try(); err == nil || !strings.Contains(err.Error(), "noticed by TestAll") {
		t.Error(err)
	}
	entry("p/p.go: Gone: not x < 0\n  once\n")
	if _, err := try(); err == nil || !strings.Contains(err.Error(), "is no change any more") {
		t.Error(err)
	}
	entry("p/p.go: Sum: continue -> break\n")
	if _, err := try(); err == nil || !strings.Contains(err.Error(), "no reason") {
		t.Error(err)
	}
}
