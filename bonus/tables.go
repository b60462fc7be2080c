package bonus

import (
	"strings"

	"github.com/jobeffekt/jobeffekt/effect"
)

// Settlement is what the terms pay on the facts, as seven tables in a fixed
// order. [Settlement.Explain] and [Settlement.ExplainCase] need nothing else,
// so a settlement read back from its files explains itself.
type Settlement struct {
	Lines   []Line     // by agreement, provider and period; a limit's line comes last in its period
	Entries []Entry    // in the order of the lines, then of days and cases
	Steps   []Step     // in the order of the lines, then of the decisions
	Gate    []GateRow  // in the order of the lines
	Counts  []Count    // by agreement, clause, cell and rule
	Cases   []CaseLine // in the order of the cases, then of the clauses
	// Decisions are about providers, and pay nothing: by agreement, clause, period
	// and provider.
	Decisions []Decided
	// Carried is what providers owe after the last settlement period, by agreement
	// and provider; none that owes nothing. It is nil where no limit carries anything
	// forward.
	Carried []Balance
	// Upkeep is by agreement, of those whose terms have the key upkeep.
	Upkeep []UpkeepRow
	// Warnings say what a reader should know first; they are not an error.
	Warnings []Warning
}

// Line is an amount for a provider in a settlement period: what one clause pays
// for one match group and package (and, for an effect, one municipality), or
// what a limit takes off. Lines sum to what is paid.
type Line struct {
	ID           string      `col:"line" doc:"agreement/provider/period/clause@version/match scheme/match group/package, the municipality for an effect, the band where the clause has bands, and the day of the index factor where one is in force"`
	Agreement    string      `col:"agreement_id" doc:"agreement"`
	Provider     string      `col:"provider_id" doc:"provider who is paid"`
	Period       string      `col:"period" doc:"settlement period"`
	CohortFrom   effect.Date `col:"cohort_from" doc:"first day of the referrals that were measured"`
	CohortTo     effect.Date `col:"cohort_to" doc:"first day after them"`
	Clause       string      `col:"clause" doc:"clause of the terms; cap for what the limit takes off"`
	Version      effect.Date `col:"version" doc:"first day of the version of the terms that applies"`
	Outcome      string      `col:"outcome" doc:"outcome that is paid for"`
	Municipality string      `col:"municipality" doc:"municipality of an effect; empty for a reached outcome, which counts in all"`
	MatchScheme  string      `col:"match_scheme" doc:"numbering the match group belongs to"`
	MatchGroup   string      `col:"match_group" doc:"match group at referral"`
	Package      string      `col:"package_id" doc:"offer package; empty where an effect is about all packages together"`
	Cases        int64       `col:"cases" doc:"cases that count in the line"`
	Quantity     string      `col:"quantity" doc:"how many are paid for, exactly"`
	UnitPrice    Ore         `col:"unit_price_ore" doc:"price of one, in ore, with the index factor in force"`
	Times        string      `col:"times" doc:"what quantity x price is multiplied by, exactly: the clause's share of the price, the factor of its band, and -1 for a penalty; empty where there is no price"`
	VAT          string      `col:"vat" doc:"how value added tax stands to the amount: exempt, excluded or included, and its rate; empty where the terms do not say"`
	Amount       Ore         `col:"amount_ore" doc:"what is paid, in ore"`
	Currency     Currency    `col:"currency" doc:"what amounts are in; an ore is a hundredth of it"`
	Reason       string      `col:"reason" doc:"why nothing is paid (codes separated by semicolons), empty where something is"`
	Standing     string      `col:"standing" doc:"whether the line is booked and its terms sealed"`
	StandingWhy  string      `col:"standing_why" doc:"when and by which role the terms were sealed, or why they, or those with the limits of the period, are not"`
	Text         string      `col:"text" doc:"the clause in a plain sentence"`
	Section      string      `col:"section" doc:"section of the source"`
	Source       string      `col:"source" doc:"document that the terms come from, and its date"`
	TermsSHA256  string      `col:"terms_sha256" doc:"hash of the terms file"`
}

// The reasons for which a line pays nothing. ReasonRefusal and ReasonGate are
// followed by a colon and what refused, or the diagnostics that did not pass.
const (
	ReasonRefusal     = "refusal"         // the method had no figure to give
	ReasonNotRated    = "not_rated"       // the figure may not be told apart from chance: too few cases
	ReasonNoFigure    = "no_figure"       // the figure to be paid on is not a number
	ReasonGate        = "gate"            // required diagnostics did not pass
	ReasonFigure      = RuleFigure        // followed by a colon and the provider's figures outside their limits
	ReasonNoFigures   = RuleFigureMissing // followed by a colon and the provider's figures that nobody knows
	ReasonIndicator   = "indicator"       // followed by a colon and the indicators of gaming above their limits, or not evaluated
	ReasonNotAccepted = "not_accepted"    // the diagnostics were not accepted before the effects were seen
	ReasonUnlikely    = "unlikely"        // the chance of a true difference is under what the terms ask for
	ReasonNotAbove    = "not_above_0"     // the figure paid on is not above 0
	ReasonRounded     = "rounds_to_0"     // what is paid rounds to nothing
	ReasonFree        = "price_is_0"      // the price of one, or the pool, is nothing
	ReasonUnder       = "under_threshold" // the figure is under what it must be at least
	ReasonAllZero     = "all_zero"        // nothing that shares in a pool or an exchange is above 0
	ReasonEven        = "even"            // an exchange gives back exactly what it took
)

