package ingest

import (
	"context"
	"math"
	"slices"
	"sort"
	"strings"

	"github.com/jobeffekt/jobeffekt/effect"
)

// Cases reads the participations, with the covariates that the options ask for.
//
// The result does not depend on the order of rows, on parts or on workers: the
// participations are in the order of their ids and the levels of every factor
// are sorted and in use. Every column has an entry for every case: one that the
// input lacks is all missing. Rows that are the same in every column read count
// once; participation_ids with different content are rejected altogether.
//
// A person's covariates are those of the latest row of persons with valid_from
// no later than the referral, and dated; without a column valid_from there is
// one row for a person, and only the columns declared fixed are dated. A person
// without such a row has missing covariates.
//
// Match groups are those that the crosswalk of the options moves them to; Recorded
// has what the input holds.
//
// The errors are [ErrNoTable], [SchemaError], [FileError], [RejectLimitError],
// [UnmappedGroupsError] and those of the context.
func (d *Dataset) Cases(ctx context.Context) (*effect.Cases, error) {
	c, f, rows, err := d.participations(ctx)
	if err != nil {
		return nil, err
	}
	if err := d.addCovariates(ctx, c, f, rows); err != nil {
		return nil, err
	}
	return c, nil
}

// CasesAndControls reads the participations as [Dataset.Cases] does and, from the
// table caseload, the controls that [effect.Caseload.Controls] makes of who was
// on benefit without an offer in the period. Both have the same covariates and
// share Persons, so that the spells of all can be read at once. A control has
// no covariates of the table participations. Reading caseload holds it whole.
func (d *Dataset) CasesAndControls(ctx context.Context, period effect.Period) (cases, controls *effect.Cases, err error) {
	c, f, rows, err := d.participations(ctx)
	if err != nil {
		return nil, nil, err
	}
	load, err := d.Caseload(ctx)
	if err != nil {
		return nil, nil, err
	}
	out := load.Controls(c, period)
	d.note(Caseload, "controls", int64(out.Len()), "persons on benefit without an offer on the 15th of a month in the cohort's period, once for each month")
	// Covariates are read once, for all, and dealt out afterwards.
	all := &effect.Cases{Persons: out.Persons, Person: slices.Concat(c.Person, out.Person), Referral: slices.Concat(c.Referral, out.Referral)}
	place := make([]int32, c.Persons.Len())
	for p, id := range c.Persons.All() {
		k, _ := out.Persons.Find(id)
		place[p] = int32(k)
	}
	for i, p := range c.Person {
		all.Person[i] = place[p]
	}
	all.ID = c.ID.Concat(out.ID)
	if err := d.addCovariates(ctx, all, f, append(slices.Clone(rows), slices.Repeat([]int32{-1}, out.Len())...)); err != nil {
		return nil, nil, err
	}
	n := c.Len()
	c.Persons, c.Person = all.Persons, all.Person[:n:n]
	for _, cov := range all.Covariates {
		c.Covariates = append(c.Covariates, rowsOf(cov, 0, n))
		out.Covariates = append(out.Covariates, rowsOf(cov, n, all.Len()))
	}
	return c, out, nil
}

// rowsOf is the covariate of the cases [from, to).
func rowsOf(c effect.Covariate, from, to int) effect.Covariate {
	if c.Number != nil {
		c.Number = c.Number[from:to:to]
		return c
	}
	names := make([]string, 0, to-from)
	for i := from; i < to; i++ {
		names = append(names, c.Factor.At(i))
	}
	c.Factor = effect.NewFactor(names)
	return c
}

// participations reads the cases without their covariates, the frame they come
// from and their rows in it.
func (d *Dataset) participations(ctx context.Context) (*effect.Cases, *frame, []int32, error) {
	f, err := d.load(ctx, Participations, nil, nil)
	if err != nil {
		return nil, nil, nil, err
	}
	f.checkOrder(f.index("start_date"), f.index("end_date"))
	rows := f.distinct(f.index("participation_id"))
	if err := d.close(f.account, int64(f.rows)); err != nil {
		return nil, nil, nil, err
	}

	f.whole = inOrder(rows, f.rows)
	c := &effect.Cases{}
	f.missing(len(rows)) // made now, as columns share it
	columns := []func(){
		func() { c.Persons, c.Person = f.ids(f.index("person_id"), rows).Index() }, // the longest first
		func() { c.ID = f.ids(f.index("participation_id"), rows) },
		func() { c.Completed = f.answers(f.index("completed"), rows) },
	}
	for name, to := range map[string]*effect.Factor{
		"municipality": &c.Municipality, "match_scheme": &c.MatchScheme, "match_group": &c.MatchGroup, "provider_id": &c.Provider,
		"agreement_id": &c.Agreement, "package_id": &c.Package, "channel": &c.Channel, "role": &c.Role,
	} {
		columns = append(columns, func() { *to = f.factor(f.index(name), rows) })
	}
	for name, to := range map[string]*[]effect.Date{"referral_date": &c.Referral, "start_date": &c.Start, "end_date": &c.End} {
		columns = append(columns, func() { *to = f.dates(f.index(name), rows) })
	}
	each(len(columns), func(i int) { columns[i]() })
	if len(d.opt.Crosswalk) > 0 {
		c.Recorded = &effect.Recorded{MatchScheme: c.MatchScheme, MatchGroup: c.MatchGroup}
		if err := d.moveGroups(f.account, &c.MatchScheme, &c.MatchGroup); err != nil {
			return nil, nil, nil, err
		}
	}
	return c, f, rows, nil
}

