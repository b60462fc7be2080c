package main

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// permissive are the licences that modules may have: they ask for no more than that texts
// of licences and notices go along, which the archives do.
func permissive() []string {
	return []string{"0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0", "ISC", "MIT", "PostgreSQL", "Unlicense", "Zlib", "blessing"}
}

// ofTests are those that modules may have too which are in no program, and so are never handed out.
func ofTests() []string { return []string{"MPL-2.0"} }

// mark is what gives a licence away: all of its texts stand in it, none of the others.
type mark struct {
	spdx      string
	all, none []string
}

// marks are texts as plain leaves them. Licences that are not allowed are known too, so
// that one of them among others does not go unseen.
func marks() []mark {
	const bsd = "redistribution and use in source and binary forms with or without modification are permitted"
	neither := "neither the name"
	return []mark{
		{"Apache-2.0", []string{"apache license version 2 0", "grant of patent license"}, nil},
		{"Apache-2.0", []string{"licensed under the apache license version 2 0"}, nil},
		{"MIT", []string{"permission is hereby granted free of charge to any person obtaining a copy", "the above copyright notice and this permission notice"}, nil},
		{"BSD-4-Clause", []string{bsd, "all advertising materials"}, nil},
		{"BSD-3-Clause", []string{bsd, neither}, []string{"all advertising materials"}},
		{"BSD-3-Clause", []string{bsd, "names of its contributors may not be used"}, []string{"all advertising materials", neither}},
		{"BSD-2-Clause", []string{bsd}, []string{neither, "all advertising materials", "names of its contributors may not be used"}},
		{"ISC", []string{"permission to use copy modify and or distribute this software for any purpose with or without fee is hereby granted provided that"}, nil},
		{"ISC", []string{"permission to use copy modify and distribute this software for any purpose with or without fee is hereby granted provided that"}, nil},
		{"0BSD", []string{"for any purpose with or without fee is hereby granted the software is provided as is"}, nil},
		{"PostgreSQL", []string{"permission to use copy modify and distribute this software and its documentation for any purpose without fee and without a written agreement"}, nil},
		{"Zlib", []string{"altered source versions must be plainly marked as such"}, nil},
		{"BSL-1.0", []string{"boost software license version 1 0"}, nil},
		{"Unlicense", []string{"this is free and unencumbered software released into the public domain"}, nil},
		{"CC0-1.0", []string{"cc0 1 0 universal"}, nil},
		{"blessing", []string{"may you do good and not evil"}, nil},
		{"blessing", []string{"sqlite is public domain"}, nil},
		{"MPL-2.0", []string{"mozilla public license version 2 0"}, nil},
		{"MPL-1.1", []string{"mozilla public license version 1 1"}, nil},
		{"EPL", []string{"eclipse public license"}, []string{"mozilla public license"}},
		{"CDDL", []string{"common development and distribution license"}, nil},
		{"GPL", []string{"gnu general public license"}, []string{"mozilla public license"}},
		{"LGPL", []string{"gnu lesser general public license"}, []string{"mozilla public license"}},
		{"AGPL", []string{"gnu affero general public license"}, []string{"mozilla public license"}},
		{"SSPL", []string{"server side public license"}, nil},
		{"BUSL", []string{"business source license"}, nil},
		{"Commons-Clause", []string{"commons clause"}, nil},
		{"CC-BY-SA", []string{"attribution sharealike"}, nil},
		{"CC-BY-NC", []string{"attribution noncommercial"}, nil},
		{"JSON", []string{"shall be used for good not evil"}, nil},
	}
}

// read is a text that names licences of what is not built here, and was read by a person.
type read struct {
	sha256 string // of the text: another text is read again
	spdx   []string
	why    string
}

func readByPeople() []read {
	return []read{
		{
			"bd939b3a0ca7ffedd7444240915f4f297f09739fa9d07bac8c85ec4ea8c94c35", []string{"Apache-2.0", "BSD-3-Clause"},
			"apache/arrow/go/v17: one text for all languages of Arrow. The licence of OpenSSL in it (BSD-4-Clause and the like) is that of a library which " +
				"the Python wheels bring along; no Go is built of it",
		},
		{"5ae5bee3072a841376451b48d8cfcec7188e10543926d5870828d36c8a750dc5", nil, "modernc.org/memory: LICENSE-LOGO is about a picture, which is not built in"},
		{
			"b4366b9c27a9364633e015011a231913ed19bf1228f335bf617e50a6f7b168a6", []string{"Apache-2.0", "BSD-3-Clause", "MIT", "blessing"},
			"modernc.org/sqlite: LICENSE-3RD-PARTY.md tells what is built in from what is not; the one module under MPL-2.0 in it is compiled into nothing",
		},
		{"a1d1adec3ba691ef6e377a78bbe9e9e2501f2f4a1723d08857da1ac6564e4fed", nil, "opencontainers/go-digest: LICENSE.docs is about its documentation"},
	}
}

// identify names the licences of a text. One that is not known, or not allowed, is an error.
func identify(text string, allowed []string) ([]string, error) {
	for _, r := range readByPeople() {
		if r.sha256 == digest([]byte(text)) {
			return r.spdx, nil
		}
	}
	words := plain(text)
	has := func(s string) bool { return strings.Contains(words, s) }
	var found []string
	for _, m := range marks() {
		if !slices.Contains(found, m.spdx) && !slices.ContainsFunc(m.all, func(s string) bool { return !has(s) }) && !slices.ContainsFunc(m.none, has) {
			found = append(found, m.spdx)
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("no licence that is known; read it, and add its words to marks of tools/supply/licence.go")
	}
	for _, l := range found {
		if !slices.Contains(allowed, l) {
			return nil, fmt.Errorf("the licence %s is not among those that modules may have (tools/supply/licence.go): take another module", l)
		}
	}
	slices.Sort(found)
	return found, nil
}

// plain is a text as its lower-case words, each after one space.
func plain(text string) string {
	return strings.Join(regexp.MustCompile(`[a-z0-9]+`).FindAllString(strings.ToLower(text), -1), " ")
}

func isLicence(name string) bool { return begins(name, "license", "licence", "copying", "unlicense") }
func isNotice(name string) bool  { return begins(name, "notice", "patents") }

// begins says whether a file, which is no Go source, has a name that begins so.
func begins(name string, with ...string) bool {
	lower := strings.ToLower(name)
	return path.Ext(lower) != ".go" && slices.ContainsFunc(with, func(s string) bool { return strings.HasPrefix(lower, s) })
}
