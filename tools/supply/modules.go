package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

const own = "github.com/jobeffekt/jobeffekt"

// module is a module of others that a program or its tests are built with.
type module struct {
	Path, Version string
	Direct        bool
	Linked        bool     // in the program, not only in its tests
	Users         []string // the modules whose packages import its packages, ours as ""
	dir           string
	packages      map[string]bool // folders of its packages that are built
}

// listed is what the go command says of a package.
type listed struct {
	ImportPath, Dir, Name string
	Imports               []string
	Module                *struct {
		Path, Version, Dir string
		Main, Indirect     bool
	}
}

// built lists the modules that are built in a folder for any of some systems, in the order
// of their paths. roots are the packages that the program is made of; with tests, those
// that tests need are listed too.
func built(folder string, env []string, systems []string, tests bool, roots ...string) ([]*module, error) {
	found := map[string]*module{}
	users := map[string]map[string]bool{}
	for _, system := range systems {
		packages, err := list(folder, append(env, "GOOS="+system), tests)
		if err != nil {
			return nil, err
		}
		linked := reach(packages, roots)
		of := func(path string) string {
			p := packages[path]
			if p == nil || p.Module == nil || ours(p.Module.Path) {
				return ""
			}
			return p.Module.Path
		}
		for path, p := range packages {
			user := of(path)
			for _, imported := range p.Imports {
				if used := of(imported); used != "" && used != user {
					if users[used] == nil {
						users[used] = map[string]bool{}
					}
					users[used][user] = true
				}
			}
			if user == "" || !tests && !linked[path] {
				continue
			}
			m := found[user]
			if m == nil {
				m = &module{Path: user, Version: p.Module.Version, Direct: !p.Module.Indirect, dir: p.Module.Dir, packages: map[string]bool{}}
				found[user] = m
			}
			m.Linked = m.Linked || linked[path]
			m.packages[p.Dir] = true
		}
	}
	for path, m := range found {
		m.Users = slices.Sorted(maps.Keys(users[path]))
	}
	return slices.SortedFunc(maps.Values(found), func(a, b *module) int { return cmp.Compare(a.Path, b.Path) }), nil
}

func ours(path string) bool { return path == own || strings.HasPrefix(path, own+"/") }

// list are the packages of a module and all that they import, by import path.
func list(folder string, env []string, tests bool) (map[string]*listed, error) {
	args := []string{"list", "-deps", "-json=ImportPath,Dir,Name,Imports,Module"}
	if tests {
		args = append(args, "-test")
	}
	out, err := output(folder, env, "go", append(args, "./...")...)
	if err != nil {
		return nil, err
	}
	packages := map[string]*listed{}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return packages, nil
		} else if err != nil {
			return nil, err
		}
		packages[p.ImportPath] = &p
	}
}

// reach says which packages are built into a program.
func reach(packages map[string]*listed, roots []string) map[string]bool {
	seen := map[string]bool{}
	for todo := slices.Clone(roots); len(todo) > 0; {
		path := todo[0]
		todo = todo[1:]
		if p := packages[path]; p != nil && !seen[path] {
			seen[path] = true
			todo = append(todo, p.Imports...)
		}
	}
	return seen
}

// output is what a command says, with what it said of its failure as the error.
func output(folder string, env []string, name string, args ...string) ([]byte, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir = folder
	if env != nil {
		cmd.Env = env
	}
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, &said)
	}
	return out, nil
}

// legal are the files of a module, relative to it, that go with what is built of it:
// licences and notices of the module and of the folders that are built.
func (m *module) legal() ([]string, error) {
	folders := map[string]bool{m.dir: true}
	for dir := range m.packages {
		for ; len(dir) > len(m.dir); dir = filepath.Dir(dir) {
			folders[dir] = true
		}
	}
	var files []string
	for dir := range folders {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if isLicence(e.Name()) || isNotice(e.Name()) {
				if file := filepath.Join(dir, e.Name()); e.Type().IsRegular() {
					rel, err := filepath.Rel(m.dir, file)
					if err != nil {
						return nil, err
					}
					files = append(files, filepath.ToSlash(rel))
				}
			}
		}
	}
	slices.Sort(files)
	return files, nil
}

// licences are the SPDX names of all licences among its files, and an error if one of them
// is not known or not allowed.
func (m *module) licences() ([]string, error) {
	files, err := m.legal()
	if err != nil {
		return nil, err
	}
	all, allowed := map[string]bool{}, permissive()
	if !m.Linked {
		allowed = append(allowed, ofTests()...)
	}
	var faults []error
	for _, name := range files {
		if !isLicence(filepath.Base(name)) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(m.dir, filepath.FromSlash(name)))
		if err != nil {
			return nil, err
		}
		found, err := identify(string(text), allowed)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s %s, %s: %w", m.Path, m.Version, name, err))
		}
		for _, l := range found {
			all[l] = true
		}
	}
	if len(all) == 0 && faults == nil {
		return nil, fmt.Errorf("%s %s has no licence", m.Path, m.Version)
	}
	return slices.Sorted(maps.Keys(all)), errors.Join(faults...)
}
