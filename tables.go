package jobeffekt

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/ingest"
)

// The names of the result tables, in the order in which the steps make them.
const (
	TableRejects     = "rejects"
	TableCounts      = "counts"
	TableAttrition   = "attrition"
	TableCases       = "cases"
	TableCovariates  = "covariates"
	TableCells       = "cells"
	TableOutcomes    = "outcomes"
	TableDates       = "outcome_dates"
	TableSignals     = "signals"
	TablePeerStrata  = "peer_strata"
	TableControls    = "controls"
	TableControlled  = "control_outcomes"
	TableProviders   = "providers"
	TableCrosswalk   = "crosswalk"
	TableFigures     = "figures" // only where the dataset has such input, as the next
	TableEvidence    = "evidence"
	TablePeers       = "peers"
	TablePeerValues  = "peer_conditions"
	TableStability   = "peer_stability"
	TableEstimates   = "estimates"
	TableBenchmark   = "benchmark"
	TableDiagnostics = "diagnostics"
	TableComparison  = "comparison"
	TableSpending    = "spending"
	TableProfile     = "profile"
	TableLeague      = "league"
	TableSensitivity = "sensitivity"
	TableCurves      = "curves"
	TableCreaming    = "creaming"
	TableDeciles     = "creaming_deciles"
	TableParking     = "parking"
	TableIndicators  = "indicators"
	TableRanking     = "ranking"
	TableBeforeAfter = "before_after" // only where the run file asks for it, as the next four
	TableSynthetic   = "synthetic"
	TableGaps        = "synthetic_gaps"
	TableDonors      = "synthetic_donors"
	TablePlacebos    = "synthetic_placebos"
	TableSettlement  = "settlement"
	TableSteps       = "settlement_steps"
	TableGate        = "settlement_gate"
	TableCounted     = "settlement_counts"
	TableCaseLines   = "settlement_cases"
	TableEntries     = "settlement_entries"
	TableUpkeep      = "upkeep"               // only where terms ask for it
	TableFollowUp    = "follow_up"            // only where the dataset has such input
	TableDecisions   = "settlement_decisions" // only where the terms decide something without paying
	TableCarried     = "settlement_carried"   // only where a limit carries something forward
	TableGatePreview = "gate_preview"         // of a blinded run, in place of the settlement
)

// ErrTables is wrapped by errors about step tables that do not fit together.
var ErrTables = errors.New("step tables")

// covariatePrefix keeps a covariate apart from a column of the same name.
const covariatePrefix = "x_"

// The columns of the placebo in the table of cases.
const (
	placeboColumn = "placebo"
	laggedPrefix  = "lagged_"
)

// covariateRow describes one covariate of the table of cases.
type covariateRow struct {
	Name  string `col:"covariate" doc:"name; its column in the table of cases has x_ before it"`
	Dated bool   `col:"dated" doc:"known no later than the referral, or declared fixed"`
	Fixed bool   `col:"fixed" doc:"declared fixed"`
}

// idColumn is a column of identifiers: numbers where all are, else texts. A
// number that a reader with floats would round goes as text too. The column may
// share the memory of the identifiers.
func idColumn(name, doc string, ids effect.IDs) ingest.Column {
	numbers, ok := ids.Numbers()
	if ok && !slices.ContainsFunc(numbers, func(v int64) bool { return v > 1<<53 || v < -1<<53 }) {
		if numbers == nil {
			numbers = []int64{}
		}
		return ingest.Column{Name: name, Doc: doc, Ints: numbers}
	}
	texts := make([]string, ids.Len())
	for i, id := range ids.All() {
		texts[i] = id.String()
	}
	return ingest.Column{Name: name, Doc: doc, Texts: texts}
}

// idsOf are the identifiers of rows, which may be there more than once.
func idsOf[T int | int32](ids effect.IDs, rows []T) effect.IDs {
	return effect.GatherIDs(len(rows), func(k int) effect.ID { return ids.At(int(rows[k])) })
}

