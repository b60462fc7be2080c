package report

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"html/template"
	"io"
	"strconv"
	"strings"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/internal/plain"
)

// files are the templates and the style of all pages.
//
//go:embed page.html style.css sections/*.html
var files embed.FS

// section is one part of a page, in the form in which page.html shows it.
type section struct {
	ID    string // its anchor
	Title string
	Lead  string        // its answer in a sentence, which is always seen
	Body  template.HTML // what supports it
	Open  bool          // the body is seen without being asked for
}

// page is what page.html shows.
type page struct {
	Lang     string
	Title    string // of the window and of the first line
	Kicker   string // what kind of page it is
	Facts    []fact // under the title
	First    template.HTML
	Sections []section
	Foot     string
	Style    template.CSS
}

// fact is one thing that a page says of itself.
type fact struct{ Name, Value string }

// named is a section by the name of its template, words and anchor.
type named struct {
	name string
	make func() (section, bool)
}

// sections are those of the committee's report, in order.
func (b *builder) sections() []named {
	return []named{
		{"effects", b.effects},
		{"funnel", b.funnel},
		{"peers", b.peers},
		{"spending", b.spending},
		{"quality", b.quality},
		{"bonus", b.bonus},
		{"gaming", b.gaming},
		{"attrition", b.attrition},
		{"balance", b.balance},
		{"curves", b.curves},
	}
}

// yearly are those that the yearly form adds.
func (b *builder) yearly() []named {
	return []named{
		{"experience", b.experience},
		{"term", b.term},
	}
}

// committee writes the committee's report.
func (b *builder) committee(_ context.Context, w io.Writer) error {
	var out []section
	var without []string // titles of what the run has nothing for
	list := b.sections()
	if b.o.Yearly {
		list = append(list, b.yearly()...)
	}
	for _, s := range list {
		if made, ok := s.make(); ok {
			out = append(out, made)
		} else {
			without = append(without, b.T(s.name+".title"))
		}
	}
	out = append(out, b.methods(without))
	return b.write(w, page{
		Title: b.title(), Kicker: b.T("page.report"), Facts: b.facts(), First: b.answer(), Sections: out,
	})
}

// write fills in what all pages have, and writes the page.
func (b *builder) write(w io.Writer, p page) error {
	style, err := files.ReadFile("style.css")
	if err != nil {
		return err
	}
	running := short(p.Title) + " · " + b.T("page.as_of") + " " + b.l.Date(b.p.Manifest.AsOf)
	p.Lang, p.Style = b.l.Tag, template.CSS(bytes.Replace(style, []byte("RUNNING"), []byte(styled(running)), 1))
	var out strings.Builder
	if err := b.html.ExecuteTemplate(&out, "page.html", p); err != nil {
		return err
	}
	if b.err != nil {
		return b.err
	}
	// Names come from data and may hold anything; the templates hold nothing of the kind.
	_, err = io.WriteString(w, plain.Lines(strings.ReplaceAll(out.String(), "\t", " ")))
	return err
}

// styled is a text as it stands in a string of CSS: everything but letters and digits is
// escaped, so that no name ends the string.
func styled(s string) string {
	var out strings.Builder
	for _, r := range s {
		if r < 0x80 && (r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z') {
			out.WriteRune(r)
			continue
		}
		fmt.Fprintf(&out, `\%06x`, r)
	}
	return out.String()
}

// section is the section of a name: its title is the text name.title, its body the template
// sections/NAME.html filled with the data.
func (b *builder) section(name, lead string, data any) section {
	return section{ID: name, Title: b.T(name + ".title"), Lead: lead, Body: b.render(name, data)}
}

// render fills the template sections/NAME.html. What goes wrong is kept as the builder's
// error.
func (b *builder) render(name string, data any) template.HTML {
	var out strings.Builder
	if err := b.html.ExecuteTemplate(&out, name+".html", data); err != nil && b.err == nil {
		b.err = err
	}
	return template.HTML(out.String())
}

// templates reads the templates. In a template {{t "bonus.lead" "n" 3}} is a text; every other
// value comes from the section's data as it is to be read.
func (b *builder) templates() (*template.Template, error) {
	return template.New("").Funcs(template.FuncMap{"t": b.T}).ParseFS(files, "page.html", "sections/*.html")
}

// title says what the report is about: the agreements, and the municipalities.
func (b *builder) title() string {
	var agreements []string
	for _, t := range b.p.Terms {
		agreements = append(agreements, short(t.Title))
	}
	places := b.places()
	if len(agreements) == 0 {
		return b.T("page.title", "places", places)
	}
	return b.T("page.titled", "places", places, "agreements", b.l.List(agreements))
}

// places are the municipalities that the report is about; how many where they are many.
func (b *builder) places() string {
	if len(b.about) > 3 {
		return b.T("page.places", "n", len(b.about))
	}
	var out []string
	for _, m := range b.about {
		out = append(out, b.municipality(m))
	}
	return b.l.List(out)
}

// facts are what a committee asks of a figure before it reads it: until when, of whom,
// how final.
func (b *builder) facts() []fact {
	m := b.p.Manifest
	out := []fact{{b.T("page.as_of"), b.l.Date(m.AsOf)}, {b.T("page.cohort"), b.cohort()}}
	if len(b.lines) > 0 {
		out = append(out, fact{b.T("page.standing"), b.standing(m.Standing)})
	}
	return out
}

// cohort says who was referred when.
func (b *builder) cohort() string {
	from, to := b.referred()
	if y := from.Time().Year(); from == effect.NewDate(y, 1, 1) && to == effect.NewDate(y+1, 1, 1) {
		return b.T("page.year", "year", strconv.Itoa(y))
	}
	return b.T("page.between", "from", from, "to", to-1)
}

// referred are the first day of the cohort's referrals, and the first day after them.
func (b *builder) referred() (from, to effect.Date) {
	c := b.p.Config.Cohort
	if c.From != nil && c.To != nil {
		return *c.From, *c.To
	}
	return c.Period.Start, c.Period.End
}
