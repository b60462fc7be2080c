// Package report writes what people read of a run: a folder with the committee's report, a
// page for each provider, the outward tables and a workbook, all of it from a
// [jobeffekt.Publication], which holds nothing that may not leave the house.
//
// A page is a list of sections. A section is a method of builder in a file of its own,
// section_NAME.go, that makes its data from the publication and renders the template
// sections/NAME.html with it; its words stand in words/da/NAME.yaml and words/en/NAME.yaml.
// It says no where the run has nothing for it. A new section is such a set of files and a line in
// sections or yearly.
package report

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/cmd/internal/report/words"
)

// Part is a part of a publication's folder.
type Part string

// The parts.
const (
	Committee Part = "report"    // report.LANG.html
	Providers Part = "providers" // providers/NAME.LANG.html
	CSV       Part = "csv"       // tables/NAME.csv, with the dictionary
	Parquet   Part = "parquet"   // tables/NAME.parquet, with the dictionary
	Workbook  Part = "xlsx"      // tables.xlsx
)

// Parts lists the parts in the order in which they are written.
func Parts() []Part { return []Part{Committee, Providers, CSV, Parquet, Workbook} }

// Options say what is written, and in which languages.
type Options struct {
	Languages []string // tags of the package words, each once; one or more
	Yearly    bool     // add the yearly parts: the providers' own experience, what is left of the agreement
	Only      []Part   // empty: all parts
	Providers []string // the providers whose pages are written; empty: all under the agreements
	// Municipalities are those that the report is about; empty: those whose agreements are
	// settled, and all where there are none.
	Municipalities []string
}

// Default is the report and everything beside it in Danish.
func Default() Options { return Options{Languages: []string{words.Tags()[0]}} }

// has says whether a part is asked for.
func (o Options) has(p Part) bool { return len(o.Only) == 0 || slices.Contains(o.Only, p) }

// Check says what of the options makes no sense.
func (o Options) Check() error {
	if len(o.Languages) == 0 {
		return fmt.Errorf("name a language or more of %s", strings.Join(words.Tags(), ", "))
	}
	for i, tag := range o.Languages {
		if !slices.Contains(words.Tags(), tag) || slices.Contains(o.Languages[:i], tag) {
			return fmt.Errorf("language %q: name each of %s at most once", tag, strings.Join(words.Tags(), ", "))
		}
	}
	for i, p := range o.Only {
		if !slices.Contains(Parts(), p) || slices.Contains(o.Only[:i], p) {
			return fmt.Errorf("part %q: name each of %v at most once", p, Parts())
		}
	}
	return nil
}

// Write writes the publication's folder, whole or not at all. A folder that exists is
// replaced if it is an earlier publication, and refused if it is anything else. The same
// publication and options give the same bytes.
func Write(ctx context.Context, p *jobeffekt.Publication, out string, o Options) error {
	if err := o.Check(); err != nil {
		return err
	}
	var files []file
	var steps *stepsOf // the same in every language
	for _, tag := range o.Languages {
		b, err := newBuilder(p, o, tag)
		if err != nil {
			return err
		}
		if o.has(Committee) {
			files = append(files, file{"report." + tag + ".html", b.committee})
		}
		if o.has(Providers) {
			if steps == nil {
				steps = &stepsOf{p: p, ids: b.pages()}
			}
			files = append(files, b.providerPages(steps)...)
		}
	}
	files = append(files, tableFiles(p, o)...)
	if o.has(Workbook) {
		files = append(files, workbook(p)...)
	}
	return writeFolder(ctx, p, out, o, files)
}
