package command

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/ingest"
	"github.com/jobeffekt/jobeffekt/internal/plain"
	"github.com/jobeffekt/jobeffekt/internal/whole"
)

// question marks what somebody has to answer. Where it stands in place of a value, check and run
// refuse the file at that line; in a comment, check counts it.
const question = "QUESTION"

// newInit writes a run file and terms from what a dataset tells of itself.
func newInit() *cobra.Command {
	var out string
	c := &cobra.Command{
		Use:   "init DATA",
		Short: "Look at a dataset and write a commented run file and terms for it",
		Long: `Looks at the tables of a folder, and writes jobeffekt.yaml and, for each agreement that
participations name, terms, with comments that say what was found and what can be said
instead. Columns and codes whose names can mean one thing alone, in English or Danish, are
mapped. What is not sure is marked QUESTION: where a job cannot be done without the answer,
check and run refuse the file there; where it can, the mark is in a comment, and check
lists it. Prices are 0 until somebody says them, so that nothing is paid on a guess.

Files that are there are never overwritten. No identifier of a person is read into what is
written or printed.`,
		Example: "  jobeffekt init data\n  jobeffekt check jobeffekt.yaml\n  jobeffekt run jobeffekt.yaml",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			in, err := jobeffekt.Inspect(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			data, err := between(out, args[0])
			if err != nil {
				return err
			}
			f := newDraft(in, data)
			if err := writeNew(out, f.files); err != nil {
				return err
			}
			w := cmd.OutOrStdout()
			for _, t := range in.Tables {
				fmt.Fprintf(w, "%-15s %12s rows\n", t.Name, humanize.Comma(t.Rows))
			}
			for _, n := range in.Notes {
				fmt.Fprintln(w, plain.Line(n))
			}
			fmt.Fprintln(w)
			for _, file := range f.files {
				fmt.Fprintf(w, "Wrote %s\n", filepath.Join(out, file.name))
			}
			run := filepath.Join(out, runFileName)
			if f.open > 0 {
				fmt.Fprintf(w, "Marked %s where only you know: %d. A job is done once those in place of a value are answered.\n", question, f.open)
			}
			_, err = fmt.Fprintf(w, "Next:\n  jobeffekt check %s\n  jobeffekt run %s --dry-run\n", run, run)
			return err
		},
	}
	c.Flags().StringVar(&out, "out", ".", "folder for the run file and the terms")
	return c
}

const runFileName = "jobeffekt.yaml"

// between is the path of the data as the run file names it.
func between(out, data string) (string, error) {
	from, err := filepath.Abs(out)
	if err != nil {
		return "", err
	}
	to, err := filepath.Abs(data)
	if err != nil {
		return "", err
	}
	rel, err := filepath.Rel(from, to)
	if err != nil {
		return to, nil // another drive
	}
	return filepath.ToSlash(rel), nil
}

// draftFile is a file to be written.
type draftFile struct{ name, text string }

// writeNew writes files of which none is there yet.
func writeNew(folder string, files []draftFile) error {
	var errs []error
	left := 0
	for _, f := range files {
		if b, err := os.ReadFile(filepath.Join(folder, f.name)); err == nil && string(b) == f.text {
			left++ // by one that was killed, unless all are there
		}
	}
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(folder, f.name))
		if same := err == nil && string(b) == f.text; same && left < len(files) {
			continue
		}
		if _, err := os.Lstat(filepath.Join(folder, f.name)); !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("%s is there already, and nothing is overwritten: move it away, or name another folder with --out", filepath.Join(folder, f.name)))
		}
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	for _, f := range files {
		if err := whole.Write(filepath.Join(folder, f.name), 0o600, []byte(f.text)); err != nil {
			return err
		}
	}
	return nil
}

// draft is a run file with its terms.
type draft struct {
	in    *jobeffekt.Inspected
	b     strings.Builder
	files []draftFile
	open  int
}