func ids(c *ingest.Column) effect.IDs {
	switch {
	case c.Ints != nil:
		return effect.NumberIDs(c.Ints)
	case c.Factor != nil:
		levels := make([]effect.ID, len(c.Factor.Levels))
		for i, s := range c.Factor.Levels {
			levels[i] = effect.TextID(s)
		}
		return effect.GatherIDs(len(c.Factor.Codes), func(i int) effect.ID {
			if code := c.Factor.Codes[i]; code >= 0 {
				return levels[code]
			}
			return effect.TextID("")
		})
	}
	return effect.GatherIDs(len(c.Texts), func(i int) effect.ID { return effect.TextID(c.Texts[i]) })
}

type caseFactor struct {
	name, doc string
	factor    *effect.Factor
}

// recordedColumn is there only where a crosswalk was declared.
const recordedColumn = "match_scheme_recorded"

// recordedFactors are the columns with what the input holds, where a crosswalk
// moved match groups.
func recordedFactors(r *effect.Recorded) []caseFactor {
	if r == nil {
		return nil
	}
	return []caseFactor{
		{recordedColumn, "match scheme in the input, before the crosswalk", &r.MatchScheme},
		{"match_group_recorded", "match group in the input, before the crosswalk", &r.MatchGroup},
	}
}

// caseFactors are the columns of names of a case, in the order of the table.
func caseFactors(c *effect.Cases) []caseFactor {
	return []caseFactor{
		{"municipality", "municipality responsible at referral", &c.Municipality},
		{"match_scheme", "numbering the match group belongs to", &c.MatchScheme},
		{"match_group", "match group at referral", &c.MatchGroup},
		{"provider_id", "provider; null for the municipality's own projects", &c.Provider},
		{"agreement_id", "framework agreement", &c.Agreement},
		{"package_id", "offer package", &c.Package},
		{"channel", "provider, own or in_house_bid", &c.Channel},
		{"role", "delivery or authority", &c.Role},
		{"completed", "yes or no: whether the course ended as planned; null where unknown", &c.Completed},
	}
}

// caseTables are the tables cases and covariates.
func caseTables(c *effect.Cases) []*ingest.Table {
	n := c.Len()
	t := &ingest.Table{Name: TableCases, Columns: []ingest.Column{
		idColumn("participation_id", "participation", c.ID),
		idColumn("person_id", "person", idsOf(c.Persons, c.Person)),
	}}
	for _, f := range append(caseFactors(c), recordedFactors(c.Recorded)...) {
		factor := *f.factor
		if len(factor.Codes) == 0 {
			factor.Codes = slices.Repeat([]int32{-1}, n)
		}
		t.Columns = append(t.Columns, ingest.Column{Name: f.name, Doc: f.doc, Factor: &factor})
	}
	for _, d := range []struct {
		name, doc string
		dates     []effect.Date
	}{
		{"referral_date", "day of referral", c.Referral},
		{"start_date", "first day of the course; null where unknown", c.Start},
		{"end_date", "day after the last of the course; null where unknown", c.End},
	} {
		if len(d.dates) == 0 {
			d.dates = append(make([]effect.Date, 0, n), slices.Repeat([]effect.Date{effect.NoDate}, n)...)
		}
		t.Columns = append(t.Columns, ingest.Column{Name: d.name, Doc: d.doc, Dates: d.dates})
	}
	rows := []covariateRow{}
	for _, v := range c.Covariates {
		col := ingest.Column{Name: covariatePrefix + v.Name, Doc: "covariate"}
		if v.Number != nil {
			col.Floats = v.Number
		} else {
			col.Factor = &v.Factor
		}
		t.Columns = append(t.Columns, col)
		rows = append(rows, covariateRow{v.Name, v.Dated, v.Fixed})
	}
	if p := c.Placebo; p != nil {
		t.Columns = append(t.Columns, ingest.Column{
			Name: placeboColumn, Doc: fmt.Sprintf("portion of the %d weeks before referral in ordinary or self-employment", p.Weeks), Floats: p.Value,
		})
		for _, v := range p.Covariates {
			t.Columns = append(t.Columns, ingest.Column{
				Name: laggedPrefix + v.Name, Doc: fmt.Sprintf("the covariate as it stood %d weeks before referral", p.Weeks), Floats: v.Number,
			})
		}
	}
	covariates, _ := ingest.FromRows(TableCovariates, rows)
	return []*ingest.Table{t, covariates}
}

