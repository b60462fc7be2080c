package ledger_test

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/bonus/ledger"
	"github.com/jobeffekt/jobeffekt/effect"
)

const termsText = `
agreement: AGREEMENT
title: An invented agreement
source: {document: "Invented", dated: 2007-12-01}
currency: DKK
match_scheme: match5_2004
starts: 2008-01-01
ends: 2012-01-01
packages: [{id: P1, name: Job search, job_oriented: true}]
periods: half_year
applies_by: referral
rounding: {unit: 0.01, mode: half_up, stage: line}
settlement:
  section: "10"
  accepted_by: controller
  pay_within: 45 days
  objection: 30 days
  final: 12 months
  limitation: 36 months
  corrections: CORRECTIONS
versions:
  - valid_from: 2008-01-01
    clauses:
      - id: job
        section: "8"
        text: A price for each citizen in a job
        measure: {reached: job}
        schedule: {unit_prices: [{match_group: 1, package: P1, amount: 100}]}
      - id: effect
        section: "9"
        text: A price for each citizen in a job beyond what similar citizens achieve
        measure: {effect: job, part: provider, method: balance}
        schedule: {unit_prices: [{match_group: 1, package: P1, amount: 1000}]}
        gate: {require: {n: 1}}
`

// tester is what plain and property tests have in common.
type tester interface {
	require.TestingT
	Helper()
}

func day(s string) effect.Date {
	d, err := effect.ParseDate(s)
	if err != nil {
		panic(err)
	}
	return d
}

// readTerms are sealed terms, changed by pairs of texts.
func readTerms(t tester, edits ...string) *bonus.Terms {
	t.Helper()
	text := termsText
	for i := 0; i+1 < len(edits); i += 2 {
		require.Contains(t, text, edits[i])
		text = strings.ReplaceAll(text, edits[i], edits[i+1])
	}
	text = strings.NewReplacer("AGREEMENT", "A-1", "CORRECTIONS", "set_off").Replace(text)
	terms, err := bonus.ParseTerms("terms.yaml", []byte(text))
	require.NoError(t, err)
	return terms
}

func seal(t tester, terms *bonus.Terms) *bonus.Terms {
	t.Helper()
	text := fmt.Sprintf("agreement: %q\nseals:\n", terms.Agreement)
	for i := range terms.Versions {
		s, err := terms.Seal(i, day("2007-12-14"), "N. N.", "head of finance")
		require.NoError(t, err)
		text += s.Text()
	}
	sealed, err := terms.Sealed("terms.seal.yaml", []byte(text))
	require.NoError(t, err)
	return sealed
}

// job is a case that reached a job on a day with a provider.
type job struct {
	id, provider, on string
	quantity         string // 1 if left out
}

// settle makes by hand what the terms pay: a line for each provider and half-year
// over the jobs up to as_of, and effects as they are given, in the period of as_of.
func settle(t tester, terms *bonus.Terms, asOf string, jobs []job, effects map[string]bonus.Ore) *ledger.Settled {
	t.Helper()
	s := &ledger.Settled{
		Settlement: &bonus.Settlement{}, Terms: []*bonus.Terms{terms}, AsOf: day(asOf), From: day("2008-01-01"), To: day("2008-12-31"),
		Inputs: "inputs " + asOf + fmt.Sprint(jobs), RunFile: "run file", Manifest: "manifest",
	}
	lines := map[string]*bonus.Line{}
	line := func(clause, provider string, on effect.Date, price bonus.Ore) *bonus.Line {
		period := terms.Periods.Period(on).Name
		id := fmt.Sprintf("%s/%s/%s/%s@2008-01-01/match5_2004/1/P1", terms.Agreement, provider, period, clause)
		if lines[id] == nil {
			sealed, why := terms.Standing(0)
			standing := bonus.StandingRetrospective
			if sealed {
				standing = bonus.StandingSealed
			}
			lines[id] = &bonus.Line{
				ID: id, Agreement: terms.Agreement, Provider: provider, Period: period, Clause: clause, Version: day("2008-01-01"), Outcome: "job",
				MatchScheme: "match5_2004", MatchGroup: "1", Package: "P1", UnitPrice: price, Quantity: "0", Standing: standing, StandingWhy: why, TermsSHA256: terms.SHA256,
			}
		}
		return lines[id]
	}
	for _, j := range jobs {
		on := day(j.on)
		if on > s.AsOf {
			continue
		}
		l, q := line("job", j.provider, on, 100_00), cmp.Or(j.quantity, "1")
		var n int64
		_, err := fmt.Sscan(q, &n)
		require.NoError(t, err)
		l.Cases++
		l.Amount += bonus.Ore(n) * 100_00
		l.Quantity = fmt.Sprint(int64(l.Amount) / 100_00)
		s.Settlement.Entries = append(s.Settlement.Entries, bonus.Entry{Line: l.ID, Participation: j.id, On: on, Quantity: q})
	}
	for provider, amount := range effects {
		l := line("effect", provider, s.AsOf, 1000_00)
		l.Municipality, l.Amount, l.Quantity = "751", amount, fmt.Sprint(int64(amount)/1000_00)
		if amount == 0 {
			l.Reason = "gate:balance"
		}
	}
	for _, l := range lines {
		s.Settlement.Lines = append(s.Settlement.Lines, *l)
	}
	slices.SortFunc(s.Settlement.Lines, func(a, b bonus.Line) int { return cmp.Compare(a.ID, b.ID) })
	return s
}

