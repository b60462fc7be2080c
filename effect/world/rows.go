package world

import (
	"context"
	"iter"
	"math"

	"github.com/jobeffekt/jobeffekt/effect"
)

// In every row an effect.NoDate, an empty text and a NaN are nulls.

// Participation is one referral: a row of the table participations.
type Participation struct {
	ID           int64       `col:"participation_id" doc:"referral; 2 * person_id - 1 for the first and 2 * person_id for a second"`
	PersonID     int64       `col:"person_id" doc:"person"`
	Municipality string      `col:"municipality" doc:"code of the municipality responsible at referral"`
	MatchGroup   string      `col:"match_group" doc:"match group at referral"`
	MatchScheme  string      `col:"match_scheme" doc:"numbering the match group belongs to"`
	Referral     effect.Date `col:"referral_date" doc:"day of referral"`
	ProviderID   string      `col:"provider_id" doc:"provider; null for the municipality's own projects"`
	AgreementID  string      `col:"agreement_id" doc:"framework agreement; null for own projects"`
	PackageID    string      `col:"package_id" doc:"offer package; null for own projects"`
	Channel      string      `col:"channel" doc:"provider, own or in_house_bid"`
	Role         string      `col:"role" doc:"delivery, or authority where the provider also holds the job interviews"`
	Start        effect.Date `col:"start_date" doc:"first day of the course; null if it never started, or not by the extraction date"`
	End          effect.Date `col:"end_date" doc:"day after the last of the course; null if it never started, or was running at the extraction date"`
	Completed    bool        `col:"completed" doc:"whether the course ended as planned by the extraction date"`
	Price        float64     `col:"price" doc:"price in kr.; 0 for no-shows, null for own projects"`
}

// Spell is a row of the table spells.
type Spell struct {
	PersonID   int64        `col:"person_id" doc:"person"`
	State      effect.State `col:"state" doc:"canonical state"`
	Start      effect.Date  `col:"start_date" doc:"first day"`
	End        effect.Date  `col:"end_date" doc:"day after the last; null while open at the extraction date"`
	Hours      float64      `col:"hours_per_week" doc:"weekly hours of ordinary and subsidised employment"`
	EmployerID string       `col:"employer_id" doc:"employer of ordinary and subsidised employment"`
}

// Person is a row of the table persons. Everything in it is fixed from before
// the history begins.
type Person struct {
	ID        int64       `col:"person_id" doc:"person"`
	Sex       string      `col:"sex" doc:"female or male"`
	Birth     effect.Date `col:"birth_date" doc:"day of birth"`
	Education string      `col:"education" doc:"highest completed: H10 basic school, H30 vocational, H50 higher"`
	Origin    string      `col:"origin" doc:"danish, western or non_western"`
}

// Municipality is a row of the table municipalities. Names and codes are real;
// populations are rounded to hundreds, of about 2008; the conditions are invented.
type Municipality struct {
	Code         string  `col:"municipality" doc:"municipality code"`
	Year         int64   `col:"year" doc:"calendar year"`
	Name         string  `col:"name" doc:"name"`
	Population   int64   `col:"population" doc:"inhabitants"`
	Unemployment float64 `col:"unemployment_pct" doc:"unemployed per 100 in the labour force"`
	LowEducation float64 `col:"low_education_pct" doc:"inhabitants without more than basic school, per 100"`
	NonWestern   float64 `col:"non_western_pct" doc:"inhabitants of non-western origin, per 100"`
	OnBenefit    float64 `col:"on_benefit_pct" doc:"inhabitants of 16 to 66 years on a benefit, per 100: what the other conditions make likely, and what is the municipality's own"`
}

