package bonus

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/internal/strict"
)

// Terms are what one framework agreement pays for, as data with a source. They
// are made by [ParseTerms], which has checked them, and are read-only.
//
// A version is a dated set of clauses. A clause is put together from parts that
// know nothing of each other: a [Measure] counts something, [Conditions] say
// for which cases, a [Schedule] turns the quantity into money, and a [Gate]
// decides whether an uncertain figure may be paid on. Each [Limit] and [Rounding]
// then apply to the lines.
type Terms struct {
	Agreement   string         `yaml:"agreement" doc:"agreement_id of the cases that the terms are about"`
	Title       string         `yaml:"title" doc:"what people call the agreement"`
	Source      Source         `yaml:"source" doc:"where the terms come from"`
	Currency    Currency       `yaml:"currency" doc:"what amounts are in; they are written with at most two decimals"`
	MatchScheme string         `yaml:"match_scheme" doc:"the numbering that match groups in these terms belong to, unless a price names another"`
	Starts      effect.Date    `yaml:"starts" doc:"first day on which a referral is under the agreement"`
	Ends        effect.Date    `yaml:"ends" doc:"first day on which it no longer is"`
	Packages    []OfferPackage `yaml:"packages" jsonschema:"minItems=1" doc:"the offer packages of the agreement"`
	Periods     PeriodLength   `yaml:"periods" doc:"length of a settlement period"`
	AppliesBy   AppliesBy      `yaml:"applies_by" doc:"what chooses the version in force: referral (the day the citizen was referred) or period (the first day of the settlement period)"`
	Rounding    Rounding       `yaml:"rounding" doc:"the one rounding of amounts"`
	Attribution *Attribution   `yaml:"attribution,omitempty" doc:"who is credited where several providers had a citizen; left out: the first case that counts"`
	Indexation  *Indexation    `yaml:"indexation,omitempty" doc:"factors on all prices, by date"`
	VAT         *VAT           `yaml:"vat,omitempty" doc:"how value added tax stands to the amounts; it changes none of them"`
	Profile     []Expected     `yaml:"profile,omitempty" doc:"what was expected by settlement period, for bands that are shares of it"`
	Settlement  *Booking       `yaml:"settlement,omitempty" doc:"when what is settled is booked, paid, corrected and closed, and who accepts it; without it nothing is booked"`
	Versions    []Version      `yaml:"versions" jsonschema:"minItems=1" doc:"dated sets of clauses, in the order of time; they must not overlap"`

	Upkeep *Upkeep `yaml:"upkeep,omitempty" doc:"what to keep an eye on while the agreement runs: purchase volume, ceiling, options, end; left out: nothing"`

	// File is the name given to ParseTerms; Bytes and SHA256 are the text's length
	// and hash.
	File   string `yaml:"-"`
	SHA256 string `yaml:"-"`
	Bytes  int64  `yaml:"-"`
	// Seals are those of the file beside the terms, nil where there is none.
	Seals *Seals `yaml:"-"`

	standings []standing // of the versions, where there are seals
	doc       *strict.Document
}

// Source is where terms come from.
type Source struct {
	Document string      `yaml:"document" doc:"title of the agreement or decision"`
	Dated    effect.Date `yaml:"dated" doc:"its date"`
}

// Currency is what amounts are in, by its code in ISO 4217. All have hundredths,
// which are called øre here whatever they are called at home. Terms that are
// settled together have one currency: nothing here changes one into another.
type Currency string

// The currencies that terms may have.
const (
	DKK Currency = "DKK"
	SEK Currency = "SEK"
	NOK Currency = "NOK"
	EUR Currency = "EUR"
	GBP Currency = "GBP"
	USD Currency = "USD"
	AUD Currency = "AUD"
)

// Names lists the currencies.
func (Currency) Names() []string {
	return []string{string(DKK), string(SEK), string(NOK), string(EUR), string(GBP), string(USD), string(AUD)}
}

// Unit is how the currency stands after an amount: kr. for Danish kroner, else
// the code.
func (c Currency) Unit() string {
	if c == DKK || c == "" {
		return unitKroner
	}
	return string(c)
}

// unitKroner is the unit of steps in money while lines are made; see
// [settler.settlement], which puts that of the terms in its place.
const unitKroner = "kr."

