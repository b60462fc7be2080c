package bonus

import (
	"cmp"
	"fmt"
	"maps"
	"math/big"
	"slices"

	"github.com/jobeffekt/jobeffekt/effect"
)

// Entry is a part of a line that one case stands for: one citizen who reached
// an outcome, so many weeks, half of a payment, or something that is taken
// back. The entries of a line sum to its quantity. A line of an effect or a
// score has none: it is about all cases of its cell together.
type Entry struct {
	Line          string      `col:"line" doc:"line that the case counts in"`
	Participation string      `col:"participation_id" doc:"case"`
	On            effect.Date `col:"on" doc:"day on which it counts, which lies in the line's settlement period"`
	Quantity      string      `col:"quantity" doc:"how much of the line's quantity the case is, exactly; negative where something is taken back"`
}

// entry is an [Entry] before lines are made. The stages of a clause on cases go
// from entries to entries, each in a file of its own: what the measure found, who
// is credited, what is taken back, what the limits leave of it, on which days it
// is paid.
type entry struct {
	row, at         int32 // in rows and cases
	terms           int32
	version, clause int32
	provider        int32 // who is credited: a code of the cases' providers
	on              effect.Date
	instalment      int16 // of the clause's instalments
	band            int16 // of the clause's bands
	quantity        fraction
	by              int32       // the case whose outcome it is, also where another is credited
	since           effect.Date // the day of the event, also where it is paid later
	takenBack       bool        // by the clawback of the clause
	paid            effect.Date // of what is taken back: the day on which it was paid
}

// blocks are entries of which nobody knows how many there will be: one long slice
// that grows would be copied, and allocated, several times over.
type blocks [][]entry

// How many entries the first block holds, and how many the largest.
const firstBlock, largestBlock = 1 << 6, 1 << 14

func (b *blocks) add(x entry) {
	last := len(*b) - 1
	if last < 0 {
		*b, last = append(*b, make([]entry, 0, firstBlock)), 0
	} else if n := cap((*b)[last]); len((*b)[last]) == n {
		*b, last = append(*b, make([]entry, 0, min(2*n, largestBlock))), last+1
	}
	(*b)[last] = append((*b)[last], x)
}

// clauseOf is the clause of an entry, in its version.
func (s *settler) clauseOf(x entry) *Clause {
	return &s.terms[x.terms].Versions[x.version].Clauses[x.clause]
}

// compareEntries is the order in which a citizen's entries are judged: that of
// compareDays.
func (s *settler) compareEntries(a, b entry) int {
	if c := cmp.Compare(s.cases.Person[a.at], s.cases.Person[b.at]); c != 0 {
		return c
	}
	return s.compareDays(&a, &b)
}

// compareDays is the order of the entries of a line: by day, then by agreement, then
// by the day of referral, then by participation id, then by clause.
func (s *settler) compareDays(a, b *entry) int {
	if a.on != b.on {
		return cmp.Compare(a.on, b.on)
	}
	if a.terms != b.terms {
		return cmp.Compare(a.terms, b.terms)
	}
	if a.at != b.at {
		if c := cmp.Compare(s.cases.Referral[a.at], s.cases.Referral[b.at]); c != 0 {
			return c
		}
		return s.cases.ID.At(int(a.at)).Compare(s.cases.ID.At(int(b.at)))
	}
	return cmp.Or(cmp.Compare(a.version, b.version), cmp.Compare(a.clause, b.clause))
}

// caseLines turns what the cases of each clause have reached into lines: first what
// is known of events, then payments, each on its day.
func (s *settler) caseLines() error {
	s.unless()
	entries, err := s.attributed()
	if err != nil {
		return err
	}
	for _, stage := range []func([]entry) ([]entry, error){
		s.ofProviders,
		s.eachOf(s.full, func(x *Schedule) bool { return x.Every != nil || x.Beyond != nil }),
		s.limitQuantities,
		s.eachOf(s.banded, func(x *Schedule) bool { return x.Bands != nil }),
		s.due,
		s.limitAmounts,
		s.takeBack,
	} {
		if entries, err = stage(entries); err != nil {
			return err
		}
	}
	s.enterLines(entries)
	s.notDue()
	return nil
}

// eachOf is a stage for the entries of one clause at a time, by citizen and day, and
// only where a schedule asks for it.
func (s *settler) eachOf(stage func([]entry) ([]entry, error), asked func(*Schedule) bool) func([]entry) ([]entry, error) {
	return func(entries []entry) ([]entry, error) {
		any := false
		for _, t := range s.terms {
			t.eachClause(func(_, _ int, clause *Clause) { any = any || asked(&clause.Schedule) })
		}
		if !any {
			return entries, nil
		}
		of, n := map[clauseKey][]entry{}, map[clauseKey]int{}
		for _, x := range entries {
			n[clauseKey{x.terms, s.clauseOf(x).ID}]++
		}
		for _, x := range entries {
			key := clauseKey{x.terms, s.clauseOf(x).ID}
			if of[key] == nil {
				of[key] = make([]entry, 0, n[key])
			}
			of[key] = append(of[key], x)
		}
		out := entries[:0]
		for _, key := range slices.SortedFunc(maps.Keys(of), func(a, b clauseKey) int {
			return cmp.Or(cmp.Compare(a.terms, b.terms), cmp.Compare(a.id, b.id))
		}) {
			slices.SortFunc(of[key], s.compareEntries)
			done, err := stage(of[key])
			if err != nil {
				return nil, err
			}
			delete(of, key)
			out = append(out, done...)
		}
		return out, nil
	}
}

