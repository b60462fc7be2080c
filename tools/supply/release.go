package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"
)

// toolchain is the release of Go that releases are built with. Another one makes other
// bytes of the same source.
const toolchain = "go1.26.8"

// platforms are the systems that a release has archives for.
func platforms() []string {
	return []string{"darwin/amd64", "darwin/arm64", "linux/amd64", "linux/arm64", "windows/amd64", "windows/arm64"}
}

// release writes the archives of the commit that is checked out in root to a folder that
// is new or empty: one for each target with its SBOM beside it, and SHA256SUMS.
//
// It builds from a clone in which the commit is tagged with the version, so that go itself
// puts version and revision into the program, and nothing that is not committed goes along.
// Everything else that could tell one machine from another is set here.
func release(w io.Writer, root string, targets []string, version, out string) error {
	if !regexp.MustCompile(`^v(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?$`).MatchString(version) {
		return fmt.Errorf("the version %q does not read as v1.2.3", version)
	}
	for _, target := range targets {
		if !slices.Contains(platforms(), target) {
			return fmt.Errorf("no target %q: there are %s", target, strings.Join(platforms(), ", "))
		}
	}
	if entries, err := os.ReadDir(out); err == nil && len(entries) > 0 {
		return fmt.Errorf("%s is not empty", out)
	}
	env, err := environment()
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "release")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	r := &maker{w: w, version: version, source: filepath.Join(work, "source"), work: work, env: env}
	if err := r.clone(root); err != nil {
		return err
	}
	if err := r.tell(); err != nil {
		return err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	var sums strings.Builder
	for _, target := range targets {
		files, err := r.make(target)
		if err != nil {
			return fmt.Errorf("%s: %w", target, err)
		}
		for _, f := range files {
			if err := os.WriteFile(filepath.Join(out, f.name), f.data, 0o644); err != nil {
				return err
			}
			fmt.Fprintf(&sums, "%s  %s\n", digest(f.data), f.name)
		}
	}
	fmt.Fprint(w, sums.String())
	return os.WriteFile(filepath.Join(out, "SHA256SUMS"), []byte(sums.String()), 0o644)
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// environment is that of the builds: what go is told here or by its configuration reaches
// it no more, but for where modules come from.
func environment() ([]string, error) {
	out, err := output(".", append(os.Environ(), "GOTOOLCHAIN=local"), "go", "env", "GOVERSION", "GOROOT", "GOPATH", "GOMODCACHE", "GOCACHE", "GOPROXY", "GOSUMDB", "GONOSUMDB", "GONOPROXY")
	if err != nil {
		return nil, err
	}
	v := strings.Split(string(out), "\n")
	if v[0] != toolchain {
		return nil, fmt.Errorf("releases are built with %s, and this is %s: https://go.dev/dl has it; a newer one is set in tools/supply/release.go", toolchain, v[0])
	}
	env := []string{
		"GOROOT=" + v[1], "GOPATH=" + v[2], "GOMODCACHE=" + v[3], "GOCACHE=" + v[4], "GOPROXY=" + v[5], "GOSUMDB=" + v[6], "GONOSUMDB=" + v[7], "GONOPROXY=" + v[8],
		"GOENV=off", "GOWORK=off", "GOFLAGS=", "GOTOOLCHAIN=local", "GOAMD64=v1", "GOARM64=v8.0", "GOFIPS140=off", "CGO_ENABLED=0",
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull, "TZ=UTC", "LC_ALL=C",
	}
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "TEMP", "TMP", "SystemRoot", "USERPROFILE", "LocalAppData"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env, nil
}

// maker makes the archives of one commit.
type maker struct {
	w                     io.Writer
	version, source, work string
	env                   []string
	at                    time.Time // of the commit
	told                  []file    // what the program says of itself: manual pages, completions
	texts                 []file    // of the repository
}

// file is one of an archive, or an archive; its name has slashes.
type file struct {
	name    string
	data    []byte
	program bool
}

// clone takes the commit that is checked out, without what is not committed.
func (r *maker) clone(root string) error {
	root, err := filepath.Abs(root)
	if err != nil {
		return err
	}
	for _, args := range [][]string{
		{"-c", "safe.directory=*", "clone", "-q", "--no-tags", "--shared", "--config", "core.autocrlf=false", "--", root, r.source},
		{"-C", r.source, "tag", r.version},
	} {
		if _, err := output(".", r.env, "git", args...); err != nil {
			return err
		}
	}
	out, err := output(r.source, r.env, "git", "show", "-s", "--format=%ct %H", "HEAD")
	if err != nil {
		return err
	}
	var seconds int64
	var commit string
	if _, err := fmt.Sscan(string(out), &seconds, &commit); err != nil {
		return err
	}
	r.at = time.Unix(seconds, 0).UTC()
	fmt.Fprintf(r.w, "%s of commit %s, %s, built with %s\n", r.version, commit, r.at.Format(time.RFC3339), toolchain)
	if out, err := output(root, r.env, "git", "-c", "safe.directory=*", "status", "--porcelain"); err == nil && len(out) > 0 {
		fmt.Fprintln(r.w, "There are changes that are not committed: they are left out.")
	}
	for _, name := range []string{"LICENSE", "README.md", "CHANGELOG.md", licencesFile} {
		data, err := os.ReadFile(filepath.Join(r.source, filepath.FromSlash(name)))
		if err != nil {
			return err
		}
		r.texts = append(r.texts, file{name: path.Base(name), data: data})
	}
	return nil
}

// build builds the program for a target.
func (r *maker) build(target string) (string, error) {
	system, machine, _ := strings.Cut(target, "/")
	name := filepath.Join(r.work, system+"_"+machine, "jobeffekt")
	if system == "windows" {
		name += ".exe"
	}
	env := append(slices.Clone(r.env), "GOOS="+system, "GOARCH="+machine)
	_, err := output(r.source, env, "go", "build", "-trimpath", "-buildvcs=true", "-pgo=off", "-ldflags=-s", "-o", name, "./cmd/jobeffekt")
	return name, err
}

// tell has the program of this machine write what archives hold of its own words.
func (r *maker) tell() error {
	here, err := r.build(runtime.GOOS + "/" + runtime.GOARCH)
	if err != nil {
		return err
	}
	env := append(slices.Clone(r.env), fmt.Sprintf("SOURCE_DATE_EPOCH=%d", r.at.Unix()))
	man := filepath.Join(r.work, "man")
	if _, err := output(r.work, env, here, "man", man); err != nil {
		return err
	}
	pages, err := os.ReadDir(man)
	if err != nil {
		return err
	}
	for _, p := range pages {
		data, err := os.ReadFile(filepath.Join(man, p.Name()))
		if err != nil {
			return err
		}
		r.told = append(r.told, file{name: "man/man1/" + p.Name(), data: data})
	}
	for _, c := range []struct{ shell, name string }{{"bash", "jobeffekt.bash"}, {"fish", "jobeffekt.fish"}, {"powershell", "jobeffekt.ps1"}, {"zsh", "_jobeffekt"}} {
		data, err := output(r.work, env, here, "completion", c.shell)
		if err != nil {
			return err
		}
		r.told = append(r.told, file{name: "completions/" + c.name, data: data})
	}
	said, err := output(r.work, env, here, "--version")
	if err != nil {
		return err
	}
	fmt.Fprintf(r.w, "It says: %s", said)
	if !strings.HasPrefix(string(said), "jobeffekt "+r.version+" ") {
		return fmt.Errorf("the program does not say its version %s", r.version)
	}
	return nil
}

// make makes the archive of a target and its SBOM.
func (r *maker) make(target string) ([]file, error) {
	program, err := r.build(target)
	if err != nil {
		return nil, err
	}
	binary, err := os.ReadFile(program)
	if err != nil {
		return nil, err
	}
	system, machine, _ := strings.Cut(target, "/")
	modules, err := built(r.source, append(slices.Clone(r.env), "GOARCH="+machine), []string{system}, false, own+"/cmd/jobeffekt")
	if err != nil {
		return nil, err
	}
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return nil, err
	}
	// What the program itself says it holds decides.
	if len(info.Deps) != len(modules) {
		return nil, fmt.Errorf("the program holds %d modules, and %d were listed", len(info.Deps), len(modules))
	}
	for i, d := range info.Deps {
		if m := modules[i]; d.Path != m.Path || d.Version != m.Version || d.Replace != nil {
			return nil, fmt.Errorf("the program holds %s %s, and %s %s was listed", d.Path, d.Version, m.Path, m.Version)
		}
	}
	name := "jobeffekt-" + r.version + "-" + system + "-" + machine
	bill, err := r.bill(name, binary, modules, info)
	if err != nil {
		return nil, err
	}
	files := append([]file{{name: filepath.Base(program), data: binary, program: true}}, slices.Concat(r.texts, r.told)...)
	legal, err := r.legal(modules)
	if err != nil {
		return nil, err
	}
	files = append(files, legal...)
	for i := range files {
		files[i].name = name + "/" + files[i].name
	}
	var data []byte
	if system == "windows" {
		name += ".zip"
		data, err = zipped(files, r.at)
	} else {
		name += ".tar.gz"
		data, err = tarred(files, r.at)
	}
	return []file{{name: name, data: data}, bill}, err
}

// legal are the licences and notices of the modules and of Go.
func (r *maker) legal(modules []*module) (out []file, err error) {
	goes, err := output(r.source, r.env, "go", "env", "GOROOT")
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"LICENSE", "PATENTS"} {
		data, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(goes)), name))
		if err != nil {
			return nil, err
		}
		out = append(out, file{name: "licences/go/" + name, data: data})
	}
	for _, m := range modules {
		if _, err := m.licences(); err != nil {
			return nil, err
		}
		names, err := m.legal()
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			data, err := os.ReadFile(filepath.Join(m.dir, filepath.FromSlash(name)))
			if err != nil {
				return nil, err
			}
			out = append(out, file{name: "licences/" + m.Path + "/" + name, data: data})
		}
	}
	return out, nil
}