// OfferPackage is a kind of offer that the agreement buys.
type OfferPackage struct {
	ID          string `yaml:"id" doc:"package_id of the cases"`
	Name        string `yaml:"name" doc:"what people call the package"`
	JobOriented *bool  `yaml:"job_oriented" doc:"whether the package is one of the job-oriented ones"`
}

// Version is a set of clauses in force from a day.
type Version struct {
	ValidFrom effect.Date  `yaml:"valid_from" doc:"first day in force"`
	ValidTo   *effect.Date `yaml:"valid_to,omitempty" doc:"first day no longer in force; left out while it is"`
	// PriceLists stand once, for clauses that take shares of one price.
	PriceLists []PriceList `yaml:"price_lists,omitempty" doc:"prices that several clauses take shares of"`
	Clauses    []Clause    `yaml:"clauses" jsonschema:"minItems=1" doc:"what is paid for"`
	Limits     []Limit     `yaml:"limits,omitempty" doc:"the most that is paid"`
}

// Clause is one thing that is paid for. The same id in two versions is the same
// clause with other words.
type Clause struct {
	ID         string     `yaml:"id" doc:"short name of the clause, of letters, digits, - and _"`
	Section    string     `yaml:"section" doc:"section of the source that says so"`
	Text       string     `yaml:"text" doc:"the clause in a plain sentence"`
	Measure    Measure    `yaml:"measure" doc:"what is counted"`
	Conditions Conditions `yaml:"conditions,omitempty" doc:"for which cases"`
	PayOn      PayOn      `yaml:"pay_on,omitempty" doc:"which figure of an uncertain effect is paid: lower_limit (of its interval; if left out), point, or probability (the point, where an effect is probable enough)"`
	// Probability and Above belong to pay_on probability.
	Probability *Decimal  `yaml:"probability,omitempty" doc:"of pay_on probability: the chance that the true improvement is above the key above must be at least this"`
	Above       *Decimal  `yaml:"above,omitempty" doc:"of pay_on probability: the improvement that is to be probable, in the outcome's unit; 0 if left out"`
	Schedule    Schedule  `yaml:"schedule,omitempty" doc:"what the quantity is worth; a clause has this or a decision"`
	Decision    *Decide   `yaml:"decision,omitempty" doc:"of a score, in place of schedule: what is decided without paying"`
	Gate        *Gate     `yaml:"gate,omitempty" doc:"what must hold before an effect is paid"`
	Negative    Negative  `yaml:"negative,omitempty" doc:"of an effect: counts, where a result that is worse than expected takes something off; left out: it pays nothing"`
	Clawback    *Clawback `yaml:"clawback,omitempty" doc:"of a clause on cases: what is paid for a citizen is taken back when this is reached"`
}

// ParseTerms reads and checks one terms file; the name stands in messages. The
// error is a [*Faults] with every fault found.
//
// Reading is strict: an unknown key, a key given twice and a value of the wrong
// kind are faults, and so are anchors, aliases and tags, so that a reader sees
// each value where it applies.
func ParseTerms(name string, src []byte) (*Terms, error) {
	hash := sha256.Sum256(src)
	t := &Terms{File: name, SHA256: hex.EncodeToString(hash[:]), Bytes: int64(len(src))}
	doc, faults := strict.Decode(name, src, t)
	// Checks of values against each other would only repeat what is wrong with
	// the values themselves.
	if err := faults.Err(); err != nil {
		return nil, err
	}
	t.doc = doc
	c := checker{t: t}
	c.terms()
	if err := c.faults.Err(); err != nil {
		return nil, err
	}
	return t, nil
}

// Known is what a job will know when it settles.
type Known struct {
	Outcomes  map[string]effect.Unit // the outcomes observed, and what each counts
	Methods   []string               // the methods of estimation that can be paid on
	Describe  []string               // methods for description, on which nothing is paid
	Dated     []string               // the outcomes that tell on which days they counted
	Peers     bool                   // whether there are peer municipalities
	ByPackage bool                   // whether packages are estimated one by one
	// Low are the outcomes of which less is better. An effect on one is paid only
	// where the clause says so too.
	Low []string
	// DescribedOutcomes are for description, on which nothing is paid: a relapse is
	// only asked of those who got a job first, whom the treatment itself selects.
	DescribedOutcomes []string
	PlaceboWeeks      int // how many weeks before referral are compared; 0 for none
	// Confidence is that of the intervals; 0 where it is not known, and then it is
	// not checked here but when the terms are settled.
	Confidence float64
}

