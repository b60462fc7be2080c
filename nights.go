package jobeffekt

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/jobeffekt/jobeffekt/bonus"
)

// StepKey is what the tables of a step were made of, as one hash: two runs with the
// same key of a step make the same bytes of its tables. It is the SHA-256 of the
// program (its version and the hash of its executable), of the keys of the run file
// that the step and those before it read (see firstReads), of every file of the dataset,
// of the recorded choice of peers from the step estimate on, of the terms, their
// seals and what was accepted in the step settle, and of the key of the step before.
// Where files lie is not part of it.
type StepKey struct {
	Step Step   `json:"step"`
	Key  string `json:"key"`
	// Words are lines of the summary that no table of the step holds.
	Words []string `json:"words,omitempty"`
}

// Progress tells what was just done, so that the time since it was told last is what
// that took; see [Config.Progress].
type Progress struct {
	// Did is the name of a step whose tables are there, or one of [DidInputs] and
	// the names beside it.
	Did    string
	Within bool // a part of a step, which is told afterwards, or of the cells alone
	Kept   bool // the tables stood there already
	// Rows are those of all its tables. Cells are the comparisons of the step
	// estimate, and Refusals those of them without a figure; 0 for other steps.
	Rows, Cells, Refusals int
}

// What [Progress] tells beside the steps, of those who do it.
const (
	DidInputs  = "inputs"  // inputs were hashed
	DidRead    = "read"    // participations, persons and providers were read
	DidObserve = "observe" // spells were read, or partials in place of them
	DidFigures = "figures" // a step's figures were worked out; its tables are not written yet
)

// firstReads says which step reads a key of the run file first: the longest key that
// it begins with counts. A step sees the keys that it and the steps before it read,
// and all others as if they were left out: so a step that reads a key too early is
// wrong on every night, and not only on one after that key was changed.
func firstReads() map[string]Step {
	const nowhere = Step("") // where files lie; what is in them is hashed
	return map[string]Step{
		"":                          StepMeasure, // all that is not named below
		"data":                      nowhere,
		"out":                       nowhere,
		"input.checksums":           nowhere,
		"input.pseudonyms.key_file": nowhere, // where the key lies; its fingerprint counts
		"input.pseudonyms.key_env":  nowhere,
		"disclosure":                nowhere, // what leaves the house is asked of what the steps made
		"compare.methods":           StepEstimate,
		"compare.balance.also":      StepEstimate,
		"compare.by_package":        StepEstimate,
		"compare.min_n":             StepEstimate,
		"compare.confidence":        StepEstimate,
		"compare.firth":             StepEstimate,
		"compare.matching":          StepEstimate,
		"compare.matching.exact":    StepMeasure,
		"compare.intercepts":        StepEstimate,
		"compare.max_uncovered":     StepEstimate,
		"views":                     StepBenchmark,
		"sensitivity":               StepBenchmark,
		"watch":                     StepBenchmark,
		"watch.covariates":          StepMeasure,
		"before_after":              StepBenchmark,
		"before_after.conditions":   StepMeasure,
		"terms":                     StepSettle,
		"accepted":                  StepSettle,
	}
}

// readBy is the configuration as a step sees it.
func (c *Config) readBy(s Step) *Config {
	out := *c
	only(reflect.ValueOf(&out).Elem(), "", firstReads(), slices.Index(steps(), s))
	return &out
}

// only leaves out of a struct of the run file the keys that no step up to the given one
// reads. What it points to is copied before it is changed.
func only(v reflect.Value, under string, first map[string]Step, upTo int) {
	for _, f := range keysOf(v.Type()) {
		at, field := under+f.key, v.FieldByIndex(f.index)
		divided := slices.ContainsFunc(slices.Collect(maps.Keys(first)), func(key string) bool { return strings.HasPrefix(key, at+".") })
		switch {
		case !divided:
			s, _ := longest(first, at)
			if k := slices.Index(steps(), s); k < 0 || k > upTo {
				field.SetZero()
			}
		case field.Kind() != reflect.Pointer:
			only(field, at+".", first, upTo)
		case !field.IsNil():
			less := reflect.New(field.Type().Elem())
			less.Elem().Set(field.Elem())
			only(less.Elem(), at+".", first, upTo)
			if field.Set(less); less.Elem().IsZero() {
				field.SetZero() // it holds nothing that is read by now
			}
		}
	}
}

