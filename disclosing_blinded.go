package jobeffekt

import (
	"maps"
	"slices"
	"strings"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/ingest"
)

// blindedFamilies are the families of the outcomes of a blinded run, which has no table of
// them: citizens by cell and why they are not analysed, as the table attrition counts them,
// and by package, as the table estimates does.
func (d *disclosing) blindedFamilies(attrition, estimates *ingest.Table) (out []*family) {
	of := map[string]*family{}
	left := map[string]map[string]where{} // analysed, by outcome and cell
	number := map[string]int64{}
	x := d.of(attrition)
	for i := range attrition.Rows() {
		name, why := x.at("outcome", i), x.at("reason", i)
		if of[name] == nil {
			of[name], left[name] = newFamily(name), map[string]where{}
			out = append(out, of[name])
		}
		w, _ := x.cell(i)
		w[dimWhy], w[dimEnded], w[dimCohort] = why, effect.Yes, effect.Yes
		if r, known := effect.ParseReason(why); known && r.OutsideCohort() {
			w[dimCohort] = effect.No
		}
		switch n := x.whole("n", i); {
		case n == 0 || why == effect.StepRead: // all of them
		case why == effect.StepAnalysed:
			key := strings.Join(w, "\x00")
			left[name][key] = w
			number[name+key] = n
		default:
			of[name].add(n, false, w...)
		}
	}
	if estimates != nil {
		x = d.of(estimates)
		seen := map[string]bool{}
		for i := range estimates.Rows() {
			name, n := x.at("outcome", i), x.whole("n", i)
			w, _ := x.cell(i)
			if of[name] == nil || w[dimPackage] == "" || n == 0 {
				continue
			}
			w[dimWhy], w[dimEnded], w[dimCohort] = effect.StepAnalysed, effect.Yes, effect.Yes
			whole := name + strings.Join(w.with(dimPackage, ""), "\x00")
			if key := name + strings.Join(w, "\x00"); !seen[key] && n <= number[whole] {
				seen[key] = true
				number[whole] -= n
				of[name].add(n, false, w...)
			}
		}
	}
	for _, f := range out {
		for _, key := range slices.Sorted(maps.Keys(left[f.name])) {
			if n := number[f.name+key]; n > 0 {
				f.add(n, false, left[f.name][key]...)
			}
		}
	}
	return out
}

// hush withholds the counts of all outcomes but the most important: what became of citizens
// in several of them is known of no case.
func hush(families []*family, ranks []int) {
	for i, f := range families {
		f.hushed = make([]bool, len(f.claims))
		if ranks[i] == slices.Min(ranks) {
			continue
		}
		for k, c := range f.claims {
			f.hushed[k] = !sharedClaim(c)
		}
	}
}
