package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const root = "../.."

// docs/licences.md is what the modules say today, all of them permissive.
func TestLicencesAreListed(t *testing.T) {
	want, err := licences(root)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(root, licencesFile))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(want, "brought by ,") || strings.Contains(want, "brought by  |") {
		t.Error("a module is brought by nobody")
	}
	if string(got) != want {
		t.Error(licencesFile, "is out of date; run: go run -C tools ./supply -root .. licences")
	}
}

// Every module that we import has its reason in CONTRIBUTING.md, and every reason its module.
func TestEveryDependencyHasItsReason(t *testing.T) {
	contributing, err := os.ReadFile(filepath.Join(root, "CONTRIBUTING.md"))
	if err != nil {
		t.Fatal(err)
	}
	given := reasons(string(contributing))
	if len(given) < 20 {
		t.Fatalf("only %d reasons found", len(given))
	}
	var direct []string
	for _, p := range programs() {
		direct = append(direct, required(t, filepath.Join(root, p.folder, "go.mod"))...)
	}
	missing, idle := match(given, direct)
	for _, path := range missing {
		t.Errorf("%s is imported without a reason: add its line under Dependencies of CONTRIBUTING.md", path)
	}
	for _, name := range idle {
		t.Errorf("CONTRIBUTING.md has a reason for %s, which no go.mod requires", name)
	}
	if missing, idle := match(given, append(direct, "example.com/new")); !slices.Equal(missing, []string{"example.com/new"}) || idle != nil {
		t.Error("a module without a reason is not found")
	}
	if _, idle := match(given, direct[1:]); len(idle) == 0 {
		t.Error("a reason without a module is not found")
	}
}

// match finds modules without a reason and reasons without a module.
func match(given []reason, direct []string) (missing, idle []string) {
	for _, path := range direct {
		if !slices.ContainsFunc(given, func(r reason) bool { return r.of(path) }) {
			missing = append(missing, path)
		}
	}
	for _, r := range given {
		if !slices.ContainsFunc(direct, r.of) {
			idle = append(idle, r.name)
		}
	}
	return missing, idle
}

// required are the modules of others that a go.mod requires itself.
func required(t *testing.T, file string) (out []string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	inside := false
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		switch {
		case strings.HasPrefix(line, "require ("):
			inside = true
		case strings.HasPrefix(line, ")"):
			inside = false
		case inside && len(words) == 2 && !ours(words[0]):
			out = append(out, words[0])
		}
	}
	if len(out) == 0 {
		t.Fatalf("%s requires nothing", file)
	}
	return out
}

func TestIdentify(t *testing.T) {
	const bsd = "Redistribution and use in source and binary forms, with or without\n// modification, are permitted provided that..."
	for _, c := range []struct{ text, want string }{
		{"MIT License\nPermission is hereby granted, free of charge, to any person obtaining a copy ... The above copyright notice and this permission notice shall be included", "MIT"},
		{bsd, "BSD-2-Clause"},
		{bsd + " Neither the name of", "BSD-3-Clause"},
		{bsd + " Neither the name of ... Boost Software License - Version 1.0", "BSD-3-Clause BSL-1.0"},
		{bsd + " All advertising materials ... Neither the name", ""},
		{"GNU GENERAL PUBLIC LICENSE Version 3", ""},
		{bsd + " Neither the name of ... parts are under the GNU Lesser General Public License", ""},
		{"Mozilla Public License Version 2.0 ... GNU General Public License", ""},
		{"\"Commons Clause\" License Condition. MIT: Permission is hereby granted, free of charge, to any person obtaining a copy. The above copyright notice and this permission notice", ""},
		{"All rights reserved.", ""},
		{"", ""},
	} {
		got, err := identify(c.text, permissive())
		if strings.Join(got, " ") != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%q: %v, %v", c.text, got, err)
		}
	}
	if got, err := identify("Mozilla Public License Version 2.0", append(permissive(), ofTests()...)); err != nil || len(got) != 1 {
		t.Error(got, err)
	}
}

