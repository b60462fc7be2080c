package report

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/jobeffekt/jobeffekt"
)

// methodsData is how the figures were made, what they cannot tell, and of what.
type methodsData struct {
	Outcomes []fact   // name in the tables, definition
	How      []string // the main method, the interval, the verdicts
	Limits   []string
	Sources  []cited
	Read     []readRow
	Hidden   []string
	Without  string
	Program  []fact
	Files    []fileRow
	More     int // files that are not listed
}

// cited is a source: its key in references.bib and in full.
type cited struct{ key, Text string }

type readRow struct{ Table, Read, Rejected string }

type fileRow struct{ What, Path, SHA256 string }

// mostFiles is how many inputs a page lists; manifest.json lists all.
const mostFiles = 40

// sources are what the report rests on: of the method, where one is named, or of all runs.
func sources() []struct{ method, key, text string } {
	return []struct{ method, key, text string }{
		{"balance", "hainmueller2012", "Hainmueller, J. (2012): Entropy balancing for causal effects. Political Analysis 20(1), 25–46."},
		{"regression", "robins1986", "Robins, J. (1986): A new approach to causal inference in mortality studies with a sustained exposure period. Mathematical Modelling 7, 1393–1512."},
		{"matching", "abadieimbens2006", "Abadie, A. & Imbens, G. W. (2006): Large sample properties of matching estimators for average treatment effects. Econometrica 74(1), 235–267."},
		{"", "mackinnonwhite1985", "MacKinnon, J. G. & White, H. (1985): Some heteroskedasticity-consistent covariance matrix estimators with improved finite sample properties. Journal of Econometrics 29(3), 305–325."},
		{"", "paulemandel1982", "Paule, R. C. & Mandel, J. (1982): Consensus values and weighting factors. Journal of Research of the National Bureau of Standards 87(5), 377–385."},
		{"", "satterthwaite1946", "Satterthwaite, F. E. (1946): An approximate distribution of estimates of variance components. Biometrics Bulletin 2(6), 110–114."},
		{"holm", "holm1979", "Holm, S. (1979): A simple sequentially rejective multiple test procedure. Scandinavian Journal of Statistics 6(2), 65–70."},
		{"funnel", "spiegelhalter2005", "Spiegelhalter, D. J. (2005): Funnel plots for comparing institutional performance. Statistics in Medicine 24(8), 1185–1202."},
		{"curves", "aalenjohansen1978", "Aalen, O. O. & Johansen, S. (1978): An empirical transition matrix for non-homogeneous Markov chains based on censored observations. Scandinavian Journal of Statistics 5(3), 141–150."},
	}
}

// methods is the last section. without are the titles of sections that the run has nothing
// for.
func (b *builder) methods(without []string) section {
	var d methodsData
	for _, o := range b.outcomes {
		d.Outcomes = append(d.Outcomes, fact{short(o), b.outcome(o)})
	}
	d.How = append(d.How, b.T("methods.effect"))
	if key := "methods." + b.method; b.l.Has(key) {
		d.How = append(d.How, b.T(key, "covariates", b.covariates()))
	} else {
		d.How = append(d.How, b.T("methods.other", "method", short(b.method), "covariates", b.covariates()))
	}
	d.How = append(d.How, b.T("methods.interval", "certainty", b.l.Percent(b.confidence(), places(100*b.confidence()))), b.T("methods.verdicts"))
	if len(b.p.Config.Compare.Methods) > 1 {
		var others []string
		for _, m := range b.p.Config.Compare.Methods[1:] {
			others = append(others, b.l.Code("method", string(m)))
		}
		d.How = append(d.How, b.T("methods.others", "methods", b.l.List(others)))
	}
	for i := 1; b.l.Has(fmt.Sprintf("methods.limit%d", i)); i++ {
		d.Limits = append(d.Limits, b.T(fmt.Sprintf("methods.limit%d", i)))
	}
	used := []string{"", b.method}
	if slices.ContainsFunc(b.gate, func(g gateRow) bool { return g.Diagnostic == "holm" }) {
		used = append(used, "holm")
	}
	for _, of := range [2]struct{ table, name string }{{jobeffekt.TableProfile, "funnel"}, {jobeffekt.TableCurves, "curves"}} {
		if t := b.p.Table(of.table); t != nil && t.Rows() > 0 {
			used = append(used, of.name)
		}
	}
	for _, s := range sources() {
		if slices.Contains(used, s.method) {
			d.Sources = append(d.Sources, cited{s.key, s.text})
		}
	}
	b.readCounts(&d)
	d.Hidden = b.hidden()
	if len(without) > 0 {
		d.Without = b.T("methods.without", "list", b.l.List(without))
	}
	b.manifest(&d)
	return b.section("methods", b.T("methods.lead"), d)
}

// covariates are what is adjusted for, in words where they are known.
func (b *builder) covariates() string {
	var out []string
	for _, c := range b.p.Config.Compare.Covariates {
		out = append(out, b.l.Code("covariate", short(c)))
	}
	if len(out) == 0 {
		return b.T("covariate.none")
	}
	return b.l.List(out)
}

// readCounts fills in what was read and rejected, and what rules left out.
func (b *builder) readCounts(d *methodsData) {
	type row struct {
		Table      string  `col:"table"`
		Count      string  `col:"count"`
		Rows       float64 `col:"rows"`
		Suppressed string  `col:"suppressed"`
	}
	all := rows[row](b, jobeffekt.TableCounts)
	at := func(table, count string) string {
		i := slices.IndexFunc(all, func(r row) bool { return r.Table == table && r.Count == count })
		if i < 0 {
			return b.T("page.missing")
		}
		return b.count(all[i].Rows, all[i].Suppressed)
	}
	for _, r := range all {
		if r.Count == "read" {
			d.Read = append(d.Read, readRow{b.l.Code("table", r.Table), at(r.Table, "read"), at(r.Table, "rejected")})
		}
	}
}

// hidden says what was withheld and how much.
func (b *builder) hidden() []string {
	all, rows := 0, 0
	for _, t := range b.p.Tables {
		rows += t.Rows()
		if c := t.Column(jobeffekt.SuppressedColumn); c != nil {
			for i := range t.Rows() {
				if c.Cell(i) != "" {
					all++
				}
			}
		}
	}
	return []string{b.T("methods.hidden", "min", float64(b.p.MinCount)), b.T("methods.hidden_rows", "n", all, "of", rows)}
}

// manifest fills in what the results were made of and by what.
func (b *builder) manifest(d *methodsData) {
	m := b.p.Manifest
	version := m.Program.Version
	if m.Program.Revision != "" {
		version += ", " + m.Program.Revision
	}
	d.Program = []fact{
		{b.T("methods.program"), short(path.Base(m.Program.Module) + " " + version)},
		{b.T("methods.go"), short(m.Program.Go + ", " + m.Program.Platform)},
		{b.T("page.as_of"), b.l.Date(m.AsOf)},
	}
	add := func(what string, of ...jobeffekt.Source) {
		for _, s := range of {
			if len(d.Files) == mostFiles {
				d.More++
				continue
			}
			d.Files = append(d.Files, fileRow{b.T(what), short(strings.TrimPrefix(s.Path, "../")), s.SHA256})
		}
	}
	add("methods.run_file", m.RunFile)
	add("methods.terms", m.Terms...)
	add("methods.seals", m.Seals...)
	add("methods.accepted", m.Accepted...)
	add("methods.choice", m.Recorded...)
	add("methods.input", m.Inputs...)
}