func newDraft(in *jobeffekt.Inspected, data string) *draft {
	d := &draft{in: in}
	var terms []string
	for i, a := range in.Agreements[:min(maxDrafts, len(in.Agreements))] {
		name := "terms.yaml"
		if len(in.Agreements) > 1 {
			// Letters of another case may be the same file.
			name = "terms-" + a.ID + ".yaml"
			if strings.ContainsFunc(a.ID, func(r rune) bool { return !inName(r) }) || len(a.ID) > 60 ||
				slices.ContainsFunc(terms, func(other string) bool { return strings.EqualFold(other, name) }) {
				name = fmt.Sprintf("terms_%d.yaml", i+1)
			}
		}
		terms = append(terms, name)
	}
	d.runFile(data, terms)
	d.done(runFileName)
	for i, name := range terms {
		d.terms(&in.Agreements[i])
		d.done(name)
	}
	return d
}

// maxDrafts is how many agreements get terms.
const maxDrafts = 20

func (d *draft) done(name string) {
	text := d.b.String()
	d.open += strings.Count(text, question)
	d.files = append(d.files, draftFile{name, text})
	d.b.Reset()
}

// say writes a line.
func (d *draft) say(format string, args ...any) { fmt.Fprintf(&d.b, format+"\n", args...) }

// inName says whether a letter can stand in any file name, and needs no quotes in YAML.
func inName(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-'
}

// quoted is a text as YAML reads it back, whatever is in it.
func quoted(s string) string {
	bare := s != "" && (s[0] >= 'a' && s[0] <= 'z' || s[0] >= 'A' && s[0] <= 'Z') && !strings.ContainsFunc(s, func(r rune) bool { return !inName(r) && r != '.' })
	if bare && !slices.Contains([]string{"null", "true", "false", "yes", "no", "on", "off", "y", "n", "nan", "inf"}, strings.ToLower(s)) {
		return s
	}
	return strconv.Quote(strings.ToValidUTF8(s, "?"))
}

func list(names []string) string {
	var out []string
	for _, n := range names {
		out = append(out, quoted(n))
	}
	return "[" + strings.Join(out, ", ") + "]"
}

// told is a list of names for a comment: the first few, and how many more there are.
func told(names []string, most int) string {
	var out []string
	for i, n := range names {
		if i == most {
			out = append(out, fmt.Sprintf("and %d more", len(names)-most))
			break
		}
		if len(n) > 60 {
			n = strings.ToValidUTF8(n[:60], "") + "..."
		}
		out = append(out, plain.Line(n))
	}
	return strings.Join(out, ", ")
}

func values(list []ingest.InputValue, empty string) (out []string) {
	for _, v := range list {
		name := v.Value
		if name == "" {
			name = empty
		}
		out = append(out, fmt.Sprintf("%s (%s)", name, many(v.Rows)))
	}
	return out
}

// many is a count of participations, as far as a file that is handed on may tell it.
func many(n int64) string {
	if n < jobeffekt.DefaultMinCount {
		return fmt.Sprintf("fewer than %d", jobeffekt.DefaultMinCount)
	}
	return humanize.Comma(n)
}

