package jobeffekt

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/jobeffekt/jobeffekt/effect"
)

// Part is a piece of the table spells that one machine observes: row groups
// [First, Last) of one of its files.
type Part struct {
	File  string // from the dataset's folder, with slashes: spells/p-0003.parquet
	First int
	Last  int // 0: up to the end of the file
}

// String writes a part as [ParsePart] reads it: FILE#FIRST-LAST, or FILE for a
// whole file whose row groups are not counted.
func (p Part) String() string {
	if p.First == 0 && p.Last == 0 {
		return p.File
	}
	last := ""
	if p.Last != 0 {
		last = strconv.Itoa(p.Last)
	}
	return fmt.Sprintf("%s#%d-%s", p.File, p.First, last)
}

// ParsePart reads FILE, FILE#FIRST-LAST or FILE#FIRST-, of which the first and the
// last go up to the end of the file. Row groups are counted from 0, and LAST is not
// in the part. The file is named from the dataset's folder.
func ParsePart(s string) (Part, error) {
	bad := func(why string) (Part, error) {
		return Part{}, fmt.Errorf("part %q: %s; write it as spells.parquet#0-40, the row groups 0 to 39 of a file", s, why)
	}
	p := Part{File: s}
	at := strings.LastIndexByte(s, '#')
	if at >= 0 {
		p.File = s[:at]
	}
	if p.File == "" || p.File != path.Clean(p.File) || path.IsAbs(p.File) || strings.HasPrefix(p.File, "../") {
		return bad("the file is named from the dataset's folder")
	}
	if at < 0 {
		return p, nil
	}
	first, last, ok := strings.Cut(s[at+1:], "-")
	if !ok {
		return bad("no row groups after #")
	}
	var err error
	if p.First, err = strconv.Atoi(first); err != nil || p.First < 0 {
		return bad("the first row group is no number from 0")
	}
	if last == "" {
		return p, nil
	}
	if p.Last, err = strconv.Atoi(last); err != nil || p.Last <= p.First {
		return bad("the last row group does not lie after the first")
	}
	return p, nil
}

// Mapped says what a partial holds.
type Mapped struct {
	Parts []Part // sorted by file and row group; neighbours are one
	Rows  int64  // rows of spells that were read, rejected ones too
	Used  int64  // spells that were observed
	Bytes int64  // size of the partial
}

// PartialFault is what is wrong with partials that are given to a reduce.
type PartialFault string

// The faults.
const (
	PartialMissing    PartialFault = "missing"        // a part of spells is in no partial
	PartialTwice      PartialFault = "twice"          // the same part, or some of its row groups, is in two partials
	PartialProgram    PartialFault = "other program"  // made by another version of the program
	PartialRunFile    PartialFault = "other run file" // made for another run file
	PartialAsOf       PartialFault = "other as_of"
	PartialPseudonyms PartialFault = "other pseudonyms" // made by another key
	PartialInputs     PartialFault = "other inputs"     // made with other participations, persons or other tables than there are now
	PartialChanged    PartialFault = "part changed"     // a file of spells is not what it was when it was mapped
	PartialUnknown    PartialFault = "unknown part"     // of a file or row group that the dataset does not have
	PartialTruncated  PartialFault = "cut short"        // the partial does not end as one does
	PartialDamaged    PartialFault = "damaged"          // the partial is not as it was written
	PartialFormat     PartialFault = "not a partial"    // or one of another format
	PartialUnread     PartialFault = "cannot be read"
	PartialLimit      PartialFault = "a limit is passed"
)

// PartialProblem is one thing that is wrong with the partials given.
type PartialProblem struct {
	Fault   PartialFault
	Partial string // file of the partial; "" where none is to blame
	Part    string // part of spells concerned; "" for all of the partial
	Why     string
	Cure    string
}

// String says which partial and part, what is wrong and what to do.
func (p PartialProblem) String() string {
	var where []string
	if p.Partial != "" {
		where = append(where, p.Partial)
	}
	if p.Part != "" {
		where = append(where, "part "+p.Part)
	}
	text := fmt.Sprintf("%s: %s (%s)", p.Fault, p.Why, p.Cure)
	if len(where) == 0 {
		return text
	}
	return strings.Join(where, ", ") + ": " + text
}

// ErrPartial is wrapped by errors about partials, as [PartialError].
var ErrPartial = errors.New("partials")

// PartialError names everything that is wrong with the parts given to a map, or the
// partials given to a reduce, in the order of the partials and then of the parts. It holds no value of
// the data.
type PartialError struct{ Problems []PartialProblem }

func (e *PartialError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return fmt.Sprintf("%v, or parts, do not fit:\n  %s", ErrPartial, strings.Join(lines, "\n  "))
}

func (e *PartialError) Unwrap() error { return ErrPartial }

// Has says whether the fault is among the problems.
func (e *PartialError) Has(f PartialFault) bool {
	return slices.ContainsFunc(e.Problems, func(p PartialProblem) bool { return p.Fault == f })
}