func open(t *testing.T) (*ledger.Ledger, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ledger.db")
	o := ledger.Default()
	o.Create = true
	l, err := ledger.Open(context.Background(), path, o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return l, path
}

func preparer(on string) ledger.Person {
	return ledger.Person{Name: "P. P.", Role: "caseworker", On: day(on)}
}

func controller(on string) ledger.Person {
	return ledger.Person{Name: "C. C.", Role: "controller", On: day(on)}
}

// book proposes and books.
func book(t tester, l *ledger.Ledger, s *ledger.Settled, period, on string) *ledger.Receipt {
	t.Helper()
	p, err := l.Propose(context.Background(), s, period, preparer(on))
	require.NoError(t, err)
	r, err := l.Book(context.Background(), s, period, p.Hash, controller(on))
	require.NoError(t, err)
	require.Equal(t, p.Hash, r.Hash)
	return r
}

// whole is that the ledger verifies.
func whole(t tester, l *ledger.Ledger) *ledger.Report {
	t.Helper()
	r, err := l.Verify(context.Background(), "")
	require.NoError(t, err)
	require.Empty(t, r.Problems)
	return r
}

func codes(err error) (out []string) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			out = append(out, codes(e)...)
		}
		return out
	}
	var r *ledger.Refusal
	if errors.As(err, &r) {
		out = append(out, r.Code)
	}
	return out
}

func refused(t tester, err error, code, why string) {
	t.Helper()
	require.Error(t, err)
	require.Contains(t, codes(err), code, err.Error())
	require.ErrorContains(t, err, why)
}

var h1 = []job{{id: "1", provider: "north", on: "2008-03-01"}, {id: "2", provider: "north", on: "2008-04-01"}, {id: "3", provider: "south", on: "2008-05-01"}}

func TestOneNameInManySpellings(t *testing.T) {
	l, _ := open(t)
	ctx := context.Background()
	s := settle(t, seal(t, readTerms(t)), "2008-06-30", h1, map[string]bonus.Ore{"north": 3000_00})
	p, err := l.Propose(ctx, s, "2008H1", preparer("2008-07-10"))
	require.NoError(t, err)
	for _, name := range []string{"P. P.", " p.  P. ", "P.P.", "p p", "P.\u200bP."} {
		_, err = l.Book(ctx, s, "2008H1", p.Hash, ledger.Person{Name: name, Role: "controller", On: day("2008-07-11")})
		refused(t, err, ledger.RefusedSamePerson, "")
	}
	for _, name := range []string{" ", " . "} {
		_, err = l.Book(ctx, s, "2008H1", p.Hash, ledger.Person{Name: name, Role: "controller", On: day("2008-07-11")})
		refused(t, err, ledger.RefusedPerson, "")
	}
}

