package main

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

const licencesFile = "docs/licences.md"

// program is a go.mod whose programs are handed out or can be built.
type program struct {
	folder, title string
	roots         []string
}

func programs() []program {
	return []program{
		{".", "jobeffekt, the library and its command", []string{own + "/cmd/jobeffekt"}},
		{"cmd/jobeffekt-cloud", "jobeffekt-cloud, a module of its own", []string{own + "/cmd/jobeffekt-cloud"}},
		{"cmd/jobeffekt-beam", "jobeffekt-beam, a module of its own", []string{own + "/cmd/jobeffekt-beam"}},
	}
}

// systems are those for which modules are looked for.
func systems() []string { return []string{"darwin", "linux", "windows"} }

// licences is the text of docs/licences.md, made from the go.mod files, the module cache
// and the reasons in CONTRIBUTING.md.
func licences(root string) (string, error) {
	contributing, err := os.ReadFile(filepath.Join(root, "CONTRIBUTING.md"))
	if err != nil {
		return "", err
	}
	why := reasons(string(contributing))
	var b strings.Builder
	var faults []error
	fmt.Fprintf(&b, `# Licences

Written by %[1]sgo run -C tools ./supply -root .. licences%[1]s; do not edit. A test says when it is out of date.

These are the modules of others that are built, on Linux, macOS or Windows. Each licence is read from the module itself. Allowed are
%[2]s; with any other the test fails. All of them ask only that their texts go along: each archive of a release
has those of every module in it, with the notices that Apache-2.0 asks for, under %[1]slicences/%[1]s, Go's own among them (BSD-3-Clause).
"Tests" marks what is in no program; there %[3]s is allowed too, as nothing of it is handed out. Of one that we import, it says what it is for; of the others, who brings it.

`, "`", strings.Join(permissive(), ", "), strings.Join(ofTests(), ", "))
	b.WriteString("Texts that name licences of something else were read by a person; a changed text must be read again:\n\n")
	for _, r := range readByPeople() {
		fmt.Fprintf(&b, "- %s.\n", r.why)
	}
	for _, p := range programs() {
		// The tables do not hang on what runs here.
		modules, err := built(filepath.Join(root, p.folder), append(os.Environ(), "GOFLAGS=-mod=readonly", "CGO_ENABLED=0", "GOWORK=off", "GOARCH=amd64"), systems(), true, p.roots...)
		if err != nil {
			return "", err
		}
		direct := 0
		for _, m := range modules {
			if m.Direct {
				direct++
			}
		}
		fmt.Fprintf(&b, "\n## %s\n\n%d modules, %d of them imported by us.\n\n| module | version | licence | direct | in | why |\n|---|---|---|---|---|---|\n", p.title, len(modules), direct)
		for _, m := range modules {
			spdx, err := m.licences()
			if err != nil {
				faults = append(faults, err)
			}
			yes, in := "", "tests"
			if m.Direct {
				yes = "yes"
			}
			if m.Linked {
				in = "program"
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", m.Path, m.Version, strings.Join(spdx, ", "), yes, in, m.why(why))
		}
	}
	return b.String(), errors.Join(faults...)
}

// why says what a module is for, or who brings it.
func (m *module) why(reasons []reason) string {
	if m.Direct {
		if i := slices.IndexFunc(reasons, func(r reason) bool { return r.of(m.Path) }); i >= 0 {
			return reasons[i].short()
		}
	}
	users := slices.Clone(m.Users)
	if i := slices.Index(users, ""); i >= 0 {
		users[i] = path.Base(own)
	}
	if len(users) > 3 {
		users = append(users[:3:3], fmt.Sprintf("%d more", len(users)-3))
	}
	return "brought by " + strings.ReplaceAll(strings.Join(users, ", "), "github.com/", "")
}

// reason is a name in the table of dependencies in CONTRIBUTING.md, and what stands beside it.
type reason struct{ name, why string }

// reasons are the Go modules of the table, in its order. What is no Go module says where it
// comes from, in brackets.
func reasons(contributing string) (out []reason) {
	_, text, _ := strings.Cut(contributing, "\n## Dependencies\n")
	text, _, _ = strings.Cut(text, "\n## ")
	version := regexp.MustCompile(` v[0-9][^ ]*$`)
	for _, line := range strings.Split(text, "\n") {
		cells := strings.Split(strings.Trim(line, "|"), "|")
		if !strings.HasPrefix(line, "|") || len(cells) != 2 || strings.HasPrefix(cells[0], "---") || strings.TrimSpace(cells[0]) == "module" || strings.Contains(cells[0], "(") {
			continue
		}
		for _, name := range strings.Split(cells[0], ",") {
			out = append(out, reason{version.ReplaceAllString(strings.TrimSpace(name), ""), strings.TrimSpace(cells[1])})
		}
	}
	return out
}

// of says whether a reason is that of a module: its name is some of the module's path, or
// one of its packages.
func (r reason) of(path string) bool {
	return strings.Contains("/"+path+"/", "/"+r.name+"/") || strings.HasPrefix("github.com/"+r.name+"/", path+"/")
}

// short is the reason without what must be known of the version.
func (r reason) short() string {
	first, _, _ := strings.Cut(r.why, ". ")
	return regexp.MustCompile(`\. v[0-9].*$`).ReplaceAllString(first, "")
}