// Parts lists the table spells in parts of at most so many row groups of one file,
// in the order of files and row groups; with groups 0 a file is a part. A file
// without row groups is a part too: a reduce wants every file to have been seen.
// Only the footers of files are read.
func Parts(ctx context.Context, c *Config, groups int) ([]Part, error) {
	m, err := c.newMapping(ctx)
	if err != nil {
		return nil, err
	}
	var out []Part
	for i, f := range m.files {
		n := len(f.Groups)
		if n == 0 {
			out = append(out, Part{File: m.paths[i]})
		}
		step := groups
		if step <= 0 {
			step = n
		}
		for first := 0; first < n; first += step {
			out = append(out, Part{m.paths[i], first, min(first+step, n)})
		}
	}
	return out, nil
}

// MapParts observes the parts of the table spells and writes what they hold to one
// file, the partial: whole, or not at all, so that a worker that dies leaves nothing
// that could be taken for one, and its retry writes the same bytes. Participations
// and the other tables about the cohort are read whole; of the files of spells only the parts.
// (Who maps the first row group of a file also hashes all of it, for the manifest.)
//
// The bytes hang on the parts, the data, the run file and the version of the
// program alone: not on the order in which parts are given, on how they are cut, or
// on the number of processors.
//
// A partial holds days of persons. Neither the rejected rows nor unmapped
// codes among the parts are judged: that is done by [Reduce], over all of them. Parts that
// the dataset does not have, or that overlap, are a [PartialError].
func MapParts(ctx context.Context, c *Config, parts []Part, to string) (*Mapped, error) {
	m, err := c.newMapping(ctx)
	if err != nil {
		return nil, err
	}
	if err := c.checkTarget(to); err != nil {
		return nil, err
	}
	h, groups, err := m.choose(parts)
	if err != nil {
		return nil, err
	}
	if err := m.describe(ctx, h); err != nil {
		return nil, err
	}
	for i := range h.Spells {
		f := &h.Spells[i]
		if err := hashMapped(ctx, m.data, m.files[m.file(f.Path)], f); err != nil {
			return nil, err
		}
		if f.Whole != "" {
			if err := m.matches(ctx, []string{m.names[m.file(f.Path)]}, []Source{{SHA256: f.Whole}}); err != nil {
				return nil, err
			}
		}
	}
	c.progress(Progress{Did: DidInputs})
	s, err := m.read.measuring(ctx, m.data)
	if err != nil {
		return nil, err
	}
	for _, o := range s.observers {
		o.KeepState()
	}
	tally, err := m.data.ObserveGroups(ctx, groups, s.cases, s.employers, s.sinks()...)
	if err != nil {
		return nil, err
	}
	if err := h.tell(tally, m); err != nil {
		return nil, err
	}
	c.progress(Progress{Did: DidObserve, Within: true})
	if err := untouched(m.data); err != nil {
		return nil, err
	}
	size, err := writePartial(to, h, func(w io.Writer) error {
		for _, o := range s.observers {
			if err := o.WriteState(w); err != nil {
				return err
			}
		}
		return nil
	})
	return h.mapped(size), err
}

// MergePartials makes one partial of several, without finishing: the same bytes as
// MapParts of all of their parts at once. Trees of them end in [Reduce].
func MergePartials(ctx context.Context, c *Config, partials []string, to string) (*Mapped, error) {
	m, err := c.newMapping(ctx)
	if err != nil {
		return nil, err
	}
	if err := c.checkTarget(to); err != nil {
		return nil, err
	}
	set, err := m.openPartials(ctx, partials, false)
	if err != nil {
		return nil, err
	}
	h := &partialHeader{Spells: set.files}
	if err := m.describe(ctx, h); err != nil {
		return nil, err
	}
	c.progress(Progress{Did: DidInputs})
	if err := h.tell(set.tally(m), m); err != nil {
		return nil, err
	}
	s, err := m.read.measuring(ctx, m.data)
	if err != nil {
		return nil, err
	}
	size, err := writePartial(to, h, func(w io.Writer) error {
		return set.read(s, func(o *effect.Observer, states []*bufio.Reader) error { return o.MergeStates(ctx, w, states) })
	})
	return h.mapped(size), err
}

// Reduce does the step measure from partials in place of the table spells, of which
// it reads footers only: the same tables and the same manifest as
// RunStep(ctx, c, StepMeasure), byte for byte, however the table was cut and in
// whatever order the partials come. The other steps follow with [RunStep].
//
// Every part of spells must be in exactly one partial. What is wrong with the
// partials comes all at once as a [PartialError]; then nothing is written. Other
// errors are those of the step.
func Reduce(ctx context.Context, c *Config, partials []string) (*Result, error) {
	if c.Blinded {
		return nil, errMapBlinded()
	}
	if len(partials) == 0 {
		return nil, errNoPartial()
	}
	return run(ctx, c, []Step{StepMeasure}, partials...)
}

func errNoPartial() error {
	return &PartialError{[]PartialProblem{{Fault: PartialMissing, Why: "no partial is given", Cure: "give all files that maps wrote"}}}
}

func errMapBlinded() error {
	return fmt.Errorf("%w: what a reduce writes shows effects, so that a blinded run is done as a whole: use run", ErrConfig)
}