func TestBook(t *testing.T) {
	l, _ := open(t)
	ctx := context.Background()
	terms := seal(t, readTerms(t))
	s := settle(t, terms, "2008-06-30", h1, map[string]bonus.Ore{"north": 3000_00})
	p, err := l.Propose(ctx, s, "2008H1", preparer("2008-07-10"))
	require.NoError(t, err)
	require.Len(t, p.Hash, 64)
	bookings, err := l.Bookings(ctx, ledger.Query{})
	require.NoError(t, err)
	require.Empty(t, bookings, "a proposal books nothing")

	// Four eyes.
	_, err = l.Book(ctx, s, "2008H1", p.Hash, preparer("2008-07-11"))
	refused(t, err, ledger.RefusedSamePerson, "who proposed it cannot accept it")
	_, err = l.Book(ctx, s, "2008H1", p.Hash, ledger.Person{Name: " p.  P ", Role: "controller", On: day("2008-07-11")})
	refused(t, err, ledger.RefusedSamePerson, "")
	_, err = l.Book(ctx, s, "2008H1", p.Hash, ledger.Person{Name: "C. C.", Role: "caseworker", On: day("2008-07-11")})
	refused(t, err, ledger.RefusedRole, `the terms ask for the controller`)
	_, err = l.Book(ctx, s, "2008H1", p.Hash, ledger.Person{Name: "C. C.", On: day("2008-07-11")})
	refused(t, err, ledger.RefusedPerson, "")
	_, err = l.Book(ctx, s, "2008H1", p.Hash, controller("2008-07-09"))
	refused(t, err, ledger.RefusedDate, "before it was proposed")
	_, err = l.Book(ctx, s, "2008H1", strings.Repeat("0", 64), controller("2008-07-11"))
	refused(t, err, ledger.RefusedNotProposed, "")
	other := settle(t, terms, "2008-06-30", h1[:2], map[string]bonus.Ore{"north": 3000_00})
	_, err = l.Book(ctx, other, "2008H1", p.Hash, controller("2008-07-11"))
	refused(t, err, ledger.RefusedChanged, "has changed since")

	r, err := l.Book(ctx, s, "2008H1", strings.ToUpper(p.Hash), controller("2008-07-11"))
	require.NoError(t, err)
	require.False(t, r.Same())
	bookings, err = l.Bookings(ctx, ledger.Query{})
	require.NoError(t, err)
	require.Len(t, bookings, 1)
	b := bookings[0]
	assert.Equal(t, "P. P.", b.PreparedBy)
	assert.Equal(t, "C. C.", b.AcceptedBy)
	assert.Equal(t, p.Hash, b.Accepted)
	// 30 June 2008 + 45 days; 11 July + 30 days; 30 June + 12 and 36 months.
	assert.Equal(t, []effect.Date{day("2008-08-14"), day("2008-08-10"), day("2009-06-30"), day("2011-06-30")}, []effect.Date{b.PaymentDue, b.ObjectionsTil, b.Final, b.Limitation})
	accounts, err := l.Accounts(ctx, ledger.Query{})
	require.NoError(t, err)
	require.Len(t, accounts, 2)
	assert.EqualValues(t, 3200_00, accounts[0].Pay)
	assert.EqualValues(t, 100_00, accounts[1].Pay)
	head := whole(t, l).Head

	// The same again adds nothing but the record of the run.
	again, err := l.Propose(ctx, s, "2008H1", preparer("2008-07-12"))
	require.NoError(t, err)
	require.True(t, again.Same())
	again, err = l.Book(ctx, s, "2008H1", "whatever", controller("2008-07-12"))
	require.NoError(t, err)
	require.True(t, again.Same())
	bookings, err = l.Bookings(ctx, ledger.Query{})
	require.NoError(t, err)
	require.Len(t, bookings, 1)

	runs, err := l.Runs(ctx, ledger.Query{})
	require.NoError(t, err)
	var outcomes []string
	for _, r := range runs {
		outcomes = append(outcomes, r.Outcome)
	}
	require.Equal(t, []string{"proposed", "refused", "refused", "refused", "refused", "refused", "refused", "refused", "booked", "nothing_new", "nothing_new"}, outcomes)
	require.EqualValues(t, 10, runs[10].Nth, "all but that with other inputs")
	require.Contains(t, runs[1].Why, "same_person: who proposed it cannot accept it")
	report, err := l.Verify(ctx, head.Hash)
	require.NoError(t, err)
	require.Empty(t, report.Problems)
	require.Greater(t, report.Head.Rows, head.Rows)
	report, err = l.Verify(ctx, strings.Repeat("ab", 32))
	require.NoError(t, err)
	require.Len(t, report.Problems, 1)
}