// outcomeTable holds the outcome rows: outcomes as declared, and under each the
// cases in order. It is made as it is written: there are as many rows as cases and
// outcomes together.
func outcomeTable(o *effect.Observations) *ingest.Table {
	var names, units, events []string
	for _, r := range o.Results {
		names, units, events = append(names, r.Outcome), append(units, string(r.Unit)), append(events, r.Event.Levels...)
	}
	units, events = effect.NewFactor(units).Levels, effect.NewFactor(events).Levels
	var statuses []string
	for s := effect.Excluded; s <= effect.Left; s++ {
		statuses = append(statuses, s.String())
	}
	whys, id := reasons(), idColumn("participation_id", "participation", o.Cases.ID)
	part := func(from, to int) []ingest.Column {
		rows := to - from
		codes := func(levels []string) *effect.Factor {
			return &effect.Factor{Codes: make([]int32, 0, rows), Levels: levels}
		}
		ids := ingest.Column{Name: id.Name, Doc: id.Doc}
		if id.Ints != nil {
			ids.Ints = make([]int64, 0, rows)
		} else {
			ids.Texts = make([]string, 0, rows)
		}
		name, unit, status, reason, event := codes(names), codes(units), codes(statuses), codes(whys), codes(events)
		value, time := make([]float64, 0, rows), make([]float64, 0, rows)
		reached, ends := make([]effect.Date, 0, rows), make([]effect.Date, 0, rows)
		absence, complete, followed := make([]bool, 0, rows), make([]bool, 0, rows), make([]bool, 0, rows)
		n := o.Cases.Len()
		for from < to {
			r, i := from/n, from%n
			j := min(i+to-from, n) // rows [i, j) of this outcome
			from += j - i
			res := &o.Results[r]
			if id.Ints != nil {
				ids.Ints = append(ids.Ints, id.Ints[i:j]...)
			} else {
				ids.Texts = append(ids.Texts, id.Texts[i:j]...)
			}
			counts := int32(slices.Index(units, string(res.Unit)))
			ends = append(ends, res.WindowEnd[i:j]...)
			value, reached = append(value, res.Value[i:j]...), append(reached, res.ReachedOn[i:j]...)
			complete, followed = append(complete, res.Complete[i:j]...), append(followed, res.Followed[i:j]...)
			of := make([]int32, len(res.Event.Levels))
			for c, level := range res.Event.Levels {
				of[c] = int32(slices.Index(events, level))
			}
			for ; i < j; i++ {
				name.Codes, unit.Codes, absence = append(name.Codes, int32(r)), append(unit.Codes, counts), append(absence, res.Absence)
				status.Codes = append(status.Codes, int32(res.Status[i]))
				reason.Codes = append(reason.Codes, int32(res.Reason[i])-1) // NoReason is missing
				t, code := math.NaN(), int32(-1)
				if res.Days != nil && res.Days[i] != effect.NoTime {
					t = float64(res.Days[i])
					if c := res.Event.Codes[i]; c >= 0 {
						code = of[c]
					}
				}
				time, event.Codes = append(time, t), append(event.Codes, code)
			}
		}
		return []ingest.Column{
			ids,
			{Name: "outcome", Doc: "outcome", Factor: name},
			{Name: "unit", Doc: "what the value counts: share (1 or 0), portion (0 to 1), days, weeks, hours, kroner or number", Factor: unit},
			{Name: "absence", Doc: "the outcome is reached by being in none of its states", Bools: absence},
			{Name: "status", Doc: "reached, not_reached, pending, left or excluded", Factor: status},
			{Name: "reason", Doc: "why the case is not analysed; null when it is", Factor: reason},
			{Name: "value", Doc: "value so far; null where there is none", Floats: value},
			{Name: "reached_on", Doc: "first day on which the outcome was reached", Dates: reached},
			{Name: "window_end", Doc: "clock plus the full window", Dates: ends},
			{Name: "complete", Doc: "the window has ended by as_of and the person was there for all of it: effects use these", Bools: complete},
			{Name: "followed", Doc: "the registers can be relied on for the window", Bools: followed},
			{Name: "days", Doc: "time_to: days from the clock to the event, or to the day on which the case was censored", Floats: time},
			{Name: "event", Doc: "time_to: reached, the exit, or dead; null for who was censored", Factor: event},
		}
	}
	return &ingest.Table{Name: TableOutcomes, Columns: part(0, 0), Part: part, Length: len(o.Results) * o.Cases.Len()}
}

