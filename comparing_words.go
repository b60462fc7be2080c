package jobeffekt

import (
	"fmt"
	"slices"
	"strings"

	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/ingest"
	"github.com/jobeffekt/jobeffekt/internal/plain"
)

// maxChanges keeps each list of a summary short; the table has every difference.
const maxChanges = 20

// tellings are what a summary says in words of the tables that differ.
type tellings struct {
	cases    pairing // gone and new
	moved    []count // from status to status, by outcome
	touched  int     // cases with an outcome that is not as it was
	verdicts []string
	amounts  []amount
	states   []count // of diagnostics, from state to state
	peers    []string
	rejects  []string
}

type pairing struct{ gone, new int }

// count is how many of a kind went from one state to another.
type count struct {
	of, from, to string
	n            int
}

// amount is a line whose amount is not as it was.
type amount struct {
	line, provider, unit string
	before, after        bonus.Ore
}

// absent stands for the state of what one of the folders does not have.
const absent = "(not there)"

// read takes from a table that differs what the summary tells of it. Either may be nil.
func (t *tellings) read(name string, a, b *ingest.Table) (err error) {
	switch name {
	case TableCases:
		old, now := cells(a, "participation_id"), cells(b, "participation_id")
		t.cases = pairing{len(less(old, now)), len(less(now, old))}
	case TableOutcomes:
		t.outcomes(a, b)
	case TableBenchmark:
		err = t.benchmark(a, b)
	case TableSettlement:
		err = t.settlement(a, b)
	case TableGate, TableGatePreview:
		key := func(t *ingest.Table) []string { return cells(t, "line", "diagnostic") }
		t.states = transitions(cells(a, "diagnostic"), key(a), cells(a, "state"), cells(b, "diagnostic"), key(b), cells(b, "state"))
	case TablePeers:
		t.peers = changesOf("municipality %s: peer %s", cells(a, "municipality", "peer"), cells(b, "municipality", "peer"))
	case TableRejects:
		old, now := occurrences(cells(a, "table")), occurrences(cells(b, "table"))
		for _, table := range sortedKeys(union(old, now)) {
			if old[table] != now[table] {
				t.rejects = append(t.rejects, fmt.Sprintf("%s: %s rows rejected, then %s", table, thousands(int64(old[table])), thousands(int64(now[table]))))
			}
		}
	}
	return err
}

// separator stands between the cells of a key; no name holds it.
const separator = "\x1f"

// cells are the values of columns, joined, row by row; none of a table that is not there or
// lacks a column.
func cells(t *ingest.Table, columns ...string) []string {
	if t == nil {
		return nil
	}
	out := make([]string, t.Rows())
	for k, name := range columns {
		c := t.Column(name)
		if c == nil {
			return nil
		}
		for i := range out {
			if k > 0 {
				out[i] += separator
			}
			out[i] += c.Cell(i)
		}
	}
	return out
}

// less are the values of a that b does not have.
func less(a, b []string) (out []string) {
	there := occurrences(b)
	for _, v := range a {
		if there[v] == 0 {
			out = append(out, v)
		}
	}
	return out
}

func occurrences(of []string) map[string]int {
	out := map[string]int{}
	for _, v := range of {
		out[v]++
	}
	return out
}

func union(a, b map[string]int) map[string]int {
	out := map[string]int{}
	for k := range a {
		out[k]++
	}
	for k := range b {
		out[k]++
	}
	return out
}

// changesOf lists in words the pairs that went and came.
func changesOf(format string, a, b []string) (out []string) {
	say := func(pair, what string) {
		x, y, _ := strings.Cut(pair, separator)
		out = append(out, fmt.Sprintf(format, x, y)+" "+what)
	}
	for _, v := range less(a, b) {
		say(v, "went")
	}
	for _, v := range less(b, a) {
		say(v, "came")
	}
	return out
}

// transitions counts, for each thing, how many went from one state to another.
func transitions(ofA, keyA, stateA, ofB, keyB, stateB []string) (out []count) {
	now, at := map[string]string{}, map[count]int{}
	for i, k := range keyB {
		now[k] = stateB[i]
	}
	add := func(of, from, to string) {
		if from != to {
			at[count{of: of, from: from, to: to}]++
		}
	}
	seen := map[string]bool{}
	for i, k := range keyA {
		to, there := now[k]
		if seen[k] = true; !there {
			to = absent
		}
		add(ofA[i], stateA[i], to)
	}
	for i, k := range keyB {
		if !seen[k] {
			add(ofB[i], absent, stateB[i])
		}
	}
	for c, n := range at {
		c.n = n
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b count) int {
		return strings.Compare(a.of+separator+a.from+separator+a.to, b.of+separator+b.from+separator+b.to)
	})
	return out
}

