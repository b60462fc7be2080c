package effect

// Cases holds participations in columns: a participation is one referral of a
// person to an offer at a provider. Every column has one entry per
// participation, in the order of ID. Cases are read-only once made.
type Cases struct {
	ID           IDs     // participation ids, ascending, distinct
	Person       []int32 // index into Persons
	Persons      IDs     // distinct persons, ascending
	Municipality Factor
	MatchScheme  Factor // which numbering the match group belongs to
	MatchGroup   Factor // frozen at referral
	// Recorded are match scheme and group before a crosswalk; nil where none was
	// declared.
	Recorded   *Recorded
	Provider   Factor // missing for the municipality's own projects
	Agreement  Factor
	Package    Factor // offer package
	Channel    Factor // provider, own or in_house_bid
	Role       Factor // delivery or authority
	Referral   []Date
	Start, End []Date // NoDate where unknown
	Completed  Factor // Yes or No: whether the course ended as planned; missing where unknown
	Covariates []Covariate
	Placebo    *Placebo // nil where it was not asked for
}

// Len is the number of participations.
func (c *Cases) Len() int { return c.ID.Len() }

// Covariate is one characteristic of every case: numbers (NaN is missing) or,
// where Number is nil, names.
type Covariate struct {
	Name   string
	Number []float64
	Factor Factor
	// Dated says that the value was known no later than the referral, or is
	// declared fixed. An effect adjusted by an undated covariate is described
	// but not paid on.
	Dated bool
	// Fixed says that the value is declared fixed, so that it stood so long before
	// the referral too.
	Fixed bool
}

// Placebo is an outcome that no offer can have had an effect on: employment
// before the referral, with the history that came before it. A method that is
// run on it with these covariates must show no difference.
type Placebo struct {
	Weeks int // before referral, 1 or more
	// Value is the portion, from 0 to 1, of the 7 x Weeks days before referral on
	// which the person was in unsupported employment; NaN outside the cohort.
	Value []float64
	// Covariates have the names of the history's numbers, and count the same
	// windows back from the day 7 x Weeks days before referral. NaN outside the
	// cohort.
	Covariates []Covariate
}

// The names of Cases.Completed.
const (
	Yes = "yes"
	No  = "no"
)

// The channels of a participation.
const (
	ChannelProvider   = "provider"
	ChannelOwn        = "own"
	ChannelInHouseBid = "in_house_bid"
)

// Membership is one dated line of the table of providers: what a provider was
// called and which consortium it belonged to in [From, To). A provider is its
// id, never its name.
type Membership struct {
	Provider   string
	Consortium string // "" for none
	Name       string
	From, To   Date // To is NoDate while in force
	InHouse    bool
	Employers  []ID // under which it employs
	// InHouseUnknown says that nobody told whether it is in house; InHouse is then
	// false.
	InHouseUnknown bool
}

// Status is what became of one outcome of one participation.
type Status uint8

// The statuses of an outcome row. Left is death or emigration before the window
// closed; Pending is a window still open and not yet reached.
const (
	Excluded Status = iota
	Reached
	NotReached
	Pending
	Left
)

// String is the status as tables hold it.
func (s Status) String() string {
	return [...]string{"excluded", "reached", "not_reached", "pending", "left"}[s]
}

// ParseStatus reads what String writes.
func ParseStatus(s string) (Status, bool) {
	for i := Excluded; i <= Left; i++ {
		if i.String() == s {
			return i, true
		}
	}
	return Excluded, false
}

// Reason is why a participation is not analysed; NoReason when it is.
type Reason uint8

// The reasons, in the order in which they are applied: the first that holds is
// the one that counts.
const (
	NoReason            Reason = iota
	ReasonOutsidePeriod        // referred outside the cohort's period
	ReasonNotFirst             // the person has an earlier participation under the agreement
	ReasonNotLast              // the person has a later one
	ReasonNoClock              // the outcome's clock (start or end of the course) has no date
	ReasonNoValue              // the number that the outcome is was not given
	ReasonNotAtRisk            // did not reach what a relapse can follow
	ReasonLeft                 // died or emigrated before the window closed
	ReasonPending              // the window is still open at as_of
	numReasons
)

// String is the reason as tables hold it, "" for NoReason.
func (r Reason) String() string {
	return [numReasons]string{"", "outside_period", "not_first", "not_last", "no_clock", "no_value", "not_at_risk", "left", "pending"}[r]
}