// dateTable holds the days on which outcomes that ask for them counted, under each
// the cases in order; nil where none asks.
func dateTable(o *effect.Observations) *ingest.Table {
	outcome := effect.Factor{}
	var at []int
	var on []effect.Date
	dated := false
	for _, r := range o.Results {
		if !r.Dates.Kept() {
			continue
		}
		dated = true
		k := int32(len(outcome.Levels))
		outcome.Levels = append(outcome.Levels, r.Outcome)
		for i := range o.Cases.Len() {
			for range r.Dates.Of(i) {
				outcome.Codes, at = append(outcome.Codes, k), append(at, i)
			}
		}
		on = append(on, r.Dates.On...)
	}
	if !dated {
		return nil
	}
	return &ingest.Table{Name: TableDates, Columns: []ingest.Column{
		idColumn("participation_id", "participation", idsOf(o.Cases.ID, at)),
		{Name: "outcome", Doc: "outcome", Factor: &outcome},
		{Name: "on", Doc: "day on which it counted: of weeks_in the last day of a week that counts", Dates: on},
	}}
}

// readDates puts the table of dates back into the results of the study's outcomes
// that ask for them.
func readDates(study effect.Study, obs *effect.Observations, dates *ingest.Table) error {
	p := &picker{table: dates}
	id, names, on := ids(p.column("participation_id")), p.factor("outcome"), p.column("on").Dates
	if err := errors.Join(p.errs...); err != nil {
		return err
	}
	next := 0
	for _, outcome := range study.Outcomes {
		if !outcome.Dated {
			continue
		}
		r, ok := obs.Result(outcome.Name)
		if !ok {
			return fmt.Errorf("%w: table %s has no outcome that the run file wants dated; run measure again", ErrTables, TableOutcomes)
		}
		r.Dates = effect.Dates{First: make([]int, 1, obs.Cases.Len()+1)}
		from := next
		for i := range obs.Cases.Len() {
			for next < id.Len() && names.At(next) == outcome.Name && id.At(next) == obs.Cases.ID.At(i) {
				next++
			}
			r.Dates.First = append(r.Dates.First, next-from)
		}
		r.Dates.On = on[from:next]
	}
	if next != id.Len() {
		return fmt.Errorf("%w: rows of %s and cases are not about the same participations; run measure again", ErrTables, TableDates)
	}
	return nil
}

// controlTables are people without an offer, in the form of the tables of cases
// and outcomes.
func controlTables(o *effect.Observations) []*ingest.Table {
	cases, outcomes := caseTables(o.Cases)[0], outcomeTable(o)
	cases.Name, outcomes.Name = TableControls, TableControlled
	return []*ingest.Table{cases, outcomes}
}

// reasons lists the names of the reasons, in their order.
func reasons() []string {
	var out []string
	for r := effect.ReasonOutsidePeriod; r <= effect.ReasonPending; r++ {
		out = append(out, r.String())
	}
	return out
}

// picker takes columns of a table by name and gathers what is missing.
type picker struct {
	table *ingest.Table
	errs  []error
}

func (p *picker) column(name string) *ingest.Column {
	if c := p.table.Column(name); c != nil {
		return c
	}
	p.errs = append(p.errs, fmt.Errorf("%w: table %s has no column %s; run the step that makes it again", ErrTables, p.table.Name, name))
	return &ingest.Column{}
}

func (p *picker) factor(name string) effect.Factor {
	c := p.column(name)
	if c.Factor != nil {
		return *c.Factor
	}
	return effect.NewFactor(c.Texts)
}

// readPlacebo is the placebo of so many weeks in the table of cases; nil for 0.
func (p *picker) readPlacebo(weeks int) *effect.Placebo {
	if weeks == 0 {
		return nil
	}
	out := &effect.Placebo{Weeks: weeks, Value: p.column(placeboColumn).Floats}
	for _, c := range p.table.Columns {
		if name, ok := strings.CutPrefix(c.Name, laggedPrefix); ok {
			out.Covariates = append(out.Covariates, effect.Covariate{Name: name, Number: c.Floats, Dated: true})
		}
	}
	return out
}