// outcomes counts the cases whose outcome is not as it was, and where they went.
func (t *tellings) outcomes(a, b *ingest.Table) {
	key := func(t *ingest.Table) []string { return cells(t, "outcome", "participation_id") }
	keyA, keyB := key(a), key(b)
	t.moved = transitions(cells(a, "outcome"), keyA, cells(a, "status"), cells(b, "outcome"), keyB, cells(b, "status"))
	all := func(t *ingest.Table) []string {
		if t == nil {
			return nil
		}
		names := make([]string, len(t.Columns))
		for k := range t.Columns {
			names[k] = t.Columns[k].Name
		}
		return cells(t, names...)
	}
	was, is := all(a), all(b)
	now := map[string]string{}
	for j, k := range keyB {
		now[k] = is[j]
	}
	touched := map[string]bool{}
	note := func(key string) { _, id, _ := strings.Cut(key, separator); touched[id] = true }
	seen := map[string]bool{}
	for i, k := range keyA {
		seen[k] = true
		if row, there := now[k]; !there || row != was[i] {
			note(k)
		}
	}
	for _, k := range keyB {
		if !seen[k] {
			note(k)
		}
	}
	t.touched = len(touched)
}

// verdictRow is what is told of a row of the benchmark.
type verdictRow struct {
	Outcome      string  `col:"outcome"`
	Unit         string  `col:"unit"`
	Municipality string  `col:"municipality"`
	Scheme       string  `col:"match_scheme"`
	Group        string  `col:"match_group"`
	Provider     string  `col:"provider_id"`
	Package      string  `col:"package_id"`
	Method       string  `col:"method"`
	Part         string  `col:"part"`
	Difference   float64 `col:"difference"`
	Low          float64 `col:"low"`
	High         float64 `col:"high"`
	Verdict      string  `col:"verdict"`
	Refusal      string  `col:"refusal"`
}

// benchmark tells the verdicts of the first method that are not as they were.
func (t *tellings) benchmark(a, b *ingest.Table) error {
	read := func(t *ingest.Table) ([]verdictRow, error) {
		if t == nil {
			return nil, nil
		}
		return ingest.ToRows[verdictRow](t)
	}
	was, err := read(a)
	if err != nil {
		return err
	}
	is, err := read(b)
	if err != nil {
		return err
	}
	type key struct{ outcome, municipality, scheme, group, provider, pack, method, part string }
	of := func(r verdictRow) key {
		return key{r.Outcome, r.Municipality, r.Scheme, r.Group, r.Provider, r.Package, r.Method, r.Part}
	}
	now := map[key]verdictRow{}
	for _, r := range is {
		now[of(r)] = r
	}
	told := func(r verdictRow) string {
		if r.Refusal != "" {
			return words(r.Verdict) + ": " + words(r.Refusal)
		}
		u := effect.Unit(r.Unit)
		return fmt.Sprintf("%s (%s, %s to %s)", words(r.Verdict), figure(r.Difference, u), figure(r.Low, u), figure(r.High, u))
	}
	for _, r := range was {
		other, there := now[of(r)]
		if _, placebo := effect.PlaceboOf(r.Outcome); placebo || !there || other.Verdict == r.Verdict || r.Method != was[0].Method || r.Package != "" || r.Part == string(effect.Municipality) {
			continue
		}
		with := "peers"
		if r.Part == string(effect.Provider) {
			with = "others at home"
		}
		t.verdicts = append(t.verdicts, fmt.Sprintf("%s, %s, match group %s, municipality %s, against %s: %s, then %s", r.Outcome, r.Provider, r.Group, r.Municipality, with, told(r), told(other)))
	}
	return nil
}