// Gated says whether the gate, a missing acceptance, an indicator or a figure about
// the provider keeps the line from being paid.
func (l *Line) Gated() bool {
	return l.Stopped(ReasonGate) || l.Stopped(ReasonNotAccepted) || l.Stopped(ReasonIndicator) || l.Stopped(ReasonFigure) || l.Stopped(ReasonNoFigures)
}

// Stopped says whether the reason, or its part before the colon, is among those
// for which the line pays nothing.
func (l *Line) Stopped(reason string) bool {
	for _, r := range strings.Split(l.Reason, "; ") {
		if code, _, _ := strings.Cut(r, ":"); code == reason {
			return true
		}
	}
	return false
}

// Step is one step from what was counted to what is paid.
type Step struct {
	Line    string `col:"line" doc:"line that the step belongs to"`
	No      int64  `col:"step" doc:"order of the steps, from 1"`
	What    string `col:"what" doc:"what the step does"`
	Value   string `col:"value" doc:"its result, exactly: a decimal or a fraction"`
	Unit    string `col:"unit" doc:"unit of the value"`
	Section string `col:"section" doc:"section of the source, or key of the terms, that asks for the step"`
}

// GateRow is one required diagnostic of a line.
type GateRow struct {
	Line       string                `col:"line" doc:"line that the gate belongs to"`
	Diagnostic effect.DiagnosticName `col:"diagnostic" doc:"what was measured; or holm, acceptance"`
	Measured   float64               `col:"measured" doc:"measured value; null where there is none"`
	Passes     string                `col:"passes" doc:"at_least or at_most the threshold; empty for the acceptance, which is no measurement"`
	Threshold  float64               `col:"threshold" doc:"threshold in the terms"`
	State      GateState             `col:"state" doc:"PASS, FAIL, NOT_EVALUATED or NOT_APPLICABLE"`
	Accepted   bool                  `col:"accepted" doc:"whether the state lets the line be paid"`
	Reason     string                `col:"reason" doc:"why it was not evaluated, does not apply, or was not accepted"`
}

// Count is how many cases of a cell ended by a rule: the attrition table of the
// settlement. For each clause and cell the rules sum to the cases that the
// clause could have been about.
type Count struct {
	Agreement string `col:"agreement_id" doc:"agreement"`
	Clause    string `col:"clause" doc:"clause; empty where no clause applies to the case"`
	effect.Cell
	Rule string `col:"rule" doc:"counted, or the rule by which the cases did not count"`
	N    int64  `col:"n" doc:"cases"`
}

// CaseLine is what became of one case under one clause.
type CaseLine struct {
	Participation string `col:"participation_id" doc:"case"`
	Clause        string `col:"clause" doc:"clause; empty where no clause applies to the case"`
	Rule          string `col:"rule" doc:"counted, or the rule by which the case did not count"`
	Line          string `col:"line" doc:"line that the case counts in; empty where it does not"`
}

// The rules by which a case counts or does not. RuleExcluded is followed by a
// colon and the reason in the table of outcomes.
const (
	RuleCounted            = "counted"
	RuleNotReached         = "not_reached"
	RulePending            = "pending"
	RuleLeft               = "left"
	RuleNotStarted         = "not_started"  // the course has no first day
	RuleNotDue             = "not_due"      // counted, but nothing is due by as_of: no full payment yet, or the first instalment lies ahead
	RuleNotFollowed        = "not_followed" // reached by being in none of the states, which the registers cannot vouch for
	RuleEarlierCase        = "earlier_case" // the citizen's first case under the agreement lies outside the period that is measured
	RuleExcluded           = "excluded"
	RulePackageNotEligible = "package_not_eligible"
	RuleIndicator          = "indicator" // followed by a colon and the indicators of gaming above their limits, or not evaluated
	RuleAlreadyPaid        = "already_paid"
	RuleCreditedToAnother  = "credited_to_another"          // another of the citizen's cases is credited
	RuleOtherAgreement     = "paid_under_another_agreement" // the citizen is paid for there, with which this one counts together
	RuleOtherClause        = "paid_under_another_clause"    // the citizen is paid for once under the agreement
	RuleNoRole             = "no_case_with_role"            // none of the citizen's cases has the role that is credited
	RuleTooLate            = "too_late"                     // after the latest day
	RuleOutsideWeeks       = "outside_weeks"                // in a week that the provider does not answer for
	RuleEvidencePending    = "evidence_pending"             // not received, and still in time
	RuleEvidenceMissing    = "evidence_missing"             // not received in time
	RuleUnless             = "counts_in"                    // followed by a colon and the clause that the citizen counts in instead
	RuleFigure             = "figure"                       // followed by a colon and the provider's figures outside their limits
	RuleFigureMissing      = "figure_missing"               // followed by a colon and the provider's figures that nobody knows
	RuleOverLimit          = "over_limit"                   // a limit leaves nothing
	RuleTakenBack          = "taken_back"                   // paid, and taken back by the clawback
	RuleNoProvider         = "no_provider"
	RuleNoVersion          = "no_version_in_force"
	RuleOutsideAgreement   = "outside_agreement"
)

// Warning is something to know before a settlement is read.
type Warning struct {
	Agreement string `col:"agreement_id" doc:"agreement"`
	Code      string `col:"code" doc:"stable code"`
	Text      string `col:"text" doc:"what it is about and what to do"`
}

// The warnings: under an agreement nothing could be counted by as_of, or it has
// no cases at all, and either way nothing is paid; as_of is not the last day of
// a settlement period, on which alone figures decide. Seals have warnings of
// their own.
const (
	WarnNotSettlementDate = "not_a_settlement_date"
	WarnNothingObserved   = "nothing_observed"
	WarnNoCases           = "no_cases"
)