// notDue marks the cases that count and are in no line.
func (s *settler) notDue() {
	for r, o := range s.origin {
		if s.rows[r].Rule == RuleCounted && s.rows[r].Line == "" && o.version >= 0 {
			if _, clause, _ := s.clauseAt(s.termsOf(o.at), o.version, o.clause); clause.Measure.OfCases() {
				s.rows[r].Rule = RuleNotDue
			}
		}
	}
}

// enterLines gathers entries into lines and prices them.
func (s *settler) enterLines(entries []entry) {
	type lineKey struct {
		terms, version, clause, provider, scheme, group, pkg, factor int32
		band                                                         int16
		takenBack                                                    bool
		start                                                        effect.Date
	}
	c, places := s.cases, map[lineKey]int32{}
	var lines []*draft
	var sizes []int
	of := make([]int32, len(entries)) // entry -> its line
	for i := range entries {
		x := &entries[i]
		t := s.terms[x.terms]
		period := s.period(t, x.on)
		k := lineKey{
			x.terms, x.version, x.clause, x.provider, c.MatchScheme.CodeAt(int(x.at)), c.MatchGroup.CodeAt(int(x.at)), c.Package.CodeAt(int(x.at)),
			s.factorOf(x), x.band, x.takenBack, period.Start,
		}
		place, ok := places[k]
		if !ok {
			cell := s.cell(-1, k.scheme, k.group, k.provider, k.pkg)
			line := newDraftAt(t, int(k.version), int(k.clause), cell, period, k.band, k.factor)
			if k.takenBack {
				line.takesBack(int(k.version))
			}
			place = int32(len(lines))
			places[k], lines, sizes = place, append(lines, line), append(sizes, 0)
		}
		of[i] = place
		sizes[place]++
		s.inLine(x, lines[place].ID)
	}
	rest := make([]entry, len(entries))
	for place, line := range lines {
		n := sizes[place]
		line.entries, rest = rest[:0:n], rest[n:]
	}
	for i, place := range of {
		lines[place].entries = append(lines[place].entries, entries[i])
	}
	for _, line := range lines {
		s.priceEntries(line)
	}
}

// factorOf is the index factor of an entry: that of the day on which it was paid,
// also where it is taken back.
func (s *settler) factorOf(x *entry) int32 {
	t, on := s.terms[x.terms], x.on
	if x.takenBack {
		on = x.paid
	}
	return t.factorFor(s.cases.Referral[x.at], s.period(t, on))
}

// inLine notes in the row of a case that it counts, and in which line: the first of
// several. What is taken back has a row of its own for each line.
func (s *settler) inLine(x *entry, line string) {
	if x.takenBack {
		row := CaseLine{Participation: s.cases.ID.At(int(x.at)).String(), Clause: s.clauseOf(*x).ID + clawbackSuffix, Rule: RuleTakenBack, Line: line}
		if s.rows[len(s.rows)-1] != row {
			s.rows, s.origin, s.unsorted = append(s.rows, row), append(s.origin, origin{x.at, x.version, x.clause}), true
		}
		return
	}
	row := &s.rows[x.row]
	if row.Rule = RuleCounted; row.Line == "" {
		row.Line = line
	}
}

// priceEntries gives a line its cases, its quantity and what that is worth.
func (s *settler) priceEntries(d *draft) {
	if s.seen == nil {
		s.seen = make([]int32, s.cases.Len())
	}
	s.marks++
	quantity, mark := newTally(), s.marks
	slices.SortFunc(d.entries, func(a, b entry) int {
		if c := s.compareDays(&a, &b); c != 0 {
			return c
		}
		return cmp.Or(cmp.Compare(a.instalment, b.instalment), a.quantity.compare(b.quantity))
	})
	for _, x := range d.entries {
		quantity.add(x.quantity)
		if s.seen[x.at] != mark {
			s.seen[x.at] = mark
			d.Cases++
		}
	}
	if d.clause.Schedule.Pool != nil {
		what, unit := s.counted(d.clause)
		d.instalmentSteps(unit)
		s.intoPool(d, quantity.rat(), what, unit)
		s.drafts = append(s.drafts, d)
		return
	}
	first := d.entries[0]
	price, ok := d.clause.Schedule.price(d.terms, d.MatchScheme, d.MatchGroup, d.Package)
	if !ok && !d.clause.Schedule.Bands.priced() {
		s.unpriced[unpriced{first.terms, first.version, first.clause, d.MatchScheme, d.MatchGroup, d.Package}] += d.Cases
		return
	}
	what, unit := s.counted(d.clause)
	if first.takenBack {
		what = "taken back for " + what
	} else {
		d.instalmentSteps(unit)
		s.bandStep(d, bandKey{first.terms, first.version, first.clause, first.provider, d.period.Start})
	}
	d.priced(quantity.rat(), price, what, unit)
	s.drafts = append(s.drafts, d)
}