// settlement tells the amounts of lines that are not as they were.
func (t *tellings) settlement(a, b *ingest.Table) error {
	type row struct {
		Line     string `col:"line"`
		Provider string `col:"provider_id"`
		Currency string `col:"currency"`
	}
	read := func(t *ingest.Table) ([]row, []bonus.Ore, error) {
		if t == nil {
			return nil, nil, nil
		}
		rows, err := ingest.ToRows[row](t)
		if err != nil {
			return nil, nil, err
		}
		// In a publication amounts are numbers, and one that is withheld is null.
		paid, out := t.Column("amount_ore"), make([]bonus.Ore, len(rows))
		for i := range rows {
			switch {
			case paid == nil:
				return nil, nil, fmt.Errorf("%w: the table %s has no column amount_ore", ErrTables, TableSettlement)
			case paid.Ints != nil:
				out[i] = bonus.Ore(paid.Ints[i])
			case paid.Floats != nil && paid.Floats[i] == paid.Floats[i]:
				out[i] = bonus.Ore(paid.Floats[i])
			}
		}
		return rows, out, nil
	}
	was, paidA, err := read(a)
	if err != nil {
		return err
	}
	is, paidB, err := read(b)
	if err != nil {
		return err
	}
	now, seen := map[string]bonus.Ore{}, map[string]bool{}
	for j, r := range is {
		now[r.Line] = paidB[j]
	}
	add := func(r row, before, after bonus.Ore) {
		if before != after {
			t.amounts = append(t.amounts, amount{r.Line, r.Provider, bonus.Currency(r.Currency).Unit(), before, after})
		}
	}
	for i, r := range was {
		seen[r.Line] = true
		add(r, paidA[i], now[r.Line]) // nothing where the line is gone
	}
	for j, r := range is {
		if !seen[r.Line] {
			add(r, 0, paidB[j])
		}
	}
	return nil
}

// Summary says in words what differs, why first. It names no citizen. It ends in a newline.
func (c *Changed) Summary() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Before: %s, as of %s, %s\nAfter:  %s, as of %s, %s\n", plain.Line(c.Before), c.before.manifest.AsOf, c.before.manifest.Standing, plain.Line(c.After), c.after.manifest.AsOf, c.after.manifest.Standing)
	c.writeCauses(&b)
	c.writeTables(&b)
	list := func(title string, lines []string) {
		if len(lines) == 0 {
			return
		}
		fmt.Fprintf(&b, "\n%s\n", title)
		for i, line := range lines {
			if i == maxChanges {
				fmt.Fprintf(&b, "  and %d more\n", len(lines)-i)
				break
			}
			b.WriteString(wrapped("  " + plain.Line(line)))
		}
	}
	list("Rejected rows", c.told.rejects)
	list("Cases that went from one status to another", said(c.told.moved, "cases"))
	list("Peers", c.told.peers)
	list("Verdicts that changed (first method, all packages together)", c.told.verdicts)
	list("Diagnostics of the gate that changed state", said(c.told.states, "lines"))
	c.writeAmounts(&b)
	fmt.Fprintf(&b, "\n%s", wrapped(c.because()))
	var out strings.Builder
	for line := range strings.Lines(plain.Lines(b.String())) {
		out.WriteString(strings.TrimRight(line, " \n") + "\n") // the last column of a table may be empty
	}
	return out.String()
}

// said are counts in words.
func said(list []count, of string) (out []string) {
	for _, c := range list {
		out = append(out, fmt.Sprintf("%s: %s from %s to %s", c.of, thousands(int64(c.n))+" "+of, words(c.from), words(c.to)))
	}
	return out
}

func (c *Changed) writeCauses(b *strings.Builder) {
	fmt.Fprintf(b, "\nWhat the results are made of\n")
	if len(c.Causes) == 0 {
		fmt.Fprintf(b, "  The same: program, last day, data, run file and terms.\n")
		return
	}
	w := columns(b)
	fmt.Fprintf(w, "  what\twhich\tbefore\tafter\tfrom the step\n")
	for i, cause := range c.Causes {
		if i == 2*maxChanges {
			fmt.Fprintf(w, "  and %d more\n", len(c.Causes)-i)
			break
		}
		fmt.Fprintf(w, "  %s\t%s\t%s\t%s\t%s\n", words(string(cause.Kind)), short(cause.What), short(cause.Before), short(cause.After), cause.From)
	}
	w.Flush()
}

// short is a value on one line that leaves place for others.
func short(s string) string {
	const most = 48
	r := []rune(plain.Line(s))
	if len(r) > most {
		return string(r[:most-3]) + "..."
	}
	return string(r)
}

func (c *Changed) writeTables(b *strings.Builder) {
	fmt.Fprintf(b, "\nTables\n")
	same := 0
	w := columns(b)
	if c.Differ() {
		fmt.Fprintf(w, "  step\ttable\trows before\tafter\tgone\tnew\tchanged\tin\n")
	}
	for _, t := range c.Tables {
		if t.Same() {
			same++
			continue
		}
		rows := func(n int) string {
			if n < 0 {
				return "no table"
			}
			return thousands(int64(n))
		}
		fmt.Fprintf(w, "  %s\t%s\t%s\t%s\t%d\t%d\t%d\t%s\n", t.Step, t.Table, rows(t.Before), rows(t.After), t.Gone, t.New, t.Modified, some(slices.Concat(t.Columns, eachAfter("without", t.ColumnsGone), eachAfter("with", t.ColumnsNew))))
	}
	w.Flush()
	switch {
	case same == len(c.Tables):
		fmt.Fprintf(b, "  All %d are the same.\n", same)
	case same > 0:
		fmt.Fprintf(b, "  The other %d are the same.\n", same)
	}
}