// An archive has its entries in the order of their names, with the one time, nobody's name
// and two modes, whatever order they come in and wherever it is made.
func TestArchives(t *testing.T) {
	at := time.Unix(1_700_000_001, 0)
	files := []file{{name: "a/README.md", data: []byte("read")}, {name: "a/program", data: []byte{1, 2}, program: true}, {name: "a/LICENSE", data: []byte("free")}}
	turned := slices.Clone(files)
	slices.Reverse(turned)
	elsewhere := at.In(time.FixedZone("elsewhere", 5*3600+45*60))

	one, err := tarred(files, at)
	if err != nil {
		t.Fatal(err)
	}
	if other, _ := tarred(turned, elsewhere); !bytes.Equal(one, other) {
		t.Error("another tar")
	}
	z, err := gzip.NewReader(bytes.NewReader(one))
	if err != nil {
		t.Fatal(err)
	}
	if z.Name != "" || !z.ModTime.IsZero() || z.OS != 255 {
		t.Errorf("gzip: %+v", z.Header)
	}
	var names []string
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, h.Name)
		mode := int64(0o644)
		if h.Name == "a/program" {
			mode = 0o755
		}
		if h.Mode != mode || h.Uid != 0 || h.Gid != 0 || h.Uname != "" || h.Gname != "" || !h.ModTime.Equal(at) {
			t.Errorf("tar: %+v", h)
		}
	}
	want := []string{"a/LICENSE", "a/README.md", "a/program"}
	if !slices.Equal(names, want) {
		t.Error(names)
	}

	if one, err = zipped(files, at); err != nil {
		t.Fatal(err)
	}
	if other, _ := zipped(turned, elsewhere); !bytes.Equal(one, other) {
		t.Error("another zip")
	}
	r, err := zip.NewReader(bytes.NewReader(one), int64(len(one)))
	if err != nil {
		t.Fatal(err)
	}
	for k, f := range r.File {
		if f.Name != want[k] || !f.Modified.Equal(at) || f.Mode().Perm()&0o022 != 0 {
			t.Errorf("zip: %+v", f.FileHeader)
		}
	}
}

func TestReleaseRefuses(t *testing.T) {
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "x"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		version, target, out, want string
	}{
		{"1.2.3", "linux/amd64", t.TempDir(), "does not read as v1.2.3"},
		{"v1.2", "linux/amd64", t.TempDir(), "does not read as v1.2.3"},
		{"v1.2.3; rm", "linux/amd64", t.TempDir(), "does not read as v1.2.3"},
		{"v1.2.3", "plan9/386", t.TempDir(), "no target"},
		{"v1.2.3", "linux/amd64", full, "is not empty"},
	} {
		if err := release(io.Discard, root, []string{c.target}, c.version, c.out); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestFigures(t *testing.T) {
	for _, c := range []struct {
		a, b  string
		units int64
	}{
		{"0.123456789", "0.123456789", 0},
		{"0.123456789", "0.123456790", 1},
		{"-97.7949511", "-97.7949509", 2},
		{"1.5", "2.5", 100000000},
		{"0", "3e-16", 0}, // rounding of what should be 0
		{"0", "3e-10", 300000},
		{"", "1.5", -1},
		{"NaN", "1.5", -1},
	} {
		if got := apart(c.a, c.b); got != c.units {
			t.Errorf("%s and %s: %d, not %d", c.a, c.b, got, c.units)
		}
	}
	write := func(text string) string {
		folder := t.TempDir()
		if err := os.WriteFile(filepath.Join(folder, "t.csv"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return folder
	}
	base := "id,n,x,paid_dkk\na,1,0.25,10.50\n"
	for _, c := range []struct{ text, line, err string }{
		{base, "| w | 1 | 1 | 1 | 4 | 2 | 0 | 0 | 0 |\n", ""},
		{"id,n,x,paid_dkk\na,1,0.250000001,10.50\n", "| w | 1 | 0 | 1 | 4 | 2 | 1 | 1 | 0 |\n", ""},
		{"id,n,x,paid_dkk\na,1,0.250000006,10.50\n", "| w | 1 | 0 | 1 | 4 | 2 | 1 | 6 | 0 |\n", "differ"},
		{"id,n,x,paid_dkk\na,2,0.25,10.50\n", "| w | 1 | 0 | 1 | 4 | 2 | 0 | 0 | 1 |\n", "differ"},
		{"id,n,x,paid_dkk\na,1,0.25,10.51\n", "| w | 1 | 0 | 1 | 4 | 2 | 0 | 0 | 1 |\n", "differ"},
		{"id,n,x,paid_dkk\n", "| w | 1 | 0 | 0 | 0 | 0 | 0 | 0 | 1 |\n", "differ"},
		{"id,n,y,paid_dkk\na,1,0.25,10.50\n", "", "other columns"},
	} {
		var out bytes.Buffer
		err := figures(&out, "w", write(base), write(c.text))
		if out.String() != c.line || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%q: %q, %v", c.text, out.String(), err)
		}
	}
	if err := figures(io.Discard, "w", t.TempDir(), t.TempDir()); err == nil {
		t.Error("nothing compared passes")
	}
}