// entryRows adds the entries of a line, in the order of days and cases.
func (s *settler) entryRows(out []Entry, d *draft) []Entry {
	for _, x := range d.entries {
		quantity, ok := s.texts[x.quantity]
		if !ok {
			quantity = exactText(x.quantity.rat())
			s.texts[x.quantity] = quantity
		}
		// The text of the id stands in the row of the case already.
		id := s.rows[x.row].Participation
		if s.origin[x.row].at != x.at {
			id = s.cases.ID.At(int(x.at)).String()
		}
		out = append(out, Entry{Line: d.ID, Participation: id, On: x.on, Quantity: quantity})
	}
	return out
}

// counted says what the quantity of a clause on cases is, and in which unit.
func (s *settler) counted(clause *Clause) (what, unit string) {
	m := &clause.Measure
	what, unit = m.counts()
	if m.Sum != "" {
		r, _ := s.obs.Result(m.Sum)
		unit = string(r.Unit)
		what = fmt.Sprintf("%s of %s", unit, m.Sum)
	}
	if n := clause.Schedule.Beyond; n != nil {
		what += fmt.Sprintf(", beyond the first %d of each citizen", *n)
	}
	if every := clause.Schedule.Every; every != nil {
		what = fmt.Sprintf("payments, one for each full %d %s: %s", *every, unit, what)
		unit = "payments"
	}
	if len(clause.Schedule.Instalments) > 0 {
		what += ", in instalments"
	}
	return what, unit
}

// counts says what a quantity of the measure is, and in which unit.
func (m *Measure) counts() (what, unit string) {
	switch {
	case m.Referred:
		return "citizens who were referred", "citizens"
	case m.Started:
		return "citizens who started", "citizens"
	}
	return fmt.Sprintf("citizens who reached %s", m.outcomes()), "citizens"
}

// priced gives the line its quantity and what that is worth, exactly: quantity x
// price x times. The price is that of one before indexation; a band with a price
// of its own takes its place.
func (d *draft) priced(quantity *big.Rat, price Ore, what, unit string) {
	d.Quantity = exactText(quantity)
	d.step(what, d.Quantity, unit, d.Section)
	schedule, product := &d.clause.Schedule, "quantity x price"
	if b := schedule.Bands; b != nil && b.Steps[d.band].Amount != nil {
		price = *b.Steps[d.band].Amount
	}
	d.step("price of one", price.String(), "kr.", d.Section)
	if d.factor != noFactor {
		x := d.terms.Indexation
		price, _ = x.price(price, d.factor) // that it fits was checked with the terms
		f := x.Factors[d.factor]
		d.step(fmt.Sprintf("price x %s, the factor in force from %s, rounded to %s, %s", f.Factor, f.From, Rounding{Unit: x.Round.Unit}.to(d.terms.Currency), x.Round.Mode), price.String(), "kr.", x.Section)
	}
	for _, f := range d.factors() {
		d.step(f.what, exactText(f.value), "", d.Section)
		product += " x " + exactText(f.value)
	}
	times := d.times()
	d.UnitPrice, d.Times = price, exactText(times)
	d.exact = new(big.Rat).Mul(quantity, price.Rat())
	d.exact.Mul(d.exact, times)
	d.step(product, exactText(d.exact), "kr.", d.Section)
	switch {
	case d.Reason != "":
	case quantity.Sign() == 0:
		d.Reason = ReasonNotAbove
	case d.exact.Sign() == 0:
		d.Reason = ReasonFree
	}
}

// factors are what quantity x price is multiplied by, in order.
func (d *draft) factors() (out []struct {
	what  string
	value *big.Rat
},
) {
	add := func(what string, value *big.Rat) {
		out = append(out, struct {
			what  string
			value *big.Rat
		}{what, value})
	}
	s := &d.clause.Schedule
	if s.Share != nil {
		add("share of the price", s.share())
	}
	if b := s.Bands; b != nil && b.Steps[d.band].Times != nil {
		add(fmt.Sprintf("factor of band %d", d.band+1), b.Steps[d.band].Times.Rat())
	}
	if s.Penalty {
		add("a penalty is taken off", big.NewRat(-1, 1))
	}
	return out
}

// times is the product of the factors.
func (d *draft) times() *big.Rat {
	out := one()
	for _, f := range d.factors() {
		out.Mul(out, f.value)
	}
	return out
}