// readObservations rebuilds what a study observed from the tables of the observe
// step. Controls have neither signals nor attrition; without the table covariates the
// cases have none, and no placebo.
func readObservations(study effect.Study, cases, covariates, outcomes, signals, attrition *ingest.Table) (*effect.Observations, error) {
	p := &picker{table: cases}
	c := &effect.Cases{ID: ids(p.column("participation_id")), Referral: p.column("referral_date").Dates, Start: p.column("start_date").Dates, End: p.column("end_date").Dates}
	c.Persons, c.Person = ids(p.column("person_id")).Index()
	if cases.Column(recordedColumn) != nil {
		c.Recorded = &effect.Recorded{}
	}
	for _, f := range append(caseFactors(c), recordedFactors(c.Recorded)...) {
		*f.factor = p.factor(f.name)
		f.factor.Sort()
	}
	var rows []covariateRow
	var err error
	if covariates != nil {
		if rows, err = ingest.ToRows[covariateRow](covariates); err != nil {
			return nil, err
		}
		c.Placebo = p.readPlacebo(study.Placebo)
	}
	for _, r := range rows {
		col := p.column(covariatePrefix + r.Name)
		v := effect.Covariate{Name: r.Name, Number: col.Floats, Dated: r.Dated, Fixed: r.Fixed}
		if col.Floats == nil {
			v.Factor = p.factor(covariatePrefix + r.Name)
			v.Factor.Sort()
		}
		c.Covariates = append(c.Covariates, v)
	}
	obs := &effect.Observations{AsOf: study.AsOf, Period: study.Cohort.Period, Cases: c}
	if attrition != nil {
		if obs.Attrition, err = ingest.ToRows[effect.Attrition](attrition); err != nil {
			return nil, err
		}
	}

	q := &picker{table: outcomes}
	id, names, units, status, reason := ids(q.column("participation_id")), q.factor("outcome"), q.factor("unit"), q.factor("status"), q.factor("reason")
	value, reached, ends := q.column("value").Floats, q.column("reached_on").Dates, q.column("window_end").Dates
	complete, followed, absence := q.column("complete").Bools, q.column("followed").Bools, q.column("absence").Bools
	time, event := q.column("days").Floats, q.factor("event")
	if err := errors.Join(append(p.errs, q.errs...)...); err != nil {
		return nil, err
	}
	if signals != nil {
		if obs.Signals, err = readSignals(signals, c.ID); err != nil {
			return nil, err
		}
	}
	unknown := fmt.Errorf("%w: table %s has an unknown status or reason", ErrTables, outcomes.Name)
	statuses, known := parsed(&status, effect.ParseStatus)
	whys, stated := parsed(&reason, effect.ParseReason)
	if !known || !stated {
		return nil, unknown
	}
	n := c.Len()
	if n == 0 && id.Len() == 0 {
		// No row names the outcomes; the study does.
		obs.Results, err = noResults(study, c)
		return obs, err
	}
	if n == 0 || id.Len()%n != 0 {
		return nil, fmt.Errorf("%w: %d outcome rows do not fit %d cases; run measure again", ErrTables, id.Len(), n)
	}
	for at := 0; at < id.Len(); at += n {
		if !id.Slice(at, at+n).Equal(c.ID) {
			return nil, fmt.Errorf("%w: outcome rows and cases are not about the same participations; run measure again", ErrTables)
		}
		r := effect.Result{
			Outcome: names.At(at), Unit: effect.Unit(units.At(at)), Absence: absence[at],
			Value: value[at : at+n], ReachedOn: reached[at : at+n], WindowEnd: ends[at : at+n],
			Complete: complete[at : at+n], Followed: followed[at : at+n],
			Status: make([]effect.Status, n), Reason: make([]effect.Reason, n),
		}
		known := true
		for i := range n {
			s, why := status.CodeAt(at+i), reason.CodeAt(at+i)
			known = known && s >= 0
			if s >= 0 {
				r.Status[i] = statuses[s]
			}
			if why >= 0 {
				r.Reason[i] = whys[why]
			}
		}
		if !known {
			return nil, unknown
		}
		r.Days, r.Event = times(time[at:at+n], &event, at)
		obs.Results = append(obs.Results, r)
	}
	return obs, nil
}