// runFile writes the run file.
func (d *draft) runFile(data string, terms []string) {
	in := d.in
	d.say("# yaml-language-server: $schema=jobeffekt.schema.json")
	d.say("# Written by jobeffekt init from what the dataset holds; docs/run-file.md of jobeffekt explains every key.")
	d.say("# The schema for editors: jobeffekt schema run > jobeffekt.schema.json")
	d.say("#")
	for _, t := range in.Tables {
		d.say("# %-15s %s rows", t.Name, humanize.Comma(t.Rows))
	}
	for _, n := range in.Notes {
		d.say("# %s: %s", question, plain.Line(n))
	}
	d.say("data: %s", quoted(data))
	d.say("out: results")
	asOf := in.SpellsLast
	switch {
	case asOf == effect.NoDate:
		d.say("as_of: %s        # the last day that counts, as 2010-06-30: the spells could not be read", question)
	default:
		d.say("as_of: %s        # the last day that counts: the last on which a spell begins", asOf)
	}
	d.say("")
	d.input()
	cohort := d.cohort(asOf)
	d.say("")
	d.say("outcomes:                # what is asked of every participation")
	for _, line := range []string{
		"  - {name: employed_26w, kind: state_at, states: [ordinary_employment, self_employment], at: 26 weeks}",
		"  - {name: days_employed_52w, kind: days_in, states: [ordinary_employment, self_employment], within: 52 weeks}",
		"  - {name: sustained_13w, kind: sustained, states: [ordinary_employment, self_employment], weeks: 13, max_gap: 7, within: 52 weeks}",
	} {
		d.say("%s", line)
	}
	d.peers(cohort)
	d.compare()
	if len(terms) > 0 {
		d.say("")
		if len(in.Agreements) > len(terms) {
			d.say("# %s: there are %d agreements, and terms were written for the first %d.", question, len(in.Agreements), len(terms))
		}
		var settled []string
		for i, name := range terms {
			// Nobody can say what is paid for who is in no package.
			if n := in.Agreements[i].WithoutPackage; n > 0 {
				d.say("# %s: %s cannot be settled yet: %s of its participations have no package. Give them one in the extract, and add it", question, name, many(n))
				continue
			}
			settled = append(settled, name)
		}
		if len(settled) > 1 {
			d.say("# %s: which of these agreements are yours? Leave out the others; their citizens still count as peers", question)
		}
		if len(settled) > 0 {
			d.say("terms: %s", list(settled))
		}
	}
	d.say("formats: [csv]           # beside Parquet")
}

// input writes how the dataset maps to the contract.
func (d *draft) input() {
	in := d.in
	var columns, unknown []string
	for _, t := range in.Tables {
		var lines []string
		for _, c := range in.Columns {
			switch {
			case c.Table != t.Name:
			case c.Input != "":
				note := ""
				if c.Column == "end_date" || c.Column == "valid_to" {
					note = "   # " + question + ": is it the first day no longer in it? If it is the last day, add one in the extract"
				}
				lines = append(lines, fmt.Sprintf("      %s: %s%s", c.Column, quoted(c.Input), note))
			case c.Required:
				may := "no column has its type"
				if len(c.Candidates) > 0 {
					may = "one of " + told(c.Candidates, 20)
				}
				lines = append(lines, fmt.Sprintf("      %s: %s   # %s", c.Column, question, may))
				if c.Column == "match_scheme" {
					lines = append(lines, "      # or, where all rows have the same: constants: {participations: {match_scheme: match5_2004}}")
				}
			default:
				lines = append(lines, fmt.Sprintf("      # %s: %s: is it one of %s?", c.Column, question, told(c.Candidates, 20)))
			}
		}
		if len(lines) > 0 {
			if slices.ContainsFunc(lines, func(l string) bool { return !strings.HasPrefix(strings.TrimSpace(l), "#") }) {
				columns = append(columns, "    "+t.Name+":")
			} else {
				columns = append(columns, "    # "+t.Name)
			}
			columns = append(columns, lines...)
		}
	}
	var states []string
	for _, s := range in.States {
		rows := humanize.Comma(s.Rows) + " rows"
		switch {
		case s.Known && s.State.String() == s.Code:
			continue
		case s.Known:
			states = append(states, fmt.Sprintf("    %s: %s   # %s", strconv.Quote(s.Code), s.State, rows))
		default:
			unknown = append(unknown, fmt.Sprintf("    %s: %s   # %s", strconv.Quote(s.Code), question, rows))
		}
	}
	keys := slices.ContainsFunc(columns, func(l string) bool { return !strings.HasPrefix(strings.TrimSpace(l), "#") })
	if len(columns)+len(states)+len(unknown)+len(in.Fixed) == 0 {
		return
	}
	fixed := len(in.Fixed) > 0 && !in.Dated
	if keys || len(states)+len(unknown) > 0 || fixed {
		d.say("input:                   # how the dataset maps to the contract")
	}
	if fixed {
		d.say("  fixed: %s   # cannot change, so they need no date; %s: is there more that was known at the referral?", list(in.Fixed), question)
	}
	if len(columns) > 0 {
		if keys {
			d.say("  columns:               # column of the contract: column in the input")
		}
		for _, l := range columns {
			d.say("%s", l)
		}
	}
	if len(states)+len(unknown) > 0 {
		d.say("  states:                # code in the input: state (docs/data.md lists them; ignore counts for nothing)")
		for _, l := range slices.Concat(states, unknown) {
			d.say("%s", l)
		}
	}
	d.say("")
}

