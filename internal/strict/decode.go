// Package strict reads YAML files that people write, the run file and terms, so
// that every fault comes at once, with line, column, the nearest valid name and
// the line it stands in; and makes the JSON Schema of such files from their Go
// types.
package strict

import (
	"bytes"
	"encoding"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// The limits of a file that Decode reads. The YAML library takes minutes for some small
// files that pass them; no file that people write comes near.
const (
	MaxBytes = 1 << 20
	MaxDepth = 32     // things within things
	MaxItems = 20_000 // lines, and entries of lists and mappings on one line
)

// Plain says whether a file is one that Decode could read: within the limits, and without
// the anchors, aliases and tags by which a small file unfolds to a large one.
func Plain(src []byte) bool {
	_, root, faults := read("", src)
	if len(faults) > 0 {
		return false
	}
	plain := true
	ast.Walk(visitor(func(n ast.Node) {
		switch n.(type) {
		case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode:
			plain = false
		}
	}), root)
	return plain
}

// visitor calls a function for every node.
type visitor func(ast.Node)

// Visit is ast.Visitor's.
func (v visitor) Visit(n ast.Node) ast.Visitor {
	v(n)
	return v
}

// passed says which limit a file passes, "" for none. It counts what could open or
// separate something, whether or not it stands in a text.
func passed(src []byte) string {
	if len(src) > MaxBytes {
		return fmt.Sprintf("the file has %d bytes, more than the %d it may have", len(src), MaxBytes)
	}
	items, brackets := 0, 0
	var indents []int
	for line := range bytes.Lines(src) {
		text := bytes.TrimLeft(line, " ")
		indent := len(line) - len(text)
		items += 1 + bytes.Count(text, []byte(",")) + bytes.Count(text, []byte{'\r'})
		if len(bytes.TrimSpace(text)) > 0 {
			for len(indents) > 0 && indents[len(indents)-1] >= indent {
				indents = indents[:len(indents)-1]
			}
			indents = append(indents, indent)
		}
		nested := 0 // as - - - does on one line
		for nested <= MaxDepth && len(text) > 1 && (text[0] == '-' || text[0] == '?') && (text[1] == ' ' || text[1] == '\t') {
			text, nested = bytes.TrimLeft(text[1:], " \t"), nested+1
		}
		for _, b := range text {
			switch b {
			case '[', '{':
				brackets++
			case ']', '}':
				brackets = max(0, brackets-1)
			}
			if brackets > MaxDepth {
				break
			}
		}
		if len(indents)+nested+brackets > MaxDepth {
			return fmt.Sprintf("more than %d things stand within each other", MaxDepth)
		}
	}
	if items > MaxItems {
		return fmt.Sprintf("the file has more than the %d lines and entries it may have", MaxItems)
	}
	return ""
}

// Named is a type whose values have one of a few names.
type Named interface{ Names() []string }

// namesOf lists the names that a value of the type can have, nil for a type
// whose values are free.
func namesOf(t reflect.Type) []string {
	if n, ok := reflect.Zero(t).Interface().(Named); ok {
		return n.Names()
	}
	return nil
}

// Decode reads a YAML file into the struct that v points to. Fields are named by
// their yaml tag and required unless it says omitempty; their doc tag says what
// they mean. Types that implement encoding.TextUnmarshaler or [Named] are read by
// it; a scalar reaches them as the text that stands in the file, so that no
// number passes through a float unless the field is one. Unknown keys, keys given
// twice, anchors, aliases and tags are faults.
//
// The document places later faults; it is never nil. name stands for the file.
//
// The YAML library's own strict decoding stops at the first fault and reads
// amounts as floats; so its parser is used, and the tree is decoded here.
func Decode(name string, src []byte, v any) (*Document, Gathered) {
	doc, root, faults := read(name, src)
	if len(faults) > 0 {
		return doc, faults
	}
	d := decoder{doc: doc}
	d.value(root, "", reflect.ValueOf(v).Elem())
	return doc, d.faults
}

// position is a place in a file, from 1.
type position struct{ line, column int }

// Document is a file with the place of everything in it.
type Document struct {
	name  string
	lines []string
	at    map[string]position // by path
}

// find is the place of a path or, where it is not in the file, of the nearest
// thing around it.
func (d *Document) find(path string) (position, bool) {
	for {
		if at, ok := d.at[path]; ok || path == "" {
			return at, ok
		}
		path = parent(path)
	}
}

// parent is the path of what a path stands in.
func parent(path string) string { return path[:max(0, strings.LastIndexAny(path, ".["))] }

// excerpt is a line of the file, cut where it is very long.
func (d *Document) excerpt(line int) string {
	if line < 1 || line > len(d.lines) {
		return ""
	}
	r := []rune(strings.ReplaceAll(d.lines[line-1], "\t", " "))
	return string(r[:min(len(r), 160)])
}

// read parses a file into its tree.
func read(name string, src []byte) (*Document, ast.Node, Gathered) {
	src = bytes.TrimPrefix(src, []byte("\xEF\xBB\xBF")) // a byte order mark, as some editors leave it
	doc := &Document{name: name, lines: strings.Split(string(src), "\n"), at: map[string]position{}}
	fail := func(at position, format string, args ...any) (*Document, ast.Node, Gathered) {
		var faults Gathered
		if at.line > 0 {
			doc.at[""] = at
		}
		faults.Add(doc, "", Syntax, format, args...)
		return doc, nil, faults
	}
	if why := passed(src); why != "" {
		return fail(position{}, "%s", why)
	}
	file, err := parser.ParseBytes(src, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		var at position
		var located yaml.Error
		message := err.Error()
		if errors.As(err, &located) {
			message = located.GetMessage()
			if tk := located.GetToken(); tk != nil {
				at = place(tk)
			}
		}
		return fail(at, "not YAML: %s", message)
	}
	var bodies []ast.Node
	for _, d := range file.Docs {
		if d.Body != nil {
			bodies = append(bodies, d.Body)
		}
	}
	switch len(bodies) {
	case 0:
		return fail(position{}, "the file is empty")
	case 1:
		return doc, bodies[0], nil
	}
	return fail(place(bodies[1].GetToken()), "the file has %d YAML documents; it should be one", len(bodies))
}

func place(tk *token.Token) position {
	if tk == nil || tk.Position == nil {
		return position{1, 1}
	}
	return position{max(1, tk.Position.Line), max(1, tk.Position.Column)}
}

// decoder fills Go values from a YAML tree. Struct fields are named by their
// yaml tag and required unless it says omitempty.
type decoder struct {
	doc    *Document
	faults Gathered
}

func (d *decoder) fault(path string, code Code, format string, args ...any) {
	d.faults.Add(d.doc, path, code, format, args...)
}

func (d *decoder) value(node ast.Node, path string, v reflect.Value) {
	switch node.(type) {
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode:
		d.note(path, node)
		d.fault(path, Syntax, "anchors, aliases and tags are not used here: write the value where it applies")
		return
	}
	if _, known := d.doc.at[path]; !known {
		d.note(path, node)
	}
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		if s, ok := d.scalar(node, path); ok {
			if names := namesOf(v.Type()); names != nil && !slices.Contains(names, s) {
				d.fault(path, Value, "%q is not one of the names allowed here%s", s, Suggest(s, names))
			} else if err := u.UnmarshalText([]byte(s)); err != nil {
				d.fault(path, Value, "%s", cause(err))
			}
		}
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.object(node, path, v)
	case reflect.Map:
		d.dictionary(node, path, v)
	case reflect.Slice:
		d.list(node, path, v)
	case reflect.Bool:
		if s, ok := d.scalar(node, path); ok {
			if s != "true" && s != "false" {
				d.fault(path, Value, "%q is neither true nor false", s)
			}
			v.SetBool(s == "true")
		}
	case reflect.String:
		if s, ok := d.scalar(node, path); ok {
			if names := namesOf(v.Type()); names != nil && !slices.Contains(names, s) {
				d.fault(path, Value, "%q is not one of the names allowed here%s", s, Suggest(s, names))
			}
			v.SetString(s)
		}
	case reflect.Int:
		if s, ok := d.scalar(node, path); ok {
			n, err := strconv.Atoi(s)
			if err != nil {
				d.fault(path, Value, "%q is not a whole number", s)
			}
			v.SetInt(int64(n))
		}
	case reflect.Float64:
		if s, ok := d.scalar(node, path); ok {
			x, err := strconv.ParseFloat(s, 64)
			if err != nil || math.IsNaN(x-x) {
				d.fault(path, Value, "%q is not a number", s)
			}
			v.SetFloat(x)
		}
	default:
		panic("strict: a field has a kind that cannot be read: " + v.Type().String())
	}
}

