package jobeffekt

import (
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/jobeffekt/jobeffekt/internal/plain"
	"github.com/jobeffekt/jobeffekt/internal/strict"
)

// changedDocuments compares run files or terms by their keys. A file that is no longer as the
// manifest says can be told to differ, and no more.
func changedDocuments(kind CauseKind, a, b *side, was, is []Source) (out []Cause) {
	from := func(key string) Step {
		if kind == CauseTerms {
			return StepSettle
		}
		s, _ := longest(firstReads(), unnamed(key))
		return s
	}
	prefix := func(name, key string) string {
		if kind == CauseTerms {
			return name + ": " + key
		}
		return key
	}
	for _, s := range was {
		name := path.Base(s.Path)
		at := slices.IndexFunc(is, func(o Source) bool { return path.Base(o.Path) == name })
		if at < 0 && len(was) == 1 && len(is) == 1 {
			at = 0 // it has another name
		}
		if at < 0 {
			out = append(out, Cause{kind, name, "there", notThere, from("")})
			continue
		}
		if s.SHA256 == is[at].SHA256 {
			continue
		}
		old, okA := a.keys(s)
		now, okB := b.keys(is[at])
		if !okA || !okB {
			why := "no longer as it was when the results were made, so that its keys cannot be told"
			told := func(ok bool, hash string) string {
				if ok {
					return "sha256 " + hash[:min(12, len(hash))]
				}
				return why
			}
			out = append(out, Cause{kind, name, told(okA, s.SHA256), told(okB, is[at].SHA256), from("")})
			continue
		}
		// A file that reads the same, as with another comment, is no cause.
		for _, d := range differing(old, now) {
			// Where results and data lie changes nothing, and the day stands in the manifest.
			if key := unnamed(d.key); kind == CauseRunFile && (key == "out" || key == "data" || key == "as_of") {
				continue
			}
			out = append(out, Cause{kind, prefix(name, d.key), d.before, d.after, from(d.key)})
		}
	}
	for _, s := range is {
		name := path.Base(s.Path)
		if !slices.ContainsFunc(was, func(o Source) bool { return path.Base(o.Path) == name }) && !(len(was) == 1 && len(is) == 1) {
			out = append(out, Cause{kind, name, notThere, "there", from("")})
		}
	}
	return out
}

// keys are the keys of a file with their values, if the file is still as it was.
func (s *side) keys(of Source) ([]keyValue, bool) {
	text, err := readUpTo(filepath.Join(s.folder, filepath.FromSlash(of.Path)), MaxTextBytes)
	if err != nil || sha(text) != of.SHA256 || !strict.Plain(text) {
		return nil, false
	}
	var v any
	if err := yaml.UnmarshalWithOptions(text, &v, yaml.UseOrderedMap()); err != nil {
		return nil, false
	}
	return flatten("", v, nil), true
}

// keyValue is a key with its value, both as text.
type keyValue struct{ key, value string }

// flatten lists the keys of a document: compare.min_n, outcomes[employed_26w].at. Items of a
// list are called by what names them, else by their place; a list of plain values is one
// value.
func flatten(key string, v any, out []keyValue) []keyValue {
	switch v := v.(type) {
	case yaml.MapSlice:
		if len(v) == 0 {
			return append(out, keyValue{key, "{}"})
		}
		for _, item := range v {
			under := fmt.Sprint(item.Key)
			if key != "" {
				under = key + "." + under
			}
			out = flatten(under, item.Value, out)
		}
		return out
	case []any:
		if !slices.ContainsFunc(v, func(item any) bool { _, ok := item.(yaml.MapSlice); return ok }) {
			return append(out, keyValue{key, flat(v)})
		}
		names := itemNames(v)
		for i, item := range v {
			out = flatten(key+"["+names[i]+"]", item, out)
		}
		return out
	}
	return append(out, keyValue{key, flat(v)})
}

// flat is a value on one line.
func flat(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case []any:
		parts := make([]string, len(v))
		for i, item := range v {
			parts[i] = flat(item)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case yaml.MapSlice:
		parts := make([]string, len(v))
		for i, item := range v {
			parts[i] = fmt.Sprint(item.Key) + ": " + flat(item.Value)
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return plain.Line(fmt.Sprint(v))
}

// itemNames are what the items of a list are called: the first of these that all of them
// have and no two share; else their places, from 1.
func itemNames(items []any) []string {
	for _, by := range [][]string{{"name"}, {"id"}, {"valid_from"}, {"covariate"}, {"match_group", "package"}, {"match_group"}, {"package"}, {"section"}} {
		names := make([]string, len(items))
		ok := true
		for i, item := range items {
			m, _ := item.(yaml.MapSlice)
			var parts []string
			for _, e := range m {
				if slices.Contains(by, fmt.Sprint(e.Key)) {
					parts = append(parts, flat(e.Value))
				}
			}
			names[i] = strings.Join(parts, " ")
			ok = ok && len(parts) == len(by) && !slices.Contains(names[:i], names[i])
		}
		if ok {
			return names
		}
	}
	names := make([]string, len(items))
	for i := range names {
		names[i] = fmt.Sprint(i + 1)
	}
	return names
}

// unnamed is a key without what its items are called: outcomes[employed_26w].at is outcomes.at.
func unnamed(key string) string {
	var b strings.Builder
	depth := 0
	for _, r := range key {
		switch {
		case r == '[':
			depth++
		case r == ']' && depth > 0:
			depth--
		case depth == 0:
			b.WriteRune(r)
		}
	}
	return b.String()
}

type keyChange struct{ key, before, after string }

// leftOut stands for the value of a key that is not there.
const leftOut = "(left out)"

// differing lists the keys whose values differ, in the order of the first document and then
// of the second. What one of them lacks altogether, as an outcome, is one line.
func differing(a, b []keyValue) (out []keyChange) {
	was, is := map[string]string{}, map[string]string{}
	for _, kv := range a {
		was[kv.key] = kv.value
	}
	for _, kv := range b {
		is[kv.key] = kv.value
	}
	for _, kv := range a {
		if now, there := is[kv.key]; there && now != kv.value {
			out = append(out, keyChange{kv.key, kv.value, now})
		}
	}
	for _, kv := range lacking(a, b) {
		out = append(out, keyChange{kv.key, kv.value, leftOut})
	}
	for _, kv := range lacking(b, a) {
		out = append(out, keyChange{kv.key, leftOut, kv.value})
	}
	return out
}

// lacking lists what a has and b has not: the shortest keys under which b has nothing, each
// with all that stands under it.
func lacking(a, b []keyValue) (out []keyValue) {
	known := map[string]bool{"": true} // every key of b and what it stands under
	for _, kv := range b {
		for _, at := range parents(kv.key) {
			known[at] = true
		}
	}
	for _, kv := range a {
		if known[kv.key] {
			continue
		}
		top := kv.key
		for _, at := range parents(kv.key) {
			if !known[at] {
				top = at
				break
			}
		}
		value := kv.value
		if under := strings.TrimPrefix(kv.key[len(top):], "."); under != "" {
			value = under + ": " + value
		}
		if n := len(out) - 1; n >= 0 && out[n].key == top {
			out[n].value += ", " + value
			continue
		}
		out = append(out, keyValue{top, value})
	}
	return out
}

// parents are the keys that a key stands under, the shortest first, and itself.
func parents(key string) (out []string) {
	depth := 0
	for i, r := range key {
		if depth == 0 && i > 0 && (r == '.' || r == '[') {
			out = append(out, key[:i])
		}
		switch r {
		case '[':
			depth++
		case ']':
			depth--
		}
	}
	return append(out, key)
}