// longest is the value of the longest key that a path begins with.
func longest(first map[string]Step, path string) (Step, bool) {
	for {
		if s, ok := first[path]; ok {
			return s, true
		} else if path == "" {
			return "", false
		}
		path = path[:max(strings.LastIndexByte(path, '.'), 0)]
	}
}

// keyed is a field of a struct that stands for a key of the run file.
type keyed struct {
	key   string
	index []int
}

// keysOf are the keys of a struct that people write; none of a value of its own kind, as
// a period.
func keysOf(t reflect.Type) (out []keyed) {
	for i := range t.NumField() {
		if key, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ","); key != "-" && key != "" {
			out = append(out, keyed{key, t.Field(i).Index})
		}
	}
	return out
}

// write writes a value of the run file so that different values never read alike.
func write(w io.Writer, v reflect.Value) {
	switch {
	case v.Kind() == reflect.Pointer && v.IsNil():
		fmt.Fprint(w, "nil ")
	case v.Kind() == reflect.Pointer:
		fmt.Fprint(w, "* ")
		write(w, v.Elem())
	case v.Kind() == reflect.Struct && len(keysOf(v.Type())) > 0:
		for _, f := range keysOf(v.Type()) {
			fmt.Fprintf(w, "%s: ", f.key)
			write(w, v.FieldByIndex(f.index))
		}
		fmt.Fprint(w, "; ")
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			write(w, v.Field(i))
		}
	case v.Kind() == reflect.Slice:
		fmt.Fprintf(w, "%d ", v.Len())
		for i := range v.Len() {
			write(w, v.Index(i))
		}
	case v.Kind() == reflect.Map:
		fmt.Fprintf(w, "%d ", v.Len())
		var entries []string
		for k, value := range v.Seq2() {
			var entry strings.Builder
			write(&entry, k)
			write(&entry, value)
			entries = append(entries, entry.String())
		}
		slices.Sort(entries)
		fmt.Fprint(w, strings.Join(entries, ""))
	case v.Kind() == reflect.String:
		fmt.Fprintf(w, "%q ", v.String())
	case v.Kind() == reflect.Bool:
		fmt.Fprintf(w, "%t ", v.Bool())
	case v.CanInt():
		fmt.Fprintf(w, "%d ", v.Int())
	case v.CanUint():
		fmt.Fprintf(w, "%d ", v.Uint())
	case v.CanFloat():
		fmt.Fprintf(w, "%x ", v.Float())
	default:
		panic("a key of the run file has a type that cannot be hashed: " + v.Type().String()) // which the tests see
	}
}

// keys are the keys of the steps that a whole run does, given what it is made of. There
// are none where the program's own file cannot be read: nobody can say then whether
// two programs are the same. A version alone does not say it either: it may stand for a
// working copy, and in another program its dependencies may be others.
func (j *job) keys(m *Manifest, todo []Step) []StepKey {
	exe, err := os.Executable()
	if err != nil {
		return nil
	}
	program, err := hashFile(exe, "")
	if err != nil {
		return nil
	}
	h := sha256.New()
	fmt.Fprintf(h, "%+v %s\n", m.Program, program.SHA256)
	files := func(list []Source, name func(string) string) {
		for _, s := range list {
			fmt.Fprintf(h, "%q %d %s\n", name(s.Path), s.Bytes, s.SHA256)
		}
	}
	var out []StepKey
	for _, s := range todo {
		fmt.Fprintf(h, "%s\n", s)
		write(h, reflect.ValueOf(*j.c.readBy(s)))
		switch s {
		case StepMeasure:
			if m.Pseudonyms != nil {
				fmt.Fprintf(h, "pseudonyms %s\n", m.Pseudonyms.text())
			}
			files(m.Inputs, func(p string) string { return strings.TrimPrefix(p, m.Data+"/") })
		case StepEstimate:
			files(m.Recorded, path.Base)
		case StepSettle:
			files(m.Terms, path.Base)
			files(m.Seals, path.Base)
			files(m.Accepted, path.Base)
			// What changed since the blinded run is told from its table, if it is still there.
			if len(m.Accepted) > 0 {
				was, err := hashFile(filepath.Join(j.c.resolve(j.c.Accepted), TableDiagnostics+".parquet"), "")
				fmt.Fprintf(h, "%s %t\n", was.SHA256, err == nil)
			}
		}
		key := hex.EncodeToString(h.Sum(nil))
		out = append(out, StepKey{Step: s, Key: key})
		h.Reset()
		fmt.Fprintln(h, key)
	}
	return out
}