// answers are the truth values of the rows as effect.Yes and effect.No, missing
// where null or where there is no such column.
func (f *frame) answers(col int, rows []int32) effect.Factor {
	if col < 0 {
		return f.missing(len(rows))
	}
	out := effect.Factor{Codes: rowsOfColumn(f, &f.cols[col].ints, rows, codeNull)}
	rank := [2]int32{-1, -1}
	for code, name := range [2]string{effect.No, effect.Yes} {
		if slices.Contains(out.Codes, int32(code)) {
			rank[code] = int32(len(out.Levels))
			out.Levels = append(out.Levels, name)
		}
	}
	for i, code := range out.Codes {
		if code >= 0 {
			out.Codes[i] = rank[code]
		}
	}
	return out
}

// inOrder says whether the rows are all of n in their order.
func inOrder(rows []int32, n int) bool {
	for i, r := range rows {
		if int(r) != i {
			return false
		}
	}
	return len(rows) == n
}

// addCovariates adds the covariates in the order of the options.
func (d *Dataset) addCovariates(ctx context.Context, c *effect.Cases, f *frame, rows []int32) error {
	var persons *frame
	var personRows []int32 // for every case, -1 where there is none
	var dated bool
	if d.Has(Persons) && len(d.covariates(Persons)) > 0 {
		var err error
		if persons, personRows, err = d.personRows(ctx, c); err != nil {
			return err
		}
		dated = persons.index("valid_from") >= 0
	}
	next := map[string]int{Participations: len(contract(Participations)), Persons: len(contract(Persons))}
	for _, name := range d.opt.Covariates {
		table := d.sourceOf(name)
		col := next[table]
		next[table]++
		source, at := f, rows
		cov := effect.Covariate{Name: name, Fixed: slices.Contains(d.opt.FixedCovariates, name)}
		if table == Persons {
			source, at = persons, personRows
			cov.Dated = dated
		}
		switch source.columns[col].want {
		case wantDate: // age
			cov.Number = ages(source.dates(col, at), c.Referral)
			cov.Fixed = cov.Fixed || slices.Contains(d.opt.FixedCovariates, birthDate)
		case wantNumber:
			cov.Number = source.numbers(col, at)
		default:
			cov.Factor = source.factor(col, at)
		}
		cov.Dated = cov.Dated || cov.Fixed
		c.Covariates = append(c.Covariates, cov)
	}
	return nil
}

// personRows reads persons and finds the row that holds for each case.
func (d *Dataset) personRows(ctx context.Context, c *effect.Cases) (*frame, []int32, error) {
	f, err := d.load(ctx, Persons, nil, func(cols []input) {
		cols[0].res = newPersonIndex(c.Persons, d.opt.Limits.TextBytes)
		// Where rows are dated, one without a date holds at no known time.
		cols[1].required = !cols[1].absent
	})
	if err != nil {
		return nil, nil, err
	}
	rows := f.distinct(0, 1)
	person, from := f.cols[0].ints, f.cols[1].ints
	out := make([]int32, c.Len())
	first := make([]int32, c.Persons.Len()+1) // person -> first of the person's rows
	for _, r := range rows {
		first[person[r]+1]++
	}
	for p := range c.Persons.Len() {
		first[p+1] += first[p]
	}
	var without int64
	for i, p := range c.Person {
		// The last row of this person that is valid by the referral.
		of := rows[first[p]:first[p+1]]
		k := len(of)
		if from != nil {
			k = sort.Search(k, func(k int) bool { return from[of[k]] > int32(c.Referral[i]) })
		}
		out[i] = -1
		if k > 0 {
			out[i] = of[k-1]
		} else {
			without++
		}
	}
	f.count("without_person", without, "participations whose person has no row that is valid at referral have missing covariates")
	return f, out, d.close(f.account, int64(f.rows))
}

// ages are whole years at referral; NaN for who is not born by then.
func ages(born, referral []effect.Date) []float64 {
	out := make([]float64, len(born))
	for i, b := range born {
		out[i] = math.NaN()
		if b == effect.NoDate || b > referral[i] {
			continue
		}
		y, m, day := b.Time().Date()
		yr, mr, dr := referral[i].Time().Date()
		years := yr - y
		if mr < m || mr == m && dr < day {
			years--
		}
		out[i] = float64(years)
	}
	return out
}