// Late data: a case appears, one vanishes, one moves. What differs is booked with
// the next period, and names the cases.
func TestCorrections(t *testing.T) {
	for _, how := range []string{"set_off", "claim"} {
		t.Run(how, func(t *testing.T) {
			l, _ := open(t)
			ctx := context.Background()
			terms := seal(t, readTerms(t, "CORRECTIONS", how))
			book(t, l, settle(t, terms, "2008-06-30", h1, map[string]bonus.Ore{"north": 3000_00}), "2008H1", "2008-07-10")
			late := []job{h1[0], {id: "4", provider: "south", on: "2008-06-02"}, {id: "5", provider: "south", on: "2008-09-01"}}
			s := settle(t, terms, "2008-12-31", late, map[string]bonus.Ore{"north": 1000_00})
			_, err := l.Propose(ctx, s, "2008H1", preparer("2009-01-10"))
			refused(t, err, ledger.RefusedClosed, "2 of its lines")
			r := book(t, l, s, "2008H2", "2009-01-10")
			require.EqualValues(t, 2, r.Runs[0].Exits, "two cases are taken back after 14 August 2008")

			lines, err := l.Lines(ctx, ledger.Query{Period: "2008H2"})
			require.NoError(t, err)
			type row struct{ kind, line, before, now, amount string }
			var got []row
			for _, l := range lines {
				got = append(got, row{l.Kind, l.Line.Line, l.QuantityBefore, l.Quantity, l.Amount.String()})
			}
			const tail = "@2008-01-01/match5_2004/1/P1"
			require.Equal(t, []row{
				{"booked", "A-1/south/2008H2/job" + tail, "0", "1", "100.00"},
				{"correction", "A-1/north/2008H1/job" + tail, "2", "1", "-100.00"},
				{"correction", "A-1/north/2008H2/effect" + tail, "3", "1", "-2000.00"},
				{"correction", "A-1/south/2008H1/job" + tail, "1", "1", "0.00"},
			}, got)
			require.Equal(t, "A-1/north/2008H1/effect"+tail, lines[2].Corrects)
			cases, err := l.Cases(ctx, ledger.Query{Period: "2008H2"})
			require.NoError(t, err)
			var behind []string
			for _, c := range cases {
				if c.Kind == ledger.KindCorrection {
					behind = append(behind, fmt.Sprintf("%s %s %s %s>%s", c.Of[:15], c.Participation, c.On, c.Before, c.Now))
				}
			}
			require.Equal(t, []string{
				"A-1/north/2008H 2 2008-04-01 1>0", "A-1/south/2008H 3 2008-05-01 1>0", "A-1/south/2008H 4 2008-06-02 0>1",
			}, behind)

			accounts, err := l.Accounts(ctx, ledger.Query{Period: "2008H2"})
			require.NoError(t, err)
			require.Len(t, accounts, 2)
			north := accounts[0]
			assert.EqualValues(t, -2100_00, north.Due)
			assert.Zero(t, north.Pay)
			if how == "claim" {
				assert.EqualValues(t, 2100_00, north.Claimed)
				assert.Zero(t, north.Carried)
			} else {
				assert.EqualValues(t, -2100_00, north.Carried)
			}
			assert.EqualValues(t, 100_00, accounts[1].Pay)

			// The rest is taken off in the next period.
			more := append(slices.Clone(late), job{id: "6", provider: "north", on: "2009-02-01", quantity: "30"})
			book(t, l, settle(t, terms, "2009-06-30", more, map[string]bonus.Ore{"north": 1000_00}), "2009H1", "2009-07-10")
			accounts, err = l.Accounts(ctx, ledger.Query{Period: "2009H1", Provider: "north"})
			require.NoError(t, err)
			if how == "claim" {
				assert.EqualValues(t, 3000_00, accounts[0].Pay)
			} else {
				assert.EqualValues(t, -2100_00, accounts[0].Opening)
				assert.EqualValues(t, 2100_00, accounts[0].SetOff)
				assert.EqualValues(t, 900_00, accounts[0].Pay)
			}
			whole(t, l)
		})
	}
}