// standing finds how many steps stand in the folder as this run would write them, and
// whether everything does; old is their manifest, nil where there is nothing to keep.
func (j *job) standing(m *Manifest, todo []Step) (old *Manifest, n int, whole bool) {
	old, err := ReadManifest(j.out)
	if err != nil || !j.c.Keep {
		return nil, 0, false // no results to keep
	}
	if sum, err := old.sum(); err != nil || sum != old.Sum {
		return nil, 0, false // somebody changed what it says of them
	}
	changed := func(r Source) bool { return unchanged(j.out, r) != nil }
	for n < min(len(m.Keys), len(old.Keys)) && m.Keys[n].Key == old.Keys[n].Key && !slices.ContainsFunc(old.of(todo[n]), changed) {
		n++
	}
	told := slices.IndexFunc(old.Results, func(r Source) bool { return r.Path == SummaryName })
	whole = n == len(todo) && slices.Equal(todo, old.Steps) && told >= 0 && !changed(old.Results[told])
	switch {
	case whole:
	case j.c.Blinded:
		n = 0 // its tables have nothing to go on from
	case n == len(steps()):
		n-- // nothing reads a settlement back as it was made
	}
	return old, n, whole
}

// keep finds the steps that need not be done: those from the first on whose key is that
// of the results in the folder and whose tables are as they were written. It puts what
// they made into the job and the manifest, and returns the steps that are left, and
// whether everything stands there as this run would write it.
func (j *job) keep(ctx context.Context, m *Manifest, todo []Step) (left []Step, whole bool, err error) {
	old, n, whole := j.standing(m, todo)
	if old == nil {
		return todo, false, nil
	}
	for k := range min(len(m.Keys), len(old.Keys), n) {
		m.Keys[k].Words = old.Keys[k].Words
	}
	m.Steps = slices.Clone(todo[:n])
	for _, s := range m.Steps {
		m.Results = append(m.Results, old.of(s)...)
		j.c.progress(Progress{Did: string(s), Kept: true})
	}
	j.result.Kept = m.Steps
	switch {
	case whole:
		m.Standing, m.Results = old.Standing, old.Results
		err = j.again(ctx, m)
	case n > 0:
		err = j.read(ctx, m, todo[n:])
	}
	return todo[n:], whole, err
}

// of are the results of a step.
func (m *Manifest) of(s Step) (out []Source) {
	for _, t := range resultsOf(s, m.Blinded) {
		for _, r := range m.Results {
			if r.Path == t+".parquet" || r.Path == t+".csv" {
				out = append(out, r)
			}
		}
	}
	return out
}

// again is the result of a run all of whose steps are kept: what it told, and the lines
// that it settled.
func (j *job) again(ctx context.Context, m *Manifest) (err error) {
	b, err := os.ReadFile(filepath.Join(j.out, SummaryName))
	if err != nil {
		return err
	}
	j.result.told, j.result.Blinded = string(b), m.Blinded
	if !m.Blinded && slices.Contains(m.Steps, StepSettle) {
		j.result.Settlement = &bonus.Settlement{}
		j.result.Settlement.Lines, err = readRows[bonus.Line](ctx, j.out, TableSettlement)
	}
	return err
}

// progress tells who wants to know.
func (c *Config) progress(p Progress) {
	if c.Progress != nil {
		c.Progress(p)
	}
}
