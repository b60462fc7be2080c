// Package penn turns the claims of the Pennsylvania Reemployment Bonus experiment
// into a dataset of the data contract: real case histories to run the whole job
// on. docs/penn.md goes through it step by step, and README.md says where the
// claims come from.
package penn

import (
	"bytes"
	_ "embed"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/ingest"
)

//go:embed penn_bonus.csv
var claims []byte

// The constants of the dataset. The scheme is not one of the three Danish ones:
// match groups are ages at the claim.
const (
	municipality = "PA"
	matchScheme  = "penn_age"
	agreement    = "PENN-1988"
	offer        = "bonus-offer"
)

// epoch is day 0 of the claims' dates: 1960-01-01.
const epoch effect.Date = -3653

// participation is a claim: the referral of a claimant to an arm.
type participation struct {
	ID           int64       `col:"participation_id"`
	Person       int64       `col:"person_id"`
	Municipality string      `col:"municipality"`
	MatchScheme  string      `col:"match_scheme"`
	MatchGroup   string      `col:"match_group"`
	Referral     effect.Date `col:"referral_date"`
	Provider     string      `col:"provider_id"`
	Agreement    string      `col:"agreement_id"`
	Package      string      `col:"package_id"`
	Channel      string      `col:"channel"`
}

// spell is the time on benefit that follows a claim.
type spell struct {
	Person int64       `col:"person_id"`
	State  string      `col:"state"`
	Start  effect.Date `col:"start_date"`
	End    effect.Date `col:"end_date"`
}

// person is a claimant. The columns are those of the claims; quarter is the
// number of the one that is 1 among q1 to q6, as text because it names a class.
type person struct {
	ID         int64  `col:"person_id"`
	Quarter    string `col:"quarter"`
	Female     int64  `col:"female"`
	Black      int64  `col:"black"`
	Hispanic   int64  `col:"hispanic"`
	OtherRace  int64  `col:"othrace"`
	Dependents int64  `col:"dep"`
	Recall     int64  `col:"recall"`
	Durable    int64  `col:"durable"`
	Nondurable int64  `col:"nondurable"`
	LowSite    int64  `col:"lusd"`
	HighSite   int64  `col:"husd"`
	MiddleSite int64  `col:"muld"`
}

// Write writes the tables participations, spells and persons to a folder, which
// it makes where there is none. The claims have no ids: a claim, and the
// claimant, is known by its line in the file, the first after the names being 1.
func Write(folder string) error {
	participations, spells, persons, err := read(claims)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o750); err != nil {
		return err
	}
	return firstError(
		func() error { return write(folder, ingest.Participations, participations) },
		func() error { return write(folder, ingest.Spells, spells) },
		func() error { return write(folder, ingest.Persons, persons) },
	)
}

func firstError(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func write[T any](folder, name string, rows []T) error {
	t, err := ingest.FromRows(name, rows)
	if err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(folder, name+".parquet"))
	if err != nil {
		return err
	}
	defer f.Close()
	if err := t.WriteParquet(f); err != nil {
		return err
	}
	return f.Close()
}

// read turns the claims into rows of the three tables.
func read(src []byte) (participations []participation, spells []spell, persons []person, err error) {
	lines, err := csv.NewReader(bytes.NewReader(src)).ReadAll()
	if err != nil {
		return nil, nil, nil, fmt.Errorf("claims: %w", err)
	}
	for i, line := range lines[1:] {
		v := map[string]int64{}
		for k, name := range lines[0] {
			if v[name], err = strconv.ParseInt(line[k], 10, 64); err != nil {
				return nil, nil, nil, fmt.Errorf("claims: line %d: column %s: %w", i+1, name, err)
			}
		}
		id, day := int64(i+1), epoch+effect.Date(v["abdt"])
		p := participation{
			ID: id, Person: id, Municipality: municipality, MatchScheme: matchScheme,
			MatchGroup: ageGroup(v), Referral: day, Channel: effect.ChannelOwn,
		}
		if arm := v["tg"]; arm > 0 {
			p.Provider, p.Agreement, p.Package, p.Channel = fmt.Sprintf("arm%d", arm), agreement, offer, effect.ChannelProvider
		}
		participations = append(participations, p)
		spells = append(spells, spell{id, effect.UnemploymentBenefit.String(), day, day + effect.Date(7*v["inuidur1"])})
		persons = append(persons, person{
			ID: id, Quarter: quarter(v), Female: v["female"], Black: v["black"], Hispanic: v["hispanic"], OtherRace: v["othrace"],
			Dependents: v["dep"], Recall: v["recall"], Durable: v["durable"], Nondurable: v["nondurable"],
			LowSite: v["lusd"], HighSite: v["husd"], MiddleSite: v["muld"],
		})
	}
	return participations, spells, persons, nil
}

func ageGroup(claim map[string]int64) string {
	switch {
	case claim["agelt35"] == 1:
		return "under35"
	case claim["agegt54"] == 1:
		return "over54"
	}
	return "35to54"
}

func quarter(claim map[string]int64) string {
	for q := range 6 {
		if name := strconv.Itoa(q + 1); claim["q"+name] == 1 {
			return name
		}
	}
	return ""
}
