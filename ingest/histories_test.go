package ingest

import (
	"context"
	"encoding/csv"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/effect"
)

var update = flag.Bool("update", false, "write the fixtures that Go makes")

const histories = "../testdata/histories"

// truthOptions ask for every covariate of the histories.
func truthOptions() Options {
	opt := DefaultOptions()
	opt.Covariates = []string{"sex", "birth_date", "age", "education", "debt", "price", "completed"}
	opt.FixedCovariates = []string{"sex", "birth_date"}
	return opt
}

// TestHistories reads the same histories as written by several programs, in
// many types and encodings, and compares them with the text beside them.
func TestHistories(t *testing.T) {
	if *update {
		writeWithGo(t)
	}
	wantCases, wantSpells := truth(t)
	dirs, err := filepath.Glob(histories + "/*/participations*") // files and folders of parts
	require.NoError(t, err)
	require.Len(t, dirs, 10)
	for _, dir := range dirs {
		dir = filepath.Dir(dir)
		if filepath.Base(dir) == "truth" {
			continue
		}
		t.Run(filepath.Base(dir), func(t *testing.T) {
			opt := truthOptions()
			opt.States = map[string]effect.State{ // of the variant with codes
				"0": effect.OrdinaryEmployment, "1": effect.SelfEmployment, "2": effect.WageSubsidy, "3": effect.Education,
				"4": effect.CashBenefit, "5": effect.SicknessBenefit, "6": effect.SelfSupport,
			}
			d, err := OpenFolder(dir, opt)
			require.NoError(t, err)
			require.NoError(t, d.Check(context.Background()))
			cases, err := d.Cases(context.Background())
			require.NoError(t, err)
			require.Equal(t, wantCases, caseLines(cases))
			require.Equal(t, wantSpells, spellLines(t, d, cases))
			require.Empty(t, d.Rejects())
			for _, c := range cases.Covariates {
				require.Equal(t, c.Name != "price" && c.Name != "completed", c.Dated, c.Name)
			}
		})
	}
}

// caseLines writes cases as text, one line each.
func caseLines(c *effect.Cases) []string {
	out := make([]string, c.Len())
	for i := range out {
		f := []string{c.ID.At(i).String(), c.Persons.At(int(c.Person[i])).String()}
		for _, factor := range []*effect.Factor{
			&c.Municipality, &c.MatchScheme, &c.MatchGroup, &c.Provider, &c.Agreement, &c.Package, &c.Channel, &c.Role,
		} {
			f = append(f, factor.At(i))
		}
		f = append(f, c.Referral[i].String(), c.Start[i].String(), c.End[i].String())
		for _, cov := range c.Covariates {
			if cov.Number == nil {
				f = append(f, cov.Factor.At(i))
			} else {
				f = append(f, strconv.FormatFloat(cov.Number[i], 'g', -1, 64))
			}
		}
		out[i] = strings.Join(f, ",")
	}
	return out
}

// spellLines reads the spells as sorted lines.
func spellLines(t *testing.T, d *Dataset, c *effect.Cases) []string {
	t.Helper()
	var mu sync.Mutex
	var out []string
	require.NoError(t, d.Spells(context.Background(), c, nil, func(s effect.Spells) error {
		mu.Lock()
		defer mu.Unlock()
		for i, p := range s.Person {
			out = append(out, fmt.Sprintf("%s,%s,%s,%s", c.Persons.At(int(p)), s.State[i], s.Start[i], s.End[i]))
		}
		return nil
	}))
	slices.Sort(out)
	return out
}

func readCSV(t *testing.T, table string) []map[string]string {
	t.Helper()
	f, err := os.Open(filepath.Join(histories, "truth", table+".csv"))
	require.NoError(t, err)
	defer f.Close()
	records, err := csv.NewReader(f).ReadAll()
	require.NoError(t, err)
	var out []map[string]string
	for _, r := range records[1:] {
		row := map[string]string{}
		for i, name := range records[0] {
			row[name] = r[i]
		}
		out = append(out, row)
	}
	return out
}

// truth works the expected lines out of the text, in the plainest way.
func truth(t *testing.T) (cases, spells []string) {
	t.Helper()
	persons := readCSV(t, "persons")
	isCase := map[string]bool{}
	participations := readCSV(t, "participations")
	slices.SortFunc(participations, func(a, b map[string]string) int {
		return strings.Compare(a["participation_id"], b["participation_id"]) // of one length
	})
	number := func(s string) string {
		if s == "" {
			return "NaN"
		}
		f, err := strconv.ParseFloat(s, 64)
		require.NoError(t, err)
		return strconv.FormatFloat(f, 'g', -1, 64)
	}
	for _, p := range participations {
		isCase[p["person_id"]] = true
		best := map[string]string{}
		for _, q := range persons {
			if q["person_id"] == p["person_id"] && q["valid_from"] <= p["referral_date"] && q["valid_from"] > best["valid_from"] {
				best = q
			}
		}
		days, age := "NaN", "NaN"
		if best["birth_date"] != "" {
			born, err := effect.ParseDate(best["birth_date"])
			require.NoError(t, err)
			referral, err := effect.ParseDate(p["referral_date"])
			require.NoError(t, err)
			years := 0
			for !born.Time().AddDate(years+1, 0, 0).After(referral.Time()) {
				years++
			}
			days, age = strconv.FormatFloat(float64(born), 'g', -1, 64), strconv.Itoa(years)
		}
		completed := map[string]string{"": "NaN", "true": "1", "false": "0"}[p["completed"]]
		f := []string{p["participation_id"], p["person_id"]}
		for _, name := range []string{"municipality", "match_scheme", "match_group", "provider_id", "agreement_id", "package_id", "channel", "role", "referral_date", "start_date", "end_date"} {
			f = append(f, p[name])
		}
		f = append(f, best["sex"], days, age, number(best["education"]), number(best["debt"]), number(p["price"]), completed)
		cases = append(cases, strings.Join(f, ","))
	}
	for _, s := range readCSV(t, "spells") {
		if isCase[s["person_id"]] {
			spells = append(spells, strings.Join([]string{s["person_id"], s["state"], s["start_date"], s["end_date"]}, ","))
		}
	}
	slices.Sort(spells)
	return cases, spells
}