// cohort writes which participations are analysed, and returns the first day: the last calendar
// year whose citizens can all be followed for 52 weeks, or all that there are.
func (d *draft) cohort(asOf effect.Date) effect.Date {
	in := d.in
	if in.ReferredFirst == effect.NoDate || asOf == effect.NoDate {
		d.say("cohort:")
		d.say("  period: %s       # of the referrals: 2008, 2008H1, 2008Q3 or 2008-09", question)
		return effect.NoDate
	}
	d.say("# referred from %s to %s", in.ReferredFirst, in.ReferredLast)
	if in.Participations > 0 {
		d.say("# participations: %s", humanize.Comma(int64(in.Participations)))
		d.say("# municipalities: %s", told(values(in.Municipalities, "none"), 15))
		d.say("# providers: %s", told(values(in.Providers, "own projects"), 15))
	}
	var groups []string
	for _, g := range in.Groups {
		groups = append(groups, fmt.Sprintf("%s/%s (%s)", g.Scheme, g.Group, many(g.N)))
	}
	if len(groups) > 0 {
		d.say("# match groups: %s", told(groups, 20))
	}
	if len(in.Channels) > 0 {
		d.say("# channels: %s", told(values(in.Channels, "none"), 10))
	}
	d.say("cohort:")
	for year := asOf.Time().Year() - 1; year >= in.ReferredFirst.Time().Year(); year-- {
		from, to := effect.NewDate(year, 1, 1), effect.NewDate(year+1, 1, 1)
		if to+364 <= asOf+1 && in.ReferredLast >= from && in.ReferredFirst < to {
			d.say("  period: %d           # the last year whose citizens can all be followed for 52 weeks", year)
			d.say("  take: first            # a citizen's first participation under an agreement")
			return from
		}
	}
	d.say("  from: %s       # all referrals; some cannot be followed for long enough, and are counted so", in.ReferredFirst)
	d.say("  to: %s         # the day after the last", in.ReferredLast+1)
	return in.ReferredFirst
}

// peers writes how comparable municipalities are chosen.
func (d *draft) peers(cohort effect.Date) {
	in := d.in
	d.say("")
	n := 0
	for _, m := range in.Municipalities {
		if m.Value != "" {
			n++
		}
	}
	year := ""
	for _, y := range in.Years { // the last first
		if year == "" || cohort != effect.NoDate && y < strconv.Itoa(cohort.Time().Year()) && year >= strconv.Itoa(cohort.Time().Year()) {
			year = y
		}
	}
	if len(in.Conditions) == 0 || year == "" || n <= effect.MinPeers {
		d.say("# No peers: comparable municipalities need participations of %d other municipalities, and the table", effect.MinPeers)
		d.say("# municipalities with their framework conditions. Citizens are compared at home alone.")
		return
	}
	d.say("peers:                   # comparable municipalities: the nearest by framework conditions")
	d.say("  # %s: leave out what the offers themselves can move, as shares on benefit", question)
	d.say("  conditions: %s", list(in.Conditions))
	d.say("  year: %s              # of %s; best one before the referrals", year, told(in.Years, 10))
	d.say("  k: %d", min(8, n-1))
}

