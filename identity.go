package jobeffekt

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/ingest"
)

// Crosswalk says which match group of one scheme stands for which of another.
type Crosswalk struct {
	From   string            `yaml:"from" doc:"match scheme that is left"`
	To     string            `yaml:"to" doc:"match scheme that is used in its place"`
	Groups map[string]string `yaml:"groups" doc:"group of the scheme that is left: group of the other; every group that occurs must be there"`
}

// checkCrosswalk finds crosswalks that leave open where a case belongs.
func (c *Config) checkCrosswalk(fault func(path, format string, args ...any)) {
	left := map[string]bool{}
	for _, w := range c.Crosswalk {
		left[w.From] = true
	}
	seen := map[string]bool{}
	for i, w := range c.Crosswalk {
		at := fmt.Sprintf("crosswalk[%d]", i)
		switch {
		case w.From == "" || w.To == "":
			fault(at, "name the scheme that is left (from) and the one that is used (to)")
		case w.From == w.To:
			fault(at, "a scheme does not stand for itself")
		case left[w.To]:
			fault(at+".to", "%s is left by another crosswalk: rows are moved once, so map both to the scheme that is used in the end", w.To)
		}
		if seen[w.From] && w.From != "" {
			fault(at+".from", "%s is left by another crosswalk already: list all its groups in one", w.From)
		}
		seen[w.From] = true
		if len(w.Groups) == 0 {
			fault(at+".groups", "say for each group of %s which group of %s it stands for", w.From, w.To)
		}
		for _, g := range slices.Sorted(maps.Keys(w.Groups)) {
			if g == "" || w.Groups[g] == "" {
				fault(at+".groups", "a match group has a name")
			}
		}
	}
}

// crosswalks are the run file's, as they are applied.
func (c *Config) crosswalks() []effect.Crosswalk {
	var out []effect.Crosswalk
	for _, w := range c.Crosswalk {
		out = append(out, effect.Crosswalk{From: w.From, To: w.To, Groups: w.Groups})
	}
	return out
}

// Identified is what the step measure tells of who the providers are and which
// match groups were moved.
type Identified struct {
	Providers []effect.ProviderRow
	Crosswalk []ingest.Move // empty where the run file declares none
}

// writeIdentity says what the crosswalk moved, and whose identity leaves doubt.
func (r *Identified) writeIdentity(b *strings.Builder) {
	r.writeCrosswalk(b)
	var w *tabwriter.Writer
	line := func(what string, count func(effect.ProviderRow) int64) {
		n, of, order := int64(0), map[string]int64{}, []string{}
		for _, row := range r.Providers {
			if k := count(row); k > 0 {
				if of[row.Provider] == 0 {
					order = append(order, row.Provider)
				}
				of[row.Provider] += k
				n += k
			}
		}
		if n == 0 {
			return
		}
		if w == nil {
			fmt.Fprintf(b, "\nWho the providers are leaves doubt (cases of the cohort; %s.parquet)\n", TableProviders)
			w = columns(b)
		}
		slices.SortStableFunc(order, func(x, y string) int { return cmp.Compare(of[y], of[x]) })
		var parts []string
		for i, p := range order {
			if i == maxSummaryProviders {
				parts = append(parts, fmt.Sprintf("and %d more", len(order)-i))
				break
			}
			parts = append(parts, fmt.Sprintf("%s %s", p, thousands(of[p])))
		}
		fmt.Fprintf(w, "  %s\t%s\t%s\n", what, thousands(n), strings.Join(parts, ", "))
	}
	problem := func(p string) func(effect.ProviderRow) int64 {
		return func(row effect.ProviderRow) int64 {
			if row.Problem != p {
				return 0
			}
			return row.N
		}
	}
	line("referred on a day on which no validity of the provider holds", problem(effect.ProviderOutside))
	line("referred to a provider that the table providers does not have", problem(effect.ProviderUnknown))
	line("channel says otherwise than who the provider is", func(row effect.ProviderRow) int64 { return row.Contradict })
	if w != nil {
		w.Flush()
	}
}

// maxSummaryProviders keeps a line of the summary short.
const maxSummaryProviders = 5

// writeCrosswalk prints every mapping that was declared, with the rows it moved in
// each table.
func (r *Identified) writeCrosswalk(b *strings.Builder) {
	if len(r.Crosswalk) == 0 {
		return
	}
	type mapping struct{ fromScheme, fromGroup, toScheme, toGroup string }
	var order []mapping
	rows := map[mapping]map[string]int64{}
	var read []string
	for _, m := range r.Crosswalk {
		k := mapping{m.FromScheme, m.FromGroup, m.ToScheme, m.ToGroup}
		if rows[k] == nil {
			rows[k] = map[string]int64{}
			order = append(order, k)
		}
		rows[k][m.Table] += m.Rows
		if !slices.Contains(read, m.Table) {
			read = append(read, m.Table)
		}
	}
	slices.Sort(read)
	fmt.Fprintf(b, "\nMatch groups moved by the crosswalk of the run file (rows)\n")
	w := columns(b)
	fmt.Fprintf(w, "  from\tgroup\tto\tgroup\t%s\n", strings.Join(read, "\t"))
	for _, k := range order {
		fmt.Fprintf(w, "  %s\t%s\t%s\t%s", k.fromScheme, k.fromGroup, k.toScheme, k.toGroup)
		for _, table := range read {
			fmt.Fprintf(w, "\t%s", thousands(rows[k][table]))
		}
		fmt.Fprintln(w)
	}
	w.Flush()
}