func TestRefusals(t *testing.T) {
	ctx := context.Background()
	terms := seal(t, readTerms(t))
	for name, c := range map[string]struct {
		booked []string // periods that are booked before
		change func(*ledger.Settled)
		asOf   string
		period string
		on     string
		code   string
		why    string
	}{
		"no calendar": {
			code: ledger.RefusedNoCalendar, why: "has no key settlement",
			change: func(s *ledger.Settled) { other := *terms; other.Settlement = nil; s.Terms = []*bonus.Terms{&other} },
		},
		"no period":        {period: "2008Q1", code: ledger.RefusedNoPeriod, why: "2008Q1 is no settlement period"},
		"no name":          {period: "half of 2008", code: ledger.RefusedNoPeriod, why: "is not a period"},
		"not over":         {asOf: "2008-06-29", code: ledger.RefusedNotOver, why: "before its last day, 2008-06-30"},
		"before the facts": {on: "2008-06-29", code: ledger.RefusedDate, why: "lies before as_of"},
		"too early":        {period: "2007H2", code: ledger.RefusedOrder, why: "ends before the agreement starts"},
		"out of order":     {asOf: "2008-12-31", period: "2008H2", on: "2009-01-02", code: ledger.RefusedOrder, why: "earlier periods have lines and are not booked: 2008H1"},
		"backwards":        {booked: []string{"2008H1", "2008H2"}, asOf: "2008-12-31", on: "2009-02-01", change: func(s *ledger.Settled) { s.Settlement.Lines[0].Amount++ }, code: ledger.RefusedOrder, why: "2008H2, which is later, is booked"},
		"older facts":      {booked: []string{"2008H1"}, asOf: "2008-06-30", period: "2008H2", on: "2009-01-02", code: ledger.RefusedNotOver, why: "2008-12-31"},
		"older day":        {booked: []string{"2008H1"}, asOf: "2008-12-31", period: "2008H2", on: "2008-07-01", code: ledger.RefusedOlder, why: "lies before 2008-07-10, when 2008H1 was booked"},
		"retrospective": {
			code: ledger.RefusedRetrospective, why: "3 of its lines are retrospective: no seal lies beside the terms",
			change: func(s *ledger.Settled) {
				*s = *settle(t, readTerms(t), "2008-06-30", h1, map[string]bonus.Ore{"north": 1})
			},
		},
		"retrospective and empty": {
			code: ledger.RefusedRetrospective, why: "the terms are retrospective: no seal lies beside the terms",
			change: func(s *ledger.Settled) { *s = *settle(t, readTerms(t), "2008-06-30", nil, nil) },
		},
		"repriced": {
			booked: []string{"2008H1"}, asOf: "2008-12-31", period: "2008H2", on: "2009-01-02", code: ledger.RefusedRepriced, why: "reads otherwise in terms.yaml now",
			change: func(s *ledger.Settled) {
				s.Terms = []*bonus.Terms{seal(t, readTerms(t, "amount: 100}", "amount: 90}"))}
			},
		},
		"narrower cohort": {
			booked: []string{"2008H1"}, asOf: "2008-12-31", period: "2008H2", on: "2009-01-02", code: ledger.RefusedCohort, why: "would seem to have vanished",
			change: func(s *ledger.Settled) { s.From = day("2008-02-01") },
		},
		"no cohort": {code: ledger.RefusedCohort, why: "nothing says which referrals", change: func(s *ledger.Settled) { s.From = effect.NoDate }},
	} {
		t.Run(name, func(t *testing.T) {
			l, _ := open(t)
			for _, p := range c.booked {
				at, err := effect.ParsePeriod(p)
				require.NoError(t, err)
				book(t, l, settle(t, terms, (at.End-1).String(), h1, map[string]bonus.Ore{"north": 3000_00}), p, at.End.AddMonths(0).Add(effect.Span{Days: 9}).String())
			}
			s := settle(t, terms, cmp.Or(c.asOf, "2008-06-30"), h1, map[string]bonus.Ore{"north": 3000_00})
			if c.change != nil {
				c.change(s)
			}
			before := whole(t, l)
			_, err := l.Propose(ctx, s, cmp.Or(c.period, "2008H1"), preparer(cmp.Or(c.on, "2008-07-10")))
			refused(t, err, c.code, c.why)
			after := whole(t, l)
			require.Equal(t, before.Bookings, after.Bookings)
			runs, err := l.Runs(ctx, ledger.Query{})
			require.NoError(t, err)
			last := runs[len(runs)-1]
			require.Equal(t, ledger.RunRefused, last.Outcome, "a refused run is recorded")
			require.Contains(t, last.Why, c.why)
		})
	}
}

