package jobeffekt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/world"
	"github.com/jobeffekt/jobeffekt/ingest"
	"github.com/jobeffekt/jobeffekt/internal/whole"
)

// ErrNotEmpty says that a folder already holds something that would mix with
// what is to be written to it.
var ErrNotEmpty = errors.New("folder is not empty")

// TableTruth is the table of true effects that Synth writes beside a dataset.
const TableTruth = "truth"

// Synth writes a simulated world as a dataset of the data contract to an empty
// or new folder, and the true effects of the cells of the municipality named
// ("" for all) to truth.parquet beside its tables. The large tables are folders
// of parts, one for some thousands of persons, so that a world of any size fits
// in memory. The folder appears whole or not at all. peers are the municipalities that truth compares with; none means
// all others.
func Synth(ctx context.Context, folder string, o world.Options, municipality string, peers ...string) (err error) {
	w, err := world.New(o)
	if err != nil {
		return err
	}
	if entries, err := os.ReadDir(folder); err == nil && len(entries) > 0 {
		return fmt.Errorf("%w: %s", ErrNotEmpty, folder)
	}
	place, err := whole.NewFolder(folder)
	if err != nil {
		return fmt.Errorf("the folder of the dataset: %w", taken(err))
	}
	defer func() {
		err = whole.Cure(err, filepath.Dir(folder))
		_ = place.Drop() // after the move there is nothing to remove
	}()
	part, spending, surveys := 0, w.Spending(), w.Surveys()
	flush := func(block world.Block) error {
		part++
		for _, t := range []*ingest.Table{
			rowTable(ingest.Participations, block.Participations),
			spellTable(block.Spells),
			rowTable(ingest.Persons, block.Persons),
		} {
			if err := writeTable(filepath.Join(place.Path, t.Name), fmt.Sprintf("part-%05d.parquet", part), t); err != nil {
				return err
			}
		}
		return nil
	}
	var held world.Block
	for block, err := range w.Blocks(ctx) {
		if err != nil {
			return err
		}
		spending.Add(block.Participations)
		surveys.Add(block.Participations)
		held.Participations = append(held.Participations, block.Participations...)
		held.Spells = append(held.Spells, block.Spells...)
		held.Persons = append(held.Persons, block.Persons...)
		if len(held.Persons) >= personsPerPart {
			if err := flush(held); err != nil {
				return err
			}
			held = world.Block{}
		}
	}
	if len(held.Persons) > 0 {
		if err := flush(held); err != nil {
			return err
		}
	}
	truth, err := w.Truth(ctx, municipality, peers...)
	if err != nil {
		return err
	}
	for i := range truth {
		t := &truth[i]
		for _, x := range []*float64{&t.With, &t.Without, &t.Average, &t.Home, &t.Peers, &t.Provider, &t.Municipality} {
			*x = effect.Round(*x)
		}
	}
	for _, t := range []*ingest.Table{
		rowTable(ingest.Municipalities, w.Municipalities()), rowTable(ingest.Providers, w.Providers()), rowTable(ingest.Spend, spending.Rows()),
		rowTable(ingest.Satisfaction, surveys.Rows()), rowTable(ingest.Inspections, w.Inspections()), rowTable(ingest.Experience, w.Experience()), rowTable(TableTruth, truth),
	} {
		if err := writeTable(place.Path, t.Name+".parquet", t); err != nil {
			return err
		}
	}
	return place.Publish(false)
}

const personsPerPart = 1 << 16

// writeTable writes a new file of a folder that is not in its place yet.
func writeTable(folder, name string, t *ingest.Table) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(folder, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(t.WriteParquet(f), f.Close())
}

// spellTable is FromRows for spells, whose states are names and whose number
// is large.
func spellTable(spells []world.Spell) *ingest.Table {
	n := len(spells)
	person, hours := make([]int64, n), make([]float64, n)
	start, end := make([]effect.Date, n), make([]effect.Date, n)
	state := effect.Factor{Codes: make([]int32, n), Levels: effect.StateNames()}
	employers := make([]string, n)
	for i, s := range spells {
		person[i], state.Codes[i], start[i], end[i], hours[i], employers[i] = s.PersonID, int32(s.State), s.Start, s.End, s.Hours, s.EmployerID
	}
	employer := effect.NewFactor(employers)
	return &ingest.Table{Name: ingest.Spells, Columns: []ingest.Column{
		{Name: "person_id", Doc: "person", Ints: person},
		{Name: "state", Doc: "canonical state", Factor: &state},
		{Name: "start_date", Doc: "first day", Dates: start},
		{Name: "end_date", Doc: "day after the last; null while open", Dates: end},
		{Name: "hours_per_week", Doc: "weekly hours of work", Floats: hours},
		{Name: "employer_id", Doc: "employer", Factor: &employer},
	}}
}