// note remembers where a path stands. A mapping's own token is a colon; its first
// key is what a reader would point at.
func (d *decoder) note(path string, node ast.Node) {
	if m, ok := node.(ast.MapNode); ok {
		if it := m.MapRange(); it.Next() {
			node = it.Key()
		}
	}
	d.doc.at[path] = place(node.GetToken())
}

// cause is an error's text without that of the error it wraps: the place in the
// file and what was expected there say the same.
func cause(err error) string {
	if wrapped := errors.Unwrap(err); wrapped != nil {
		return strings.TrimPrefix(err.Error(), wrapped.Error()+": ")
	}
	return err.Error()
}

// scalar is the text of a scalar as it stands in the file.
func (d *decoder) scalar(node ast.Node, path string) (string, bool) {
	var s string
	switch n := node.(type) {
	case *ast.StringNode:
		s = n.Value
	case *ast.LiteralNode:
		s = strings.TrimSpace(n.Value.Value)
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		s = node.GetToken().Value
	case *ast.NullNode:
	default:
		d.fault(path, Value, "a single value belongs here")
		return "", false
	}
	if s == "" {
		d.fault(path, Missing, "the value is empty")
		return "", false
	}
	return s, true
}

// pairs calls yield with each key of a mapping, its text and its value. A key
// given twice is a fault.
func (d *decoder) pairs(node ast.Node, path string, yield func(key, at string, value ast.Node)) {
	m, ok := node.(ast.MapNode)
	if !ok {
		d.fault(path, Value, "keys with values belong here, as in key: value")
		return
	}
	seen := map[string]bool{}
	for it := m.MapRange(); it.Next(); {
		key := it.Key().GetToken().Value
		at := strings.TrimPrefix(path+"."+key, ".")
		if seen[key] {
			d.note(at, it.Key())
			d.fault(at, DuplicateKey, "the key stands twice")
			continue
		}
		seen[key] = true
		d.note(at, it.Key())
		yield(key, at, it.Value())
	}
}