// Cohorts of effects that do not overlap add up; one that begins on the same day
// replaces; one that overlaps otherwise is refused.
func TestCohorts(t *testing.T) {
	l, _ := open(t)
	ctx := context.Background()
	terms := seal(t, readTerms(t))
	at := func(asOf, from, to string, amount bonus.Ore) *ledger.Settled {
		s := settle(t, terms, asOf, nil, map[string]bonus.Ore{"north": amount})
		s.From, s.To = day(from), day(to)
		return s
	}
	book(t, l, at("2008-12-31", "2008-01-01", "2008-06-30", 3000_00), "2008H2", "2009-01-10")
	book(t, l, at("2009-06-30", "2008-07-01", "2008-12-31", 500_00), "2009H1", "2009-07-10")
	_, err := l.Propose(ctx, at("2009-12-31", "2008-04-01", "2009-03-31", 1), "2009H2", preparer("2010-01-10"))
	refused(t, err, ledger.RefusedCohort, "the same cases would be paid for twice")
	_, err = l.Propose(ctx, at("2009-12-31", "2008-01-01", "2008-03-31", 1), "2009H2", preparer("2010-01-10"))
	refused(t, err, ledger.RefusedCohort, "only")
	_, err = l.Propose(ctx, at("2009-12-31", "2008-01-01", "2008-12-31", 1), "2009H2", preparer("2010-01-10"))
	refused(t, err, ledger.RefusedCohort, "paid for twice")
	book(t, l, at("2009-12-31", "2008-07-01", "2008-12-31", 700_00), "2009H2", "2010-01-10")
	lines, err := l.Lines(ctx, ledger.Query{})
	require.NoError(t, err)
	require.Len(t, lines, 3)
	require.Equal(t, "A-1/north/from 2008-01-01/effect@2008-01-01/match5_2004/1/P1", lines[0].Key)
	require.Equal(t, ledger.KindBooked, lines[1].Kind)
	require.Equal(t, ledger.KindCorrection, lines[2].Kind)
	require.EqualValues(t, 200_00, lines[2].Amount)
	whole(t, l)
}

// An effect that the settlement puts into a later period waits for it, and does not
// vanish.
func TestEffectOfALaterPeriod(t *testing.T) {
	l, _ := open(t)
	terms := seal(t, readTerms(t))
	book(t, l, settle(t, terms, "2008-06-30", h1, map[string]bonus.Ore{"north": 3000_00}), "2008H1", "2008-07-10")
	s := settle(t, terms, "2009-02-01", append(slices.Clone(h1), job{id: "7", provider: "north", on: "2008-08-01"}), map[string]bonus.Ore{"north": 1000_00})
	r := book(t, l, s, "2008H2", "2009-02-02")
	require.Len(t, r.Plans[0].Lines, 1)
	// Now as_of lies in the period, and the cell is gone.
	r = book(t, l, settle(t, terms, "2009-06-30", append(slices.Clone(h1), job{id: "7", provider: "north", on: "2008-08-01"}), nil), "2009H1", "2009-07-02")
	require.Len(t, r.Plans[0].Lines, 1)
	require.EqualValues(t, -3000_00, r.Plans[0].Lines[0].Amount)
	whole(t, l)
}