// noResults are the results of a study of no cases.
func noResults(study effect.Study, none *effect.Cases) ([]effect.Result, error) {
	study.History, study.Placebo, study.Signals = effect.History{}, 0, false // which the cases have
	o, err := effect.NewObserver(study, none)
	if err != nil {
		return nil, err
	}
	obs, err := o.Observations(context.Background()) // without a case there is nothing to break off
	if err != nil {
		return nil, err
	}
	return obs.Results, nil
}

// signalTable holds the signals of gaming, a row for each case.
func signalTable(o *effect.Observations) *ingest.Table {
	s, id := o.Signals, idColumn("participation_id", "participation", o.Cases.ID)
	part := func(from, to int) []ingest.Column {
		ids := ingest.Column{Name: id.Name, Doc: id.Doc}
		if id.Ints != nil {
			ids.Ints = id.Ints[from:to]
		} else {
			ids.Texts = id.Texts[from:to]
		}
		own := slices.Repeat([]float64{math.NaN()}, to-from)
		if s.OwnEmployerDays != nil {
			for i, days := range s.OwnEmployerDays[from:to] {
				own[i] = float64(days)
			}
		}
		whole := func(days []int32) []int64 {
			out := make([]int64, to-from)
			for i, d := range days[from:to] {
				out[i] = int64(d)
			}
			return out
		}
		return []ingest.Column{
			ids,
			{Name: "in_cohort", Doc: "the case is of the cohort; others have no signals", Bools: s.InCohort[from:to]},
			{Name: "run_start", Doc: "first day of the first run of ordinary or self-employment that begins within 364 days from referral; gaps of at most 7 days join it", Dates: s.RunStart[from:to]},
			{Name: "run_days", Doc: "days of that run that were worked, followed for at most 156 weeks from referral", Ints: whole(s.RunDays)},
			{Name: "run_end", Doc: "first day on which that run was over; null while it goes on", Dates: s.RunEnd[from:to]},
			{Name: "subsidised_days", Doc: "days in wage_subsidy or work_placement within 364 days from referral", Ints: whole(s.SubsidisedDays)},
			{Name: "recoded_days", Doc: "days both in ordinary_employment and in wage_subsidy or work_placement, within 364 days from referral", Ints: whole(s.RecodedDays)},
			{Name: "after_subsidy", Doc: "ordinary_employment began at most 7 days after subsidised days had ended", Bools: s.AfterSubsidy[from:to]},
			{Name: "employed_days", Doc: "days in ordinary or self-employment within 364 days from referral", Ints: whole(s.EmployedDays)},
			{Name: "own_employer_days", Doc: "those at an employer of the provider or of its consortium; null where the data name no employers", Floats: own},
		}
	}
	return &ingest.Table{Name: TableSignals, Columns: part(0, 0), Part: part, Length: o.Cases.Len()}
}

// parsed are the levels of a column as what they are the names of; ok is false where
// one is the name of none.
func parsed[T any](f *effect.Factor, parse func(string) (T, bool)) (of []T, ok bool) {
	of = make([]T, len(f.Levels))
	for i, name := range f.Levels {
		if of[i], ok = parse(name); !ok {
			return nil, false
		}
	}
	return of, true
}

// readSignals is the inverse of signalTable.
func readSignals(t *ingest.Table, cases effect.IDs) (*effect.Signals, error) {
	p := &picker{table: t}
	whole := func(name string) []int32 {
		column := p.column(name).Ints
		out := make([]int32, len(column))
		for i, v := range column {
			out[i] = int32(v)
		}
		return out
	}
	s := &effect.Signals{
		InCohort: p.column("in_cohort").Bools, RunStart: p.column("run_start").Dates, RunDays: whole("run_days"), RunEnd: p.column("run_end").Dates,
		SubsidisedDays: whole("subsidised_days"), RecodedDays: whole("recoded_days"), AfterSubsidy: p.column("after_subsidy").Bools,
		EmployedDays: whole("employed_days"),
	}
	own, id := p.column("own_employer_days").Floats, ids(p.column("participation_id"))
	if err := errors.Join(p.errs...); err != nil {
		return nil, err
	}
	if !id.Equal(cases) {
		return nil, fmt.Errorf("%w: signals and cases are not about the same participations; run measure again", ErrTables)
	}
	if slices.ContainsFunc(own, func(v float64) bool { return !math.IsNaN(v) }) {
		s.OwnEmployerDays = make([]int32, len(own))
		for i, v := range own {
			s.OwnEmployerDays[i] = int32(v)
		}
	}
	return s, nil
}