// Provider is a row of the table providers: what a provider was called from one
// day to another. All names are invented.
type Provider struct {
	ID           string      `col:"provider_id" doc:"provider"`
	From         effect.Date `col:"valid_from" doc:"first day of the name"`
	To           effect.Date `col:"valid_to" doc:"day after the last; null while in force"`
	Name         string      `col:"name" doc:"name"`
	ConsortiumID string      `col:"consortium_id" doc:"consortium, null for none"`
	InHouse      bool        `col:"in_house" doc:"whether it is the municipality's own control bid"`
}

// Expense is a row of the table spend. The amounts are invented.
type Expense struct {
	Municipality string  `col:"municipality" doc:"municipality"`
	Year         int64   `col:"year" doc:"calendar year"`
	Channel      string  `col:"channel" doc:"provider, own, other or total"`
	Amount       float64 `col:"amount_dkk" doc:"amount in kroner, a multiple of 1,000"`
}

// Block is the rows of a run of persons, in the order of person id; a person's
// spells are in the order of start date and its referrals in the order of date.
type Block struct {
	Participations []Participation
	Spells         []Spell
	Persons        []Person
}

// blockPersons is how many persons a Block of Blocks has.
const blockPersons = 4096

// Blocks streams the whole world in blocks of up to 4096 persons. The receiver
// owns each block. An ended context ends the stream with its error.
func (w *World) Blocks(ctx context.Context) iter.Seq2[Block, error] {
	return func(yield func(Block, error) bool) {
		for from := int64(1); from <= int64(w.o.Persons); from += blockPersons {
			if err := effect.Stopped(ctx); err != nil {
				yield(Block{}, err)
				return
			}
			if !yield(w.Block(from, from+blockPersons), nil) {
				return
			}
		}
	}
}

// Block makes the rows of the persons with ids in [from, to), as far as the
// world has them. Blocks can be made in any order and concurrently.
func (w *World) Block(from, to int64) Block {
	from, to = max(from, 1), min(to, int64(w.o.Persons)+1)
	n := max(0, int(to-from))
	b := Block{
		Persons:        make([]Person, 0, n),
		Participations: make([]Participation, 0, n+n/8),
		Spells:         make([]Spell, 0, 14*n),
	}
	var c citizen
	for id := from; id < to; id++ {
		w.refer(&c, id)
		w.live(&c)
		b.Persons = append(b.Persons, Person{
			ID: id, Sex: sexes[c.sex], Birth: c.birth, Education: educations[c.education], Origin: origins[c.origin],
		})
		b.Participations = append(b.Participations, w.participation(&c, &c.course, 2*id-1))
		if again, ok := w.again(&c); ok {
			b.Participations = append(b.Participations, w.participation(&c, &again, 2*id))
		}
		b.Spells = w.spells(&c, b.Spells)
	}
	return b
}

// Municipalities returns the framework conditions for every year from the one
// before the first referral to the extraction date, by list order and year.
func (w *World) Municipalities() []Municipality {
	base := w.o.From.Time().Year()
	var rows []Municipality
	for _, p := range w.places {
		for year := base - 1; year <= w.o.Extracted.Time().Year(); year++ {
			m := p.Municipality
			m.Year = int64(year)
			// The cycle moves all alike: what differs between municipalities, which
			// is what the law knows, is the same every year.
			m.Unemployment = math.Round(10*m.Unemployment+2*float64(year-base)) / 10
			m.OnBenefit = math.Round(100*(2+0.6*m.Unemployment+0.08*m.LowEducation+0.1*m.NonWestern+p.custom)) / 100
			rows = append(rows, m)
		}
	}
	return rows
}

// Providers returns the providers by municipality and number; a renamed one has
// two rows.
func (w *World) Providers() []Provider {
	var rows []Provider
	for _, p := range w.places {
		for _, c := range p.choices[1:] {
			row := c.Provider
			if row.To == effect.NoDate {
				rows = append(rows, row)
				continue
			}
			renamed := row
			renamed.From, renamed.To, renamed.Name = row.To, effect.NoDate, "Nye "+row.Name
			rows = append(rows, row, renamed)
		}
	}
	return rows
}