// OutsideCohort says whether the participation is none of the cohort's.
func (r Reason) OutsideCohort() bool { return ReasonOutsidePeriod <= r && r <= ReasonNotLast }

// ParseReason reads what String writes.
func ParseReason(s string) (Reason, bool) {
	for r := range numReasons {
		if r.String() == s {
			return r, true
		}
	}
	return NoReason, false
}

// Result is one outcome of every case, in columns in the order of the cases.
type Result struct {
	Outcome string
	Unit    Unit
	Absence bool // reached means being in none of the states: see Measure.Absence
	Status  []Status
	Reason  []Reason
	Value   []float64
	// ReachedOn is the first day on which the outcome was reached, which can be
	// before the window closes; NoDate where it was not.
	ReachedOn []Date
	WindowEnd []Date // clock + the full window
	// Complete marks the cases that an effect may use: the window has ended by
	// as_of and the person was there for all of it.
	Complete []bool
	// Followed says whether the registers can be relied on for the window: the
	// person occurs in them and they reach the window's end.
	Followed []bool
	// Days and Event tell when and how the time of a [Timed] outcome ended; Days is
	// nil for other outcomes. Days are counted from the clock, NoTime for who is not
	// of the cohort or has no clock. Event is "reached", the name of an exit, "dead",
	// or missing for who was censored after that time: abroad, the window still open
	// at as_of, or over without an event.
	Days  []int32
	Event Factor
	// Dates are the days on which the outcome counted; none are kept unless
	// [Outcome.Dated] asks for them.
	Dates Dates
}

// NoTime stands for a missing time of a [Timed] outcome.
const NoTime int32 = -1

// Unit is what the value of an outcome counts.
type Unit string

// UnitShare is 1 for reached and 0 for not: its mean is the share of cases.
// UnitPortion is a part of a whole between 0 and 1, as the part of a window spent
// in work. UnitNumber is a number on the participation's row.
const (
	UnitShare   Unit = "share"
	UnitPortion Unit = "portion"
	UnitDays    Unit = "days"
	UnitWeeks   Unit = "weeks"
	UnitHours   Unit = "hours"
	UnitKroner  Unit = "kroner"
	UnitNumber  Unit = "number"
)

// Observations are cases with what became of them, as of a day.
type Observations struct {
	AsOf    Date
	Period  Period // of the referrals that are measured
	Cases   *Cases
	Results []Result // in the order the outcomes were declared
	// Controls are people on benefit without an offer, observed like the cases; nil
	// where nobody asked for them. See [Caseload.Controls].
	Controls  *Observations
	Attrition []Attrition
	Cells     []CellRow // figures of the cells; none of observations read back from tables
	Signals   *Signals  // nil where they were not asked for
}

// Result returns the result of a named outcome.
func (o *Observations) Result(outcome string) (*Result, bool) {
	for i := range o.Results {
		if o.Results[i].Outcome == outcome {
			return &o.Results[i], true
		}
	}
	return nil, false
}

// Cell names whose effect a figure is: a provider's citizens of one match group
// in one municipality, and of one offer package or, with Package "", of all.
type Cell struct {
	Municipality string `col:"municipality" doc:"municipality responsible at referral"`
	MatchScheme  string `col:"match_scheme" doc:"numbering the match group belongs to"`
	MatchGroup   string `col:"match_group" doc:"match group at referral"`
	Provider     string `col:"provider_id" doc:"provider; (own) for the municipality's own projects"`
	Package      string `col:"package_id" doc:"offer package; empty for all packages together"`
}

// OwnProvider stands in a Cell for the municipality's own projects, which have
// no provider.
const OwnProvider = "(own)"

// The first and the last step of an attrition.
const (
	StepRead     = "read"
	StepAnalysed = "analysed"
)

// Attrition is one line of the attrition table: how many participations of a
// cell a step took out of an outcome's analysis. For each outcome and cell the
// line "read" equals the sum of the others, of which "analysed" is the last.
type Attrition struct {
	Outcome string `col:"outcome" doc:"outcome whose analysis is described"`
	Cell
	Order int64  `col:"step" doc:"order in which the steps are applied; 0 is what was read"`
	Step  string `col:"reason" doc:"read, the reason for leaving, or analysed"`
	N     int64  `col:"n" doc:"participations"`
}