// times are the times and events of the rows from at on; nil where no row has a
// time, as of an outcome that is not about time.
func times(days []float64, event *effect.Factor, at int) (time []int32, events effect.Factor) {
	if !slices.ContainsFunc(days, func(d float64) bool { return !math.IsNaN(d) }) {
		return nil, effect.Factor{}
	}
	out, names := make([]int32, len(days)), make([]string, len(days))
	for i, d := range days {
		out[i] = effect.NoTime
		if !math.IsNaN(d) {
			out[i], names[i] = int32(d), event.At(at+i)
		}
	}
	return out, effect.NewFactor(names)
}

// strataTable is aggregated outcomes in the form of the contract's table
// peer_strata, with a column for each class.
func strataTable(totals []effect.StratumTotal, classes []string) *ingest.Table {
	text := func(name, doc string, at func(*effect.StratumTotal) string) ingest.Column {
		names := make([]string, len(totals))
		for i := range totals {
			names[i] = at(&totals[i])
		}
		f := effect.NewFactor(names)
		return ingest.Column{Name: name, Doc: doc, Factor: &f}
	}
	n, sum, squares := make([]int64, len(totals)), make([]float64, len(totals)), make([]float64, len(totals))
	for i, t := range totals {
		n[i], sum[i], squares[i] = t.N, t.Sum, t.SumSquares
	}
	t := &ingest.Table{Name: TablePeerStrata, Columns: []ingest.Column{
		text("municipality", "municipality responsible at referral", func(s *effect.StratumTotal) string { return s.Municipality }),
		text("match_scheme", "numbering the match group belongs to", func(s *effect.StratumTotal) string { return s.MatchScheme }),
		text("match_group", "match group at referral", func(s *effect.StratumTotal) string { return s.MatchGroup }),
		text("outcome", "outcome", func(s *effect.StratumTotal) string { return s.Outcome }),
		text("period", "calendar quarter of the referrals", func(s *effect.StratumTotal) string { return s.Period }),
		{Name: "n", Doc: "persons with a complete window", Ints: n},
		{Name: "sum", Doc: "sum of the outcome", Floats: sum},
		{Name: "sum_squares", Doc: "sum of the squared outcome", Floats: squares},
	}}
	for k, name := range classes {
		t.Columns = append(t.Columns, text(name, "class", func(s *effect.StratumTotal) string { return s.Classes[k] }))
	}
	return t
}

// rowTable is FromRows for the row types of this module, whose tags are known
// to be right.
func rowTable[T any](name string, rows []T) *ingest.Table {
	t, err := ingest.FromRows(name, rows)
	if err != nil {
		panic(err) // a fault in a row type's tags, which the tests see
	}
	return t
}

// caseTable is a table of rows about cases, with their ids in the form that the
// table of cases has.
func caseTable[T any](name string, rows []T, participation func(T) string) *ingest.Table {
	t := rowTable(name, rows)
	id := t.Column("participation_id")
	*id = idColumn(id.Name, id.Doc, effect.GatherIDs(len(rows), func(i int) effect.ID { return effect.TextID(participation(rows[i])) }))
	return t
}

// readCaseTable is the inverse of caseTable.
func readCaseTable[T any](t *ingest.Table) ([]T, error) {
	if id := t.Column("participation_id"); id != nil && id.Ints != nil {
		texts := make([]string, len(id.Ints))
		for i, n := range id.Ints {
			texts[i] = effect.NumberID(n).String()
		}
		*id = ingest.Column{Name: id.Name, Texts: texts}
	}
	return ingest.ToRows[T](t)
}
