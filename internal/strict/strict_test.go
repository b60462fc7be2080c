package strict_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/internal/strict"
)

type colour string

func (colour) Names() []string { return []string{"red", "green"} }

type weight struct{ text string }

func (w *weight) UnmarshalText(b []byte) error {
	if !strings.HasSuffix(string(b), " kg") {
		return fmt.Errorf("%w: not in kg", errors.New("weight"))
	}
	w.text = string(b)
	return nil
}

type file struct {
	Name   string             `yaml:"name" doc:"what it is called"`
	Colour colour             `yaml:"colour,omitempty" doc:"its colour"`
	Weight *weight            `yaml:"weight,omitempty" doc:"its weight"`
	Count  int                `yaml:"count,omitempty" doc:"how many"`
	Share  float64            `yaml:"share,omitempty" doc:"how much"`
	Fixed  bool               `yaml:"fixed,omitempty" doc:"whether it stays"`
	Parts  []part             `yaml:"parts,omitempty" doc:"what it is made of"`
	Notes  map[string]string  `yaml:"notes,omitempty" doc:"anything"`
	By     map[colour]float64 `yaml:"by,omitempty" doc:"by colour"`
	Inside string             `yaml:"-"`
}

type part struct {
	ID string `yaml:"id" doc:"its name"`
}

func decode(src string) (file, *strict.Faults) {
	var f file
	_, faults := strict.Decode("f.yaml", []byte(src), &f)
	var out *strict.Faults
	errors.As(faults.Err(), &out)
	return f, out
}

func TestDecode(t *testing.T) {
	f, faults := decode(`
name: 007
colour: green
weight: 3 kg
count: 12
share: 0.5
fixed: true
parts: [{id: 1.50}, {id: "x"}]
notes: {anything: goes, 10: ten}
by: {red: 1, green: 0.25}
`)
	require.Nil(t, faults)
	assert.Equal(t, file{
		Name: "007", Colour: "green", Weight: &weight{"3 kg"}, Count: 12, Share: 0.5, Fixed: true,
		Parts: []part{{"1.50"}, {"x"}}, // the text as it stands, not as a number
		Notes: map[string]string{"anything": "goes", "10": "ten"}, By: map[colour]float64{"red": 1, "green": 0.25},
	}, f)
}

func TestFaults(t *testing.T) {
	for src, want := range map[string]string{
		"name: a\ncolor: red":                   `f.yaml:2:1: color: unknown key; did you mean "colour"?`,
		"name: a\ncolour: grene":                `f.yaml:2:1: colour: "grene" is not one of the names allowed here; did you mean "green"?`,
		"name: a\ncolour: [red]":                `a single value belongs here`,
		"name: a\nname: b":                      `f.yaml:2:1: name: the key stands twice`,
		"colour: red":                           `f.yaml:1:1: name is missing: what it is called`,
		"name:":                                 `f.yaml:1:1: name: the value is empty`,
		"name: a\nweight: 3":                    `f.yaml:2:1: weight: not in kg`,
		"name: a\ncount: 1.5":                   `"1.5" is not a whole number`,
		"name: a\nshare: .nan":                  `".nan" is not a number`,
		"name: a\nshare: much":                  `"much" is not a number`,
		"name: a\nfixed: yes":                   `"yes" is neither true nor false`,
		"name: a\nparts: {id: 1}":               `a list belongs here, as in [a, b]`,
		"name: a\nparts: []":                    `the list is empty`,
		"name: a\nparts:\n  - id: 1\n    ix: 2": `f.yaml:4:5: parts[0].ix: unknown key; did you mean "id"?`,
		"name: a\nnotes: b":                     `keys with values belong here, as in key: value`,
		"name: a\nby: {blue: 1}":                `by.blue: unknown name; use red, green`,
		"name: &x a":                            `anchors, aliases and tags are not used here`,
		"":                                      `the file is empty`,
		"name: a\n---\nname: b":                 `the file has 2 YAML documents; it should be one`,
		"name: [":                               `not YAML`,
		"- a":                                   `keys with values belong here`,
		strings.Repeat("x", strict.MaxBytes+1):  `more than the`,
		// What takes the library long, or all memory.
		strings.Repeat("[", 1<<17):                  `stand within each other`,
		strings.Repeat("{a: ", 1<<17):               `stand within each other`,
		strings.Repeat("- ", 1<<17):                 `stand within each other`,
		strings.Repeat("? ", 1<<17):                 `stand within each other`,
		strings.Repeat("k: 1\n", 1<<17):             `lines and entries`,
		"{" + strings.Repeat("a: 1, ", 1<<17) + "}": `lines and entries`,
		"\xFF\xFEn\x00a\x00":                        `f.yaml`,
	} {
		_, faults := decode(src)
		if assert.NotNil(t, faults, src) {
			assert.Contains(t, faults.Error(), want)
		}
	}
	_, faults := decode("name: a\ncolor: red\ncount: x\nfixed: no")
	assert.Len(t, faults.List, 3, "all at once")
	assert.True(t, faults.Has(strict.UnknownKey))
	assert.False(t, faults.Has(strict.Syntax))
	assert.Equal(t, 3, faults.List[1].Line)
}

// A byte order mark at the front, as some editors leave it, is no part of the first key.
func TestByteOrderMark(t *testing.T) {
	plain, faults := decode("name: a\ncolour: red")
	marked, faults2 := decode("\xEF\xBB\xBFname: a\ncolour: red")
	assert.Equal(t, faults, faults2)
	assert.Equal(t, plain, marked)
	_, faults = decode("\xEF\xBB\xBFname: a\ncolor: red")
	assert.Contains(t, faults.Error(), "f.yaml:2:1: color")
}

func TestSchema(t *testing.T) {
	b, err := strict.Schema("A file", &file{}, nil)
	require.NoError(t, err)
	for _, want := range []string{`"title": "A file"`, `"description": "its colour"`, `"red"`, `"additionalProperties": false`} {
		assert.Contains(t, string(b), want)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add("name: a\nparts: [{id: 1}]")
	f.Fuzz(func(t *testing.T, src string) {
		var v file
		_, faults := strict.Decode("f.yaml", []byte(src), &v)
		if err := faults.Err(); err != nil && err.Error() == "" {
			t.Fatal("a fault without words")
		}
	})
}

func TestKeys(t *testing.T) {
	require.Equal(t, []string{"a", "b"}, strict.Keys([]byte("a: 1\nb: {c: 2}\n")))
	for _, src := range []string{"", "- a\n", "a", "a: [", "a: 1\n---\nb: 2\n"} {
		require.Nil(t, strict.Keys([]byte(src)), src)
	}
}