// placeboWeeks is how long before referral a placebo looks that a gate can
// require: its margin is a share of these weeks.
const placeboWeeks = 26

// Check says, before anything is computed, which of the figures that the terms
// need nobody will know, and what of the known must not be paid on: nil, or a
// [*Faults] with every place. It cannot see
// what only the cases show, such as a price missing for a group.
func (t *Terms) Check(k Known) error {
	faults := t.checkOutcomes(k.Outcomes, k.Dated)
	t.eachClause(func(v, c int, clause *Clause) {
		m, path := &clause.Measure, fmt.Sprintf("versions[%d].clauses[%d].measure", v, c)
		for _, name := range m.Outcomes() {
			if slices.Contains(k.DescribedOutcomes, name) {
				faults.Add(t.doc, path, FaultOutcome, "clause %s pays on the outcome %q, which is for description only: it is asked of those alone who first got what the treatment is to give; pay on another", clause.ID, name)
			}
		}
		if m.Score != nil {
			t.checkEstimates(&faults, k, clause, path)
		}
		if m.Effect == "" {
			return
		}
		if m.Better != Low && slices.Contains(k.Low, m.Effect) {
			faults.Add(t.doc, path+".better", FaultContradiction, "clause %s would pay for more of %q, of which less is better in the run file: say better: low, or let the outcome have better: high there", clause.ID, m.Effect)
		}
		t.checkMethod(&faults, k, clause, m.Method, m.Part, path)
		if k.Confidence != 0 && !m.hasConfidence(k.Confidence) {
			faults.Add(t.doc, path+".confidence", FaultFigure, "clause %s pays on intervals with confidence %s, and the run file has %s: let compare.confidence be %s",
				clause.ID, m.Confidence, text(k.Confidence), m.Confidence)
		}
		if _, asked := clause.Gate.Require[Diagnostic(effect.DiagPlacebo)]; asked && k.PlaceboWeeks != placeboWeeks {
			faults.Add(t.doc, fmt.Sprintf("versions[%d].clauses[%d].gate", v, c), FaultFigure, "clause %s requires the diagnostic placebo, which is about %d weeks before referral, and the run file has %d: let history.placebo be %[2]d", clause.ID, placeboWeeks, k.PlaceboWeeks)
		}
		if t.packagesDiffer(clause) && !k.ByPackage {
			faults.Add(t.doc, path, FaultInseparable, "clause %s treats packages differently, so its effect must be estimated by package: set compare.by_package in the run file", clause.ID)
		}
	})
	return faults.Err()
}

// checkOutcomes looks for the outcomes that the clauses need; dated are those that
// tell on which days they counted.
func (t *Terms) checkOutcomes(units map[string]effect.Unit, dated []string) (faults strict.Gathered) {
	t.eachClause(func(v, c int, clause *Clause) {
		if b := clause.Clawback; b != nil {
			at := fmt.Sprintf("versions[%d].clauses[%d].clawback.reached", v, c)
			switch unit, ok := units[b.Reached]; {
			case !ok:
				faults.Add(t.doc, at, FaultOutcome, "the clawback of clause %s needs the outcome %q, which nobody observes%s",
					clause.ID, b.Reached, strict.Suggest(b.Reached, slices.Sorted(maps.Keys(units))))
			case unit != effect.UnitShare:
				faults.Add(t.doc, at, FaultOutcome, "the clawback of clause %s asks who reached %q, but that outcome is measured in %s and is not reached",
					clause.ID, b.Reached, unit)
			}
		}
		path := fmt.Sprintf("versions[%d].clauses[%d].measure.", v, c)
		for k, name := range clause.Measure.Outcomes() {
			at := path + "reached"
			switch {
			case clause.Measure.Score != nil:
				at = path + clause.Measure.Score.place(name)
			case clause.Measure.Effect != "":
				at = path + "effect"
			case clause.Measure.Sum != "":
				at = path + "sum"
			case k > 0:
				at = fmt.Sprintf("%sor[%d]", path, k-1)
			}
			unit, ok := units[name]
			switch {
			case !ok:
				faults.Add(t.doc, at, FaultOutcome, "clause %s needs the outcome %q, which nobody observes%s",
					clause.ID, name, strict.Suggest(name, slices.Sorted(maps.Keys(units))))
			case clause.Measure.Sum != "" && !summed(unit):
				faults.Add(t.doc, at, FaultOutcome, "clause %s adds up %q, but that outcome is measured in %s: days, weeks, hours and kroner can be added up",
					clause.ID, name, unit)
			case clause.Measure.Sum != "" && needsDates(unit) && !slices.Contains(dated, name):
				faults.Add(t.doc, at, FaultOutcome, "clause %s pays for the single %s of %q as they come, and their days are not kept: let the outcome have dated: true in the run file",
					clause.ID, unit, name)
			case clause.Measure.reaches(name) && unit != effect.UnitShare:
				faults.Add(t.doc, at, FaultOutcome, "clause %s counts who reached %q, but that outcome is measured in %s and is not reached",
					clause.ID, name, unit)
			}
		}
	})
	return faults
}

