package world

import (
	"math"
	"strconv"

	"github.com/jobeffekt/jobeffekt/effect"
)

// Survey is a row of the table satisfaction: what citizens answered whose courses ended
// in a year. Invented, and not of the citizens' lives: whoever is content is not more
// often in work.
type Survey struct {
	ProviderID string  `col:"provider_id" doc:"provider"`
	Period     string  `col:"period" doc:"calendar year in which the courses ended"`
	Mean       float64 `col:"mean" doc:"mean of the answers, from 1 to 5, 5 being best"`
	N          int64   `col:"n" doc:"answers"`
	Invited    float64 `col:"invited" doc:"citizens asked; null where nobody wrote it down"`
}

// Inspection is a row of the table inspections. Invented.
type Inspection struct {
	ProviderID string      `col:"provider_id" doc:"provider"`
	On         effect.Date `col:"inspected_on" doc:"day of the inspection"`
	Grade      string      `col:"grade" doc:"grade from 1 to 5, 5 being best"`
	Note       string      `col:"note" doc:"note of the inspector, in Danish"`
}

// Statement is a row of the table experience. Invented.
type Statement struct {
	ProviderID string `col:"provider_id" doc:"provider"`
	Period     string `col:"period" doc:"calendar year"`
	Text       string `col:"text" doc:"what the provider wrote, in Danish"`
}

// Surveys counts whose courses ended, block by block in any order, and asks them.
type Surveys struct {
	w     *World
	asked map[asked]int64
}

type asked struct {
	provider string
	year     int
}

// Surveys starts without a participation.
func (w *World) Surveys() *Surveys { return &Surveys{w, map[asked]int64{}} }

// Add adds participations, by the provider and the year in which the course ended.
func (s *Surveys) Add(rows []Participation) {
	for _, p := range rows {
		if p.ProviderID != "" && p.End != effect.NoDate {
			s.asked[asked{p.ProviderID, (p.End - 1).Time().Year()}]++
		}
	}
}

// Rows are the surveys of the years that were over at the extraction date, by
// provider and year. As in real life some is missing: of every twelve providers one was
// not surveyed in the first year, one has three answers in the last, and of one nobody
// wrote down how many were asked.
func (s *Surveys) Rows() []Survey {
	var rows []Survey
	years := s.w.years()
	for g, c := range s.w.providers() {
		for y, year := range years {
			invited := s.asked[asked{c.ID, year}]
			if invited == 0 || effect.NewDate(year+1, 1, 1) > s.w.o.Extracted+1 || g%12 == 0 && y == 0 {
				continue
			}
			r := s.w.draws(opinionStream, int64(g))
			level, keen := r.next(), r.next()
			r.n += uint64(16 * (y + 1))
			n := int64(math.Round(float64(invited) * (0.35 + 0.3*keen + 0.1*r.next())))
			if last := y+1 == len(years) || effect.NewDate(year+2, 1, 1) > s.w.o.Extracted+1; g%12 == 2 && last {
				n = min(n, 3)
			}
			if n == 0 {
				continue
			}
			sum := math.Round(float64(n) * (3.2 + 1.1*level + 0.3*r.next()))
			row := Survey{ProviderID: c.ID, Period: strconv.Itoa(year), Mean: math.Round(100*sum/float64(n)) / 100, N: n, Invited: float64(invited)}
			if g%12 == 5 {
				row.Invited = math.NaN()
			}
			rows = append(rows, row)
		}
	}
	return rows
}

// Inspections are one in each year up to the extraction date, by provider and day. Of
// every twelve providers one was never inspected.
func (w *World) Inspections() []Inspection {
	notes := [...]string{
		"Opfølgningen er ikke dokumenteret; nyt tilsyn om seks måneder (opdigtet)",
		"Flere planer mangler mål for jobsøgningen (opdigtet)",
		"Enkelte aftaler er ikke skrevet i planen (opdigtet)",
		"Ingen bemærkninger (opdigtet)",
	}
	var rows []Inspection
	for g, c := range w.providers() {
		for y, year := range w.years() {
			r := w.draws(opinionStream, int64(g))
			r.n = uint64(16*(y+1)) + 8
			on := effect.NewDate(year, 3, 1) + effect.Date(r.upTo(270))
			grade := pick(r.next(), 0.1, 0.3, 0.45)
			if on <= w.o.Extracted && g%12 != 1 {
				rows = append(rows, Inspection{c.ID, on, string(rune('2' + grade)), notes[grade]})
			}
		}
	}
	return rows
}

// Experience is what providers wrote of the years that were over at the extraction date,
// by provider and year. Of every twelve providers one wrote nothing.
func (w *World) Experience() []Statement {
	texts := [...]string{
		"Samtaler i virksomheden virker bedre end samtaler hos os, men kræver tid til transport (opdigtet)",
		"Borgerne kommer hurtigere i gang, når henvisningen rummer en aftalt praktikplads (opdigtet)",
		"Flere henvisninger mangler oplysning om helbred, så forløbet først må afklares (opdigtet)",
		"Mentor de første uger i job ser ud til at holde på flere, men vi kan ikke se effekten alene (opdigtet)",
		"Vi har samlet jobsøgningen på to dage om ugen; borgerne er glade for det (opdigtet)",
	}
	var rows []Statement
	for g, c := range w.providers() {
		for y, year := range w.years() {
			r := w.draws(opinionStream, int64(g))
			r.n = uint64(16*(y+1)) + 12
			if text := texts[r.upTo(len(texts))]; g%12 != 7 && effect.NewDate(year+1, 1, 1) <= w.o.Extracted+1 {
				rows = append(rows, Statement{c.ID, strconv.Itoa(year), text})
			}
		}
	}
	return rows
}

// providers are all of them, in the order of Providers; their places are what the
// draws are numbered by.
func (w *World) providers() []Provider {
	var out []Provider
	for _, p := range w.places {
		for _, c := range p.choices[1:] {
			out = append(out, c.Provider)
		}
	}
	return out
}

// years are those from the first referral to the extraction date.
func (w *World) years() []int {
	var out []int
	for y := w.o.From.Time().Year(); y <= w.o.Extracted.Time().Year(); y++ {
		out = append(out, y)
	}
	return out
}