func (d *decoder) object(node ast.Node, path string, v reflect.Value) {
	fields, names := map[string]int{}, []string{}
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
		if name != "" && name != "-" {
			fields[name], names = i, append(names, name)
		}
	}
	before, given := len(d.faults), map[string]bool{}
	d.pairs(node, path, func(key, at string, value ast.Node) {
		i, ok := fields[key]
		if !ok {
			d.fault(at, UnknownKey, "unknown key%s", Suggest(key, names))
			return
		}
		given[key] = true
		d.value(value, at, v.Field(i))
	})
	if _, ok := node.(ast.MapNode); !ok && len(d.faults) > before {
		return
	}
	for _, name := range names {
		if _, option, _ := strings.Cut(v.Type().Field(fields[name]).Tag.Get("yaml"), ","); option != "omitempty" && !given[name] {
			d.fault(path, Missing, "%s is missing: %s", name, v.Type().Field(fields[name]).Tag.Get("doc"))
		}
	}
}

func (d *decoder) dictionary(node ast.Node, path string, v reflect.Value) {
	v.Set(reflect.MakeMap(v.Type()))
	names := namesOf(v.Type().Key())
	d.pairs(node, path, func(key, at string, value ast.Node) {
		if names != nil && !slices.Contains(names, key) {
			d.fault(at, UnknownKey, "unknown name%s", Suggest(key, names))
			return
		}
		entry := reflect.New(v.Type().Elem()).Elem()
		d.value(value, at, entry)
		v.SetMapIndex(reflect.ValueOf(key).Convert(v.Type().Key()), entry)
	})
	if v.Len() == 0 && len(d.faults) == 0 {
		d.fault(path, Missing, "nothing is given%s", Suggest("", names))
	}
}

func (d *decoder) list(node ast.Node, path string, v reflect.Value) {
	seq, ok := node.(*ast.SequenceNode)
	if !ok {
		d.fault(path, Value, "a list belongs here, as in [a, b]")
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(seq.Values), len(seq.Values)))
	if len(seq.Values) == 0 {
		d.fault(path, Missing, "the list is empty")
	}
	for i, n := range seq.Values {
		d.value(n, fmt.Sprintf("%s[%d]", path, i), v.Index(i))
	}
}
