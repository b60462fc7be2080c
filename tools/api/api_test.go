// Package api_test tries .ci/api on a repository of its own.
package api_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestAPI(t *testing.T) {
	for _, program := range []string{"bash", "git", "tar", "awk"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip(program + " is missing")
		}
	}
	folder := t.TempDir()
	run := func(name string, args ...string) (string, bool) {
		t.Helper()
		cmd := exec.Command(name, args...)
		cmd.Dir = folder
		cmd.Env = append(os.Environ(), "API_REPOSITORY="+folder, "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_SYSTEM="+os.DevNull)
		out, err := cmd.CombinedOutput()
		return string(out), err == nil
	}
	must := func(name string, args ...string) {
		t.Helper()
		if out, ok := run(name, args...); !ok {
			t.Fatalf("%s: %s", name, out)
		}
	}
	write := func(name, text string) {
		t.Helper()
		file := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	script, err := filepath.Abs("../../.ci/api")
	if err != nil {
		t.Fatal(err)
	}
	// api runs the script and says whether it passes; every text must stand in what it says.
	api := func(passes bool, texts ...string) {
		t.Helper()
		out, ok := run("bash", script)
		if ok != passes {
			t.Errorf("passes is %v, want %v:\n%s", ok, passes, out)
		}
		for _, text := range texts {
			if !strings.Contains(out, text) {
				t.Errorf("%q is not in:\n%s", text, out)
			}
		}
	}

	write("go.mod", "module example.org/thing\n\ngo 1.26.0\n")
	write("thing.go", "package thing\n\ntype T struct{ A int }\n\nfunc (t *T) M(x int) int { return x }\n\nfunc F() {}\n")
	write("p/p.go", "package p\n\nfunc G(a int) int { return a }\n")
	write("q/q.go", "package q\n\nconst Q = 1\n")
	write("internal/in/in.go", "package in\n\nfunc Hidden() {}\n")
	must("git", "init", "-q")
	must("git", "add", "-A")
	must("git", "-c", "user.name=test", "-c", "user.email=test@example.org", "commit", "-q", "-m", "first")
	api(true, "No tag yet")

	must("git", "tag", "v0.1.0")
	api(true, "Programs written for v0.1.0 can be built with this.")

	// What is added, and what nobody outside sees, breaks no program.
	write("thing.go", "package thing\n\ntype T struct{ A, B int }\n\nfunc (t *T) M(x int) int { return x }\n\nfunc F() {}\n\nfunc New() {}\n")
	write("internal/in/in.go", "package in\n")
	api(true)

	write("thing.go", "package thing\n\ntype T struct{ A int }\n\nfunc (t *T) M(x int64) int { return 0 }\n")
	write("p/p.go", "package p\n\nfunc G(a, b int) int { return a }\n")
	if err := os.RemoveAll(filepath.Join(folder, "q")); err != nil {
		t.Fatal(err)
	}
	api(false, "F: removed", "`thing.F`", "`thing.T.M`", "`p.G`", "`q`")

	// Named elsewhere is not named, and one that is not named is enough.
	write("CHANGELOG.md", "# Changelog\n\n## Unreleased\n\nGone: `thing.F`.\n\n### Changed, incompatible\n\n- `thing.T.M`, `p.G`\n- `q`\n\n## v0.1.0\n\n"+
		"### Changed, incompatible\n\n- `thing.F`\n")
	api(false, "`thing.F`")
	write("CHANGELOG.md", "# Changelog\n\n## Unreleased\n\n### Changed, incompatible\n\n- `thing.T.M`, `p.G`, `thing.F`\n- `q`\n")
	api(true, "but for 4 changes")

	write("thing.go", "package thing\n\nfunc F() { nothing() }\n") // what does not compile is no passing check
	api(false)
}