// packagesDiffer says whether a clause leaves a package out or has different
// prices for two packages.
func (t *Terms) packagesDiffer(c *Clause) bool {
	for i := range t.Packages {
		if !c.Conditions.allow(&t.Packages[i]) {
			return true
		}
	}
	for _, a := range c.Schedule.prices {
		of := a.of(t)
		for i := range t.Packages {
			b, ok := c.Schedule.price(t, of[0], of[1], t.Packages[i].ID)
			if !ok || b != a.Amount {
				return true
			}
		}
	}
	return false
}

// offer returns the package of an id, nil where it is not declared.
func (t *Terms) offer(id string) *OfferPackage {
	for i := range t.Packages {
		if t.Packages[i].ID == id {
			return &t.Packages[i]
		}
	}
	return nil
}

// checker looks for values that contradict each other.
type checker struct {
	t      *Terms
	faults strict.Gathered
}

func (c *checker) fault(path, format string, args ...any) {
	c.faults.Add(c.t.doc, path, FaultContradiction, format, args...)
}

func (c *checker) terms() {
	t := c.t
	if t.Starts >= t.Ends {
		c.fault("ends", "the agreement ends on %s, not after it starts on %s", t.Ends, t.Starts)
	}
	for i, p := range t.Packages {
		if slices.IndexFunc(t.Packages, func(q OfferPackage) bool { return q.ID == p.ID }) < i {
			c.fault(fmt.Sprintf("packages[%d].id", i), "package %q is declared twice", p.ID)
		}
	}
	t.Rounding.checkUnit(c, "rounding")
	t.Indexation.check(c)
	t.VAT.check(c)
	c.profile()
	if t.Settlement != nil && t.Starts < t.Ends {
		t.Settlement.check(c)
	}
	for i := range t.Versions {
		c.version(i)
	}
	c.checkUnless()
	t.Attribution.check(c)
	if t.Upkeep != nil {
		t.Upkeep.check(c, "upkeep")
	}
}

func (c *checker) version(i int) {
	v, path := &c.t.Versions[i], fmt.Sprintf("versions[%d]", i)
	if v.end() <= v.ValidFrom {
		c.fault(path+".valid_to", "the version is valid to %s, not after it is valid from %s", v.ValidTo, v.ValidFrom)
	}
	if i > 0 && v.ValidFrom < c.t.Versions[i-1].end() {
		c.fault(path+".valid_from", "the version begins on %s, while versions[%d] is in force: versions stand in the order of time and do not overlap; give the earlier one a valid_to", v.ValidFrom, i-1)
	}
	for j := range v.Clauses {
		clause, at := &v.Clauses[j], fmt.Sprintf("%s.clauses[%d]", path, j)
		if slices.IndexFunc(v.Clauses, func(q Clause) bool { return q.ID == clause.ID }) < j {
			c.fault(at+".id", "clause %q stands twice in the version", clause.ID)
		}
		if !isName(clause.ID) || slices.Contains(limitClauses(), clause.ID) {
			c.fault(at+".id", "%q is no clause id: use letters, digits, - and _, and none of %s, which name the lines of limits", clause.ID, strings.Join(limitClauses(), ", "))
		}
		clause.Measure.check(c, at, clause)
		clause.checkPay(c, at, v)
		clause.Conditions.check(c, at+".conditions", clause)
		clause.Clawback.check(c, at+".clawback", clause)
		clause.checkNegative(c, at, v)
	}
	c.checkLists(v, path)
	for j := range v.Limits {
		v.Limits[j].check(c, fmt.Sprintf("%s.limits[%d]", path, j), v)
	}
	v.checkFloors(c, path)
}

// isName says whether a text can stand in a line's id.
func isName(s string) bool {
	for _, r := range s {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_':
		default:
			return false
		}
	}
	return s != ""
}