// What comes after the final closing is shown once, and not paid.
func TestTooLate(t *testing.T) {
	l, _ := open(t)
	ctx := context.Background()
	terms := seal(t, readTerms(t))
	book(t, l, settle(t, terms, "2008-06-30", h1, nil), "2008H1", "2008-07-10")
	book(t, l, settle(t, terms, "2008-12-31", h1, nil), "2008H2", "2009-01-10") // an empty period
	s := settle(t, terms, "2009-06-30", h1[:1], nil)
	r := book(t, l, s, "2009H1", "2009-07-10") // finally closed on 2009-06-30
	require.Len(t, r.Plans[0].Lines, 2)
	for _, line := range r.Plans[0].Lines {
		require.Equal(t, ledger.KindTooLate, line.Kind)
		require.Equal(t, "2008H1 was finally closed after 2009-06-30", line.Reason)
		require.Negative(t, int64(line.Amount))
	}
	accounts, err := l.Accounts(ctx, ledger.Query{Period: "2009H1"})
	require.NoError(t, err)
	for _, a := range accounts {
		require.Zero(t, a.Due)
	}
	r = book(t, l, settle(t, terms, "2009-12-31", h1[:1], nil), "2009H2", "2010-01-10")
	require.Empty(t, r.Plans[0].Lines, "it is listed once")
	// A period first booked after its claims have lapsed.
	other, _ := open(t)
	r = book(t, other, settle(t, terms, "2011-07-01", h1, nil), "2008H1", "2011-07-01")
	require.Equal(t, ledger.KindTooLate, r.Plans[0].Lines[0].Kind)
	require.Equal(t, "claims of 2008H1 lapsed after 2011-06-30", r.Plans[0].Lines[0].Reason)
	whole(t, l)
	whole(t, other)
}

func TestErase(t *testing.T) {
	l, path := open(t)
	ctx := context.Background()
	terms := seal(t, readTerms(t))
	s := settle(t, terms, "2008-06-30", h1, nil)
	book(t, l, s, "2008H1", "2008-07-10")
	before := whole(t, l)
	had, err := l.Erase(ctx, "2", controller("2008-08-01"))
	require.NoError(t, err)
	require.True(t, had)
	had, err = l.Erase(ctx, "2", controller("2008-08-01"))
	require.NoError(t, err)
	require.False(t, had)
	after := whole(t, l)
	require.Equal(t, before.Head.Rows+1, after.Head.Rows, "the erasure is recorded, once")
	cases, err := l.Cases(ctx, ledger.Query{})
	require.NoError(t, err)
	who := []string{}
	for _, c := range cases {
		who = append(who, c.Participation)
	}
	require.ElementsMatch(t, []string{"1", "", "3"}, who)
	r, err := l.Propose(ctx, s, "2008H1", preparer("2008-08-02"))
	require.NoError(t, err)
	require.True(t, r.Same())
	// And in the next period it is not taken for another case.
	r = book(t, l, settle(t, terms, "2008-12-31", h1, nil), "2008H2", "2009-01-10")
	require.Empty(t, r.Plans[0].Lines)
	cases, err = l.Cases(ctx, ledger.Query{})
	require.NoError(t, err)
	require.Len(t, cases, 3)
	_ = path
}

// Reruns on the same inputs until a gate opens are counted.
func TestRerunsShow(t *testing.T) {
	l, _ := open(t)
	ctx := context.Background()
	terms := seal(t, readTerms(t))
	for i, amount := range []bonus.Ore{0, 0, 4000_00} {
		s := settle(t, terms, "2008-06-30", h1, map[string]bonus.Ore{"north": amount})
		s.RunFile = fmt.Sprint("run file ", i)
		_, err := l.Record(ctx, s, ledger.Person{On: effect.NoDate})
		require.NoError(t, err)
	}
	runs, err := l.Runs(ctx, ledger.Query{})
	require.NoError(t, err)
	require.Len(t, runs, 3)
	require.Equal(t, []int64{1, 2, 3}, []int64{runs[0].Nth, runs[1].Nth, runs[2].Nth})
	require.Equal(t, []int64{1, 1, 0}, []int64{runs[0].Blocked, runs[1].Blocked, runs[2].Blocked})
	require.Equal(t, []int64{0, 0, 1}, []int64{runs[0].Opened, runs[1].Opened, runs[2].Opened})
	blocked, err := l.BlockedLines(ctx)
	require.NoError(t, err)
	require.Len(t, blocked, 2)
	whole(t, l)
}