// some are a few names, and how many more there are.
func some(names []string) string {
	const most = 3
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

// eachAfter are names with a word before each.
func eachAfter(word string, names []string) []string {
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = word + " " + name
	}
	return out
}

// firstDiffering is the first table that differs.
func (c *Changed) firstDiffering() TableChange {
	for _, t := range c.Tables {
		if !t.Same() {
			return t
		}
	}
	return TableChange{}
}

func (c *Changed) writeAmounts(b *strings.Builder) {
	if len(c.told.amounts) == 0 {
		return
	}
	unit := c.told.amounts[0].unit // one currency in a settlement
	fmt.Fprintf(b, "\nAmounts that changed (%s)\n", unit)
	w := columns(b)
	fmt.Fprintf(w, "  line\tbefore\tafter\tdifference\n")
	type sum struct{ before, after bonus.Ore }
	by, order, all := map[string]sum{}, []string{}, sum{}
	row := func(name string, s sum) {
		fmt.Fprintf(w, "  %s\t%s\t%s\t%s\n", plain.Line(name), grouped(s.before.String()), grouped(s.after.String()), signed(s.after-s.before))
	}
	for i, a := range c.told.amounts {
		if _, ok := by[a.provider]; !ok {
			order = append(order, a.provider)
		}
		s := by[a.provider]
		by[a.provider], all = sum{s.before + a.before, s.after + a.after}, sum{all.before + a.before, all.after + a.after}
		switch {
		case i < maxChanges:
			row(a.line, sum{a.before, a.after})
		case i == maxChanges:
			fmt.Fprintf(w, "  and %d more\n", len(c.told.amounts)-i)
		}
	}
	for _, p := range order {
		row("of "+p+", these lines", by[p])
	}
	row("in all, these lines", all)
	w.Flush()
}

// signed writes an amount with its sign.
func signed(o bonus.Ore) string {
	s := grouped(o.String())
	if o > 0 {
		return "+" + s
	}
	return s
}

// because says what the differences can come of, and no more than the folders tell.
func (c *Changed) because() string {
	kinds := kindsOf(c.Causes)
	called := func(kinds []CauseKind) string {
		out := make([]string, len(kinds))
		for i, k := range kinds {
			out[i] = causeWords(k)
		}
		return strings.Join(out, ", ")
	}
	first := c.firstStep()
	switch {
	case first == "" && len(kinds) == 0:
		return "Nothing differs."
	case first == "":
		return "No table differs: what differs above (" + called(kinds) + ") changed no figure."
	case c.before.published:
		return "These are publications, which say little of what they were made of: compare the results folders to see why. A figure may also differ because it is withheld in one of them."
	case len(kinds) == 0:
		return "Nothing that the manifests name differs, and the same inputs make the same results: so one of the folders was made by another build of the program, or is not as it was written. jobeffekt verify FOLDER tells."
	}
	able := kindsOf(c.able(first))
	where := "The first step whose tables differ is " + string(first)
	at := c.firstDiffering()
	where += " (" + at.Table + "); what differs in later steps follows from it, or from what they read beside it. "
	if first == StepMeasure && (c.told.touched > 0 || c.told.cases != pairing{}) {
		where += fmt.Sprintf("%s cases are gone, %s are new, and %s have an outcome that is not as it was, or came or went with them. ", thousands(int64(c.told.cases.gone)), thousands(int64(c.told.cases.new)), thousands(int64(c.told.touched)))
	}
	switch {
	case len(able) == 0:
		return where + "Nothing that differs above is read so early, so it does not explain that: one of the folders was made by another build of the program, or is not as it was written. jobeffekt verify FOLDER tells."
	case len(able) == 1 && len(kinds) == 1:
		return where + "One thing differs, so all of it comes of that: " + called(able) + "."
	case len(able) == 1:
		return where + "Of what differs, only this is read so early: " + called(able) + ". What changed in later steps may also come of the rest."
	}
	return where + "Several things differ that are read so early (" + called(able) + "), and the folders do not tell which of them moved a figure: make a run in which one of them alone is changed."
}

// causeWords are a kind of cause in words.
func causeWords(k CauseKind) string {
	switch k {
	case CauseAsOf:
		return "the last day that counts"
	case CauseRunFile:
		return "the run file"
	case CauseAccepted:
		return "what was accepted"
	case CauseRecorded:
		return "the recorded peers"
	case CauseWhole:
		return "which parts of the job were done"
	}
	return "the " + string(k)
}