// Providers reads the dated lines of the table providers, sorted by provider and
// first day. Rows that are equal count once; lines of one provider and first day
// that differ are rejected, and so are lines of one provider that hold on a common
// day and differ in name, consortium or in_house: nobody could say who it was. The text
// of employer_ids holds identifiers with spaces, commas or semicolons between them.
func (d *Dataset) Providers(ctx context.Context) ([]effect.Membership, error) {
	f, err := d.load(ctx, Providers, nil, nil)
	if err != nil {
		return nil, err
	}
	id, from, to := f.index("provider_id"), f.index("valid_from"), f.index("valid_to")
	f.checkOrder(from, to)
	rows := f.distinct(id, from)
	name, consortium, inHouse, employers := f.index("name"), f.index("consortium_id"), f.index("in_house"), f.index("employer_ids")
	rows = f.unambiguous(rows, id, from, to, name, consortium, inHouse)
	starts, ends := f.dates(from, rows), f.dates(to, rows)
	out := make([]effect.Membership, len(rows))
	for i, r := range rows {
		out[i] = effect.Membership{
			Provider: f.text(id, r), Consortium: f.text(consortium, r), Name: f.text(name, r),
			From: starts[i], To: ends[i],
			InHouse: inHouse >= 0 && f.cols[inHouse].ints[r] == 1, InHouseUnknown: inHouse < 0 || f.cols[inHouse].ints[r] == codeNull,
		}
		for _, id := range strings.FieldsFunc(f.text(employers, r), func(c rune) bool { return strings.ContainsRune(" ,;", c) }) {
			employer := effect.TextID(id)
			if d.opt.pseudonyms(employerColumn) { // as those of spells are
				employer = d.opt.Pseudonyms.Pseudonym(employerColumn, employer)
			}
			out[i].Employers = append(out[i].Employers, employer)
		}
	}
	if err := d.close(f.account, int64(f.rows)); err != nil {
		return nil, err
	}
	return out, nil
}

// Condition is one row of the table municipalities.
type Condition struct {
	Municipality string
	Year         int
	Name         string
	// Values are population and every further numeric column, by name. A null
	// has no entry.
	Values map[string]float64
}

// Conditions reads the framework conditions of the table municipalities, sorted
// by municipality and year. Rows that are equal count once; those of one
// municipality and year that differ are rejected.
func (d *Dataset) Conditions(ctx context.Context) ([]Condition, error) {
	f, err := d.load(ctx, Municipalities, nil, nil)
	if err != nil {
		return nil, err
	}
	id, year, name := f.index("municipality"), f.index("year"), f.index("name")
	rows := f.distinct(id, year)
	out := make([]Condition, len(rows))
	for i, r := range rows {
		out[i] = Condition{f.text(id, r), int(f.cols[year].floats[r]), f.text(name, r), map[string]float64{}}
		for col := len(contract(Municipalities)); col < len(f.columns); col++ {
			if v := f.cols[col].floats[r]; !math.IsNaN(v) {
				out[i].Values[f.columns[col].name] = v
			}
		}
	}
	if err := d.close(f.account, int64(f.rows)); err != nil {
		return nil, err
	}
	return out, nil
}

// PeerStrata reads the aggregated strata of other municipalities, with the
// columns named by classes as text, sorted by all columns that are text. Rows
// that are equal count once; those of one stratum that differ are rejected.
func (d *Dataset) PeerStrata(ctx context.Context, classes []string) ([]effect.StratumTotal, error) {
	extra := make([]field, len(classes))
	for i, name := range classes {
		extra[i] = field{name, wantText, true, true}
	}
	f, err := d.load(ctx, PeerStrata, extra, nil)
	if err != nil {
		return nil, err
	}
	n := f.index("n")
	keys := []int{0, 1, 2, 3, 4}
	first := len(contract(PeerStrata))
	for i := range classes {
		keys = append(keys, first+i)
	}
	rows := f.distinct(keys...)
	out := make([]effect.StratumTotal, len(rows))
	for i, r := range rows {
		out[i] = effect.StratumTotal{
			Municipality: f.text(0, r), MatchScheme: f.text(1, r), MatchGroup: f.text(2, r), Outcome: f.text(3, r), Period: f.text(4, r),
			Classes: make([]string, len(classes)),
			N:       int64(f.cols[n].floats[r]), Sum: f.cols[n+1].floats[r], SumSquares: f.cols[n+2].floats[r],
		}
		for k := range classes {
			out[i].Classes[k] = f.text(first+k, r)
		}
	}
	if err := d.close(f.account, int64(f.rows)); err != nil {
		return nil, err
	}
	if len(d.opt.Crosswalk) > 0 {
		scheme, group := f.factor(1, rows), f.factor(2, rows)
		if err := d.moveGroups(f.account, &scheme, &group); err != nil {
			return nil, err
		}
		for i := range out {
			out[i].MatchScheme, out[i].MatchGroup = scheme.At(i), group.At(i)
		}
	}
	return out, nil
}