// compare writes with whom and how cells are compared.
func (d *draft) compare() {
	in := d.in
	d.say("")
	d.say("compare:")
	d.say("  methods: [balance]     # the first is the main one; also regression, strata")
	covariates := append(slices.Clone(in.Covariates), "weeks_employed_52", effect.ElapsedBenefit)
	if !in.Dated && len(in.Covariates) > 0 {
		d.say("  # those of persons have no valid_from: what is not fixed above is not dated, and standard gates ask for dates")
	}
	d.say("  covariates: %s", list(covariates))
	if slices.ContainsFunc(in.Providers, func(v ingest.InputValue) bool { return v.Value == "" }) && len(in.Providers) > 1 {
		d.say("  also: [own_projects]   # compared with the municipality's own projects too")
	}
	if in.Packages {
		d.say("  by_package: true       # each offer package of a provider too")
	}
	if len(in.Channels) > 1 {
		d.say("")
		d.say("views:")
		d.say("  of: [total, channel]   # all of a municipality, and providers against own projects")
	}
	if slices.ContainsFunc(in.Tables, func(t ingest.TableSize) bool { return t.Name == ingest.Spend }) {
		d.say("")
		d.say("# spending:              # what was spent, beside its citizens and their effects: docs/run-file.md")
		d.say("#   outcome: employed_26w")
	}
}

// terms writes the terms of an agreement: a price for each result, which is 0 until it is said.
func (d *draft) terms(a *jobeffekt.InspectedAgreement) {
	d.say("# yaml-language-server: $schema=terms.schema.json")
	d.say("# Written by jobeffekt init; docs/terms.md of jobeffekt explains every key, and testdata/terms has the models")
	d.say("# of other agreements. The schema for editors: jobeffekt schema terms > terms.schema.json")
	d.say("# %s participations, referred from %s to %s, in %s", many(a.N), a.First, a.Last, told(a.Municipalities, 10))
	d.say("agreement: %s", quoted(a.ID))
	d.say("title: %s", quoted("Agreement "+a.ID))
	d.say("source: {document: \"to be named\", dated: %s}   # %s: which document these terms come from, and its date", a.First, question)
	d.say("currency: DKK")
	if a.OtherSchemes {
		d.say("# %s: its participations are of more than one scheme of match groups", question)
	}
	d.say("match_scheme: %s", quoted(a.Scheme))
	from, to := effect.NewDate(a.First.Time().Year(), 1, 1), effect.NewDate(a.Last.Time().Year()+1, 1, 1)
	d.say("starts: %s       # %s: first day of the agreement", from, question)
	d.say("ends: %s         # %s: its last day", to-1, question)
	d.say("packages:                # %s: which are job-oriented? Only those are paid for here", question)
	if len(a.Packages) == 0 {
		d.say("  - {id: %s, name: the name of the package, job_oriented: true}", question)
	}
	for _, p := range a.Packages {
		d.say("  - {id: %s, name: %s, job_oriented: true}", quoted(p), quoted(p))
	}
	d.say("periods: half_year       # of settlement; also month, quarter, year")
	d.say("applies_by: referral")
	d.say("rounding: {unit: 1, mode: half_up, stage: line}")
	d.say("versions:")
	d.say("  - valid_from: %s", from)
	d.say("    clauses:")
	d.say("      - id: sustained-job")
	d.say("        section: \"1\"         # %s: of the document", question)
	d.say("        text: A price for each citizen who has worked for 13 weeks in a row")
	d.say("        measure: {reached: sustained_13w}")
	d.say("        conditions: {job_oriented: true}")
	d.say("        schedule:")
	d.say("          unit_prices:       # %s: in kroner; nothing is paid until they are said", question)
	for _, g := range a.Groups {
		if len(a.Packages) == 0 {
			d.say("            - {match_group: %s, amount: 0}", quoted(g))
		}
		for _, p := range a.Packages {
			d.say("            - {match_group: %s, package: %s, amount: 0}", quoted(g), quoted(p))
		}
	}
}
