package report

import (
	"cmp"
	"slices"

	"github.com/jobeffekt/jobeffekt/ingest"
)

// experienceData is what providers wrote, by provider.
type experienceData struct{ Providers []experienceOf }

type experienceOf struct {
	Name  string
	Texts []saidIn
}

// saidIn is what was written of a period, in paragraphs.
type saidIn struct {
	Period     string
	Paragraphs []string
}

// longestAccount is how many characters of what a provider wrote are shown.
const longestAccount = 4000

// experience shows the providers' own words: those of the providers that the report is about,
// the latest period first.
func (b *builder) experience() (section, bool) {
	var d experienceData
	n := 0
	for _, id := range b.alphabetical(b.providers) {
		of := slices.DeleteFunc(slices.Clone(b.p.Experience), func(s ingest.Statement) bool { return s.Provider != id })
		slices.SortStableFunc(of, func(x, y ingest.Statement) int { return -cmp.Compare(x.Period, y.Period) })
		e := experienceOf{Name: b.provider(id)}
		for _, s := range of {
			n++
			e.Texts = append(e.Texts, saidIn{b.l.Period(short(s.Period)), paragraphs(s.Text)})
		}
		if len(of) > 0 {
			d.Providers = append(d.Providers, e)
		}
	}
	if n == 0 {
		return section{}, false
	}
	s := b.section("experience", b.T("experience.lead", "n", n, "of", len(b.providers), "from", len(d.Providers)), d)
	s.Open = true
	return s, true
}