// Several agreements are booked in one transaction, or none of them.
func TestSeveralAgreements(t *testing.T) {
	l, _ := open(t)
	ctx := context.Background()
	a, b := seal(t, readTerms(t)), seal(t, readTerms(t, "AGREEMENT", "A-2", "accepted_by: controller", "accepted_by: auditor"))
	quarterly := seal(t, readTerms(t, "AGREEMENT", "A-3", "periods: half_year", "periods: quarter"))
	s, other := settle(t, a, "2008-06-30", h1, nil), settle(t, b, "2008-06-30", h1[:1], nil)
	s.Terms = []*bonus.Terms{b, a, quarterly}
	s.Settlement.Lines = append(s.Settlement.Lines, other.Settlement.Lines...)
	s.Settlement.Entries = append(s.Settlement.Entries, other.Settlement.Entries...)
	p, err := l.Propose(ctx, s, "2008H1", preparer("2008-07-10"))
	require.NoError(t, err)
	require.Len(t, p.Plans, 2)
	_, err = l.Book(ctx, s, "2008H1", p.Hash, controller("2008-07-10"))
	refused(t, err, ledger.RefusedRole, "the terms ask for the auditor")
	require.Zero(t, whole(t, l).Bookings)
	b2 := seal(t, readTerms(t, "AGREEMENT", "A-2"))
	s.Terms[0] = b2
	p, err = l.Propose(ctx, s, "2008H1", preparer("2008-07-10"))
	require.NoError(t, err)
	_, err = l.Book(ctx, s, "2008H1", p.Hash, controller("2008-07-10"))
	require.NoError(t, err)
	require.EqualValues(t, 2, whole(t, l).Bookings)
}

func TestOpening(t *testing.T) {
	l, _ := open(t)
	ctx := context.Background()
	got, err := l.Opening(ctx, "A-1")
	require.NoError(t, err)
	require.Empty(t, got)
	s := settle(t, seal(t, readTerms(t)), "2008-06-30", h1, nil)
	s.Settlement.Carried = []bonus.Balance{{Agreement: "A-1", Provider: "south", Amount: -5}, {Agreement: "A-2", Provider: "south", Amount: -7}, {Agreement: "A-1", Provider: "north"}}
	book(t, l, s, "2008H1", "2008-07-10")
	got, err = l.Opening(ctx, "A-1")
	require.NoError(t, err)
	require.Equal(t, []bonus.Balance{{Agreement: "A-1", Provider: "south", Amount: -5}}, got)
	whole(t, l)

	// A settlement that goes further: what it took of the balance later is put back.
	l, _ = open(t)
	s.AsOf = day("2008-12-31")
	s.Settlement.Carried = []bonus.Balance{{Agreement: "A-1", Provider: "south", Amount: -2}}
	s.Settlement.Lines = append(s.Settlement.Lines,
		bonus.Line{ID: "A-1/south/2008H1/carried", Agreement: "A-1", Provider: "south", Period: "2008H1", Clause: "carried", Amount: 5, Standing: bonus.StandingSealed},
		bonus.Line{ID: "A-1/south/2008H2/carried", Agreement: "A-1", Provider: "south", Period: "2008H2", Clause: "carried", Amount: -3, Standing: bonus.StandingSealed},
	)
	book(t, l, s, "2008H1", "2009-01-10")
	got, err = l.Opening(ctx, "A-1")
	require.NoError(t, err)
	require.Equal(t, []bonus.Balance{{Agreement: "A-1", Provider: "south", Amount: -5}}, got)
	book(t, l, s, "2008H2", "2009-01-11")
	got, err = l.Opening(ctx, "A-1")
	require.NoError(t, err)
	require.Equal(t, []bonus.Balance{{Agreement: "A-1", Provider: "south", Amount: -2}}, got)
}

// raw opens the file beside the ledger, as somebody with an editor for SQLite does.
func raw(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", path+"?_pragma=synchronous(0)&_pragma=journal_mode(memory)")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}