// writeWithGo writes the histories with parquet-go from row structs: required
// columns where it can, several row groups, Brotli.
func writeWithGo(t *testing.T) {
	t.Helper()
	type participation struct {
		ID           string   `parquet:"participation_id"`
		Person       int64    `parquet:"person_id,plain"`
		Municipality uint16   `parquet:"municipality"`
		Scheme       string   `parquet:"match_scheme,dict"`
		Group        int8     `parquet:"match_group"`
		Referral     int32    `parquet:"referral_date,date"`
		Provider     *string  `parquet:"provider_id,dict"`
		Agreement    *string  `parquet:"agreement_id"`
		Package      *string  `parquet:"package_id,dict"`
		Channel      string   `parquet:"channel,dict"`
		Start        *int32   `parquet:"start_date,date"`
		End          *int32   `parquet:"end_date,date"`
		Completed    *bool    `parquet:"completed"`
		Price        *float64 `parquet:"price"`
	}
	type person struct {
		Person    uint64   `parquet:"person_id,delta"`
		From      int32    `parquet:"valid_from,date"`
		Sex       string   `parquet:"sex,enum"`
		Born      int32    `parquet:"birth_date,date"`
		Education *uint8   `parquet:"education"`
		Debt      *float32 `parquet:"debt"`
	}
	type spell struct {
		Person int64  `parquet:"person_id,delta"`
		State  string `parquet:"state,dict"`
		Start  int32  `parquet:"start_date,date,delta"`
		End    *int32 `parquet:"end_date,date"`
	}
	day := func(s string) int32 {
		d, err := effect.ParseDate(s)
		require.NoError(t, err)
		return int32(d)
	}
	num := func(s string) int64 {
		n, err := strconv.ParseInt(s, 10, 64)
		require.NoError(t, err)
		return n
	}
	real := func(s string) float64 {
		f, err := strconv.ParseFloat(s, 64)
		require.NoError(t, err)
		return f
	}
	var ps []participation
	for _, r := range readCSV(t, "participations") {
		ps = append(ps, participation{
			r["participation_id"], num(r["person_id"]), uint16(num(r["municipality"])), r["match_scheme"], int8(num(r["match_group"])),
			day(r["referral_date"]), maybe(r["provider_id"], text), maybe(r["agreement_id"], text), maybe(r["package_id"], text), r["channel"],
			maybe(r["start_date"], day), maybe(r["end_date"], day), maybe(r["completed"], func(s string) bool { return s == "true" }), maybe(r["price"], real),
		})
	}
	var qs []person
	for _, r := range readCSV(t, "persons") {
		qs = append(qs, person{
			uint64(num(r["person_id"])), day(r["valid_from"]), r["sex"], day(r["birth_date"]),
			maybe(r["education"], func(s string) uint8 { return uint8(num(s)) }), maybe(r["debt"], func(s string) float32 { return float32(real(s)) }),
		})
	}
	var ss []spell
	for _, r := range readCSV(t, "spells") {
		ss = append(ss, spell{num(r["person_id"]), r["state"], day(r["start_date"]), maybe(r["end_date"], day)})
	}
	dir := filepath.Join(histories, "parquet_go")
	require.NoError(t, os.MkdirAll(dir, 0o755))
	writeRows(t, filepath.Join(dir, "participations.parquet"), ps)
	writeRows(t, filepath.Join(dir, "persons.parquet"), qs)
	writeRows(t, filepath.Join(dir, "spells.parquet"), ss)
}

func text(s string) string { return s }

func maybe[T any](s string, f func(string) T) *T {
	if s == "" {
		return nil
	}
	v := f(s)
	return &v
}

func writeRows[T any](t *testing.T, path string, rows []T, options ...parquet.WriterOption) {
	t.Helper()
	f, err := os.Create(path)
	require.NoError(t, err)
	defer f.Close()
	options = append([]parquet.WriterOption{
		parquet.Compression(&parquet.Brotli), parquet.MaxRowsPerRowGroup(64), parquet.CreatedBy("jobeffekt", "", ""),
	}, options...)
	w := parquet.NewGenericWriter[T](f, options...)
	_, err = w.Write(rows)
	require.NoError(t, err)
	require.NoError(t, w.Close())
}

// TestAges checks birthdays in leap years: who is born on 29 February turns a
// year older on 1 March of common years.
func TestAges(t *testing.T) {
	day := func(s string) effect.Date {
		d, err := effect.ParseDate(s)
		require.NoError(t, err)
		return d
	}
	born := []effect.Date{day("1980-02-29"), day("1980-02-29"), day("1980-02-29"), day("2009-01-01"), effect.NoDate}
	at := []effect.Date{day("2007-02-28"), day("2007-03-01"), day("2008-02-29"), day("2008-12-31"), day("2008-12-31")}
	got := ages(born, at)
	require.Equal(t, []float64{26, 27, 28}, got[:3])
	require.True(t, math.IsNaN(got[3]) && math.IsNaN(got[4]))
}
