package ledger

import (
	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/effect"
)

// Booking closes one settlement period of an agreement. The rows that belong to it
// follow it.
type Booking struct {
	Row           int64       `col:"row" doc:"number of the row in the ledger"`
	Agreement     string      `col:"agreement_id" doc:"agreement"`
	Currency      string      `col:"currency" doc:"what amounts are in; an ore is a hundredth of it"`
	Period        string      `col:"period" doc:"settlement period that is closed"`
	PeriodEnd     effect.Date `col:"period_end" doc:"last day of the period"`
	AsOf          effect.Date `col:"as_of" doc:"last day that counted in the settlement"`
	CohortFrom    effect.Date `col:"cohort_from" doc:"first day of the referrals that were measured"`
	CohortTo      effect.Date `col:"cohort_to" doc:"last day of the referrals that were measured"`
	BookedOn      effect.Date `col:"booked_on" doc:"day of the booking, as given"`
	PreparedBy    string      `col:"prepared_by" doc:"who proposed what is booked"`
	PreparedRole  string      `col:"prepared_role" doc:"in which role"`
	AcceptedBy    string      `col:"accepted_by" doc:"who accepted it"`
	AcceptedRole  string      `col:"accepted_role" doc:"in the role that the terms name"`
	Accepted      string      `col:"accepted" doc:"hash that was accepted"`
	Content       string      `col:"content" doc:"hash of what is booked under the agreement; of several agreements booked at once, what was accepted is the hash of these"`
	Settlement    string      `col:"settlement" doc:"hash of the settlement up to the period, by which the same inputs are known again"`
	TermsSHA256   string      `col:"terms_sha256" doc:"hash of the terms file"`
	RunFile       string      `col:"run_file" doc:"hash of the run file"`
	Manifest      string      `col:"manifest" doc:"hash of the manifest of the results"`
	Inputs        string      `col:"inputs" doc:"hash of the dataset's files"`
	Corrections   string      `col:"corrections" doc:"what becomes of what a provider owes: set_off or claim"`
	PaymentDue    effect.Date `col:"payment_due" doc:"day by which what is booked is to be paid"`
	ObjectionsTil effect.Date `col:"objections_until" doc:"last day on which the provider can object"`
	Final         effect.Date `col:"final" doc:"last day on which what is booked is corrected"`
	Limitation    effect.Date `col:"limitation" doc:"last day before claims of the period lapse"`
}

// Version is a version of the terms that lines were booked under.
type Version struct {
	Row     int64       `col:"row" doc:"number of the row in the ledger"`
	Booking int64       `col:"booking" doc:"row of the booking"`
	Version effect.Date `col:"version" doc:"first day of the version"`
	Reading string      `col:"reading" doc:"hash of the version as it read"`
}

// The kinds of lines.
const (
	KindBooked     = "booked"     // a line of the period that is closed
	KindCorrection = "correction" // the difference of a line to what was booked before
	KindTooLate    = "too_late"   // a difference after the final closing, or after claims have lapsed: shown, not paid
)

// Line is an amount that was booked, or a difference that came too late to be.
//
// Its key is how later settlements know it again. For a line of counted cases, and
// of a limit, it is the line's id. For an effect it is the id with the first day
// of the referrals that were measured in the place of the period: settled again in
// a later period, the effect on the same citizens replaces what was booked.
type Line struct {
	Row            int64     `col:"row" doc:"number of the row in the ledger"`
	Booking        int64     `col:"booking" doc:"row of the booking"`
	Kind           string    `col:"kind" doc:"booked, correction, or too_late: shown and not paid"`
	Key            string    `col:"key" doc:"by which later settlements know the line again"`
	Line           string    `col:"line" doc:"line of the settlement; of a correction to nothing the line that is corrected"`
	Corrects       string    `col:"corrects" doc:"line that was booked before and is corrected; empty where none was"`
	Provider       string    `col:"provider_id" doc:"provider"`
	Period         string    `col:"period" doc:"settlement period that the line belongs to"`
	Clause         string    `col:"clause" doc:"clause of the terms"`
	Cases          int64     `col:"cases" doc:"cases that count in the line now"`
	UnitPrice      bonus.Ore `col:"unit_price_ore" doc:"price of one, in ore"`
	QuantityBefore string    `col:"quantity_before" doc:"quantity booked before, exactly"`
	Quantity       string    `col:"quantity" doc:"quantity now, exactly"`
	AmountBefore   bonus.Ore `col:"amount_before_ore" doc:"amount booked before, in ore"`
	AmountNow      bonus.Ore `col:"amount_now_ore" doc:"amount now, in ore"`
	Amount         bonus.Ore `col:"amount_ore" doc:"difference, in ore: what is booked, or came too late"`
	Reason         string    `col:"reason" doc:"why nothing is paid, or why it is too late; empty otherwise"`
}

// Case is a case behind a line, or behind the difference that a correction books.
type Case struct {
	Row    int64       `col:"row" doc:"number of the row in the ledger"`
	Line   int64       `col:"line" doc:"row of the line"`
	Case   string      `col:"case_key" doc:"random key of the case"`
	On     effect.Date `col:"on_day" doc:"day of what is counted"`
	Before string      `col:"before" doc:"quantity booked before, exactly; 0 for a case that is added"`
	Now    string      `col:"now" doc:"quantity now, exactly; 0 for a case that is removed"`
}

// Account is what a provider is due by a booking:
//
//	due = opening + lines + corrections
//	    = pay + carried - claimed
type Account struct {
	Row         int64     `col:"row" doc:"number of the row in the ledger"`
	Booking     int64     `col:"booking" doc:"row of the booking"`
	Provider    string    `col:"provider_id" doc:"provider"`
	Opening     bonus.Ore `col:"opening_ore" doc:"carried from the booking before, in ore; not above 0"`
	Lines       bonus.Ore `col:"lines_ore" doc:"sum of the lines of the period, in ore"`
	Corrections bonus.Ore `col:"corrections_ore" doc:"sum of the corrections, in ore"`
	Due         bonus.Ore `col:"due_ore" doc:"opening + lines + corrections, in ore"`
	SetOff      bonus.Ore `col:"set_off_ore" doc:"what the provider owed and is taken off what it is due in this booking, in ore"`
	Pay         bonus.Ore `col:"pay_ore" doc:"what is to be paid, in ore: due, if above 0"`
	Carried     bonus.Ore `col:"carried_ore" doc:"what is carried to the next booking, in ore: due, if below 0 and the terms say set_off"`
	Claimed     bonus.Ore `col:"claimed_ore" doc:"what is claimed from the provider, in ore: -due, if below 0 and the terms say claim"`
}

// Balance is what a limit of the terms carries to the next settlement.
type Balance struct {
	Row      int64     `col:"row" doc:"number of the row in the ledger"`
	Booking  int64     `col:"booking" doc:"row of the booking"`
	Provider string    `col:"provider_id" doc:"provider"`
	Amount   bonus.Ore `col:"amount_ore" doc:"what is carried, in ore; negative for what is taken off later"`
}

// Blocked is a line that a gate kept from being paid in a run.
type Blocked struct {
	Row    int64  `col:"row" doc:"number of the row in the ledger"`
	Run    int64  `col:"run" doc:"number of the run"`
	Line   string `col:"line" doc:"line of the settlement"`
	Reason string `col:"reason" doc:"why nothing is paid"`
}

// The outcomes of runs.
const (
	RunSettled  = "settled"  // settled with the ledger named, and nothing asked of it
	RunProposed = "proposed" // proposed for booking
	RunBooked   = "booked"   // accepted and booked
	RunSame     = "nothing_new"
	RunRefused  = "refused"
	RunErased   = "erased" // a case was taken from the table of keys
)

// Run is what became of one run under one agreement. Every run that names the
// ledger leaves one, whatever came of it.
type Run struct {
	Row       int64       `col:"row" doc:"number of the row in the ledger"`
	Run       int64       `col:"run" doc:"number of the run"`
	Outcome   string      `col:"outcome" doc:"settled, proposed, booked, nothing_new (all of it was booked before), refused, or erased (a case was taken from the table of keys)"`
	Agreement string      `col:"agreement_id" doc:"agreement"`
	Period    string      `col:"period" doc:"settlement period"`
	AsOf      effect.Date `col:"as_of" doc:"last day that counted"`
	On        effect.Date `col:"on_day" doc:"day of the run, as given"`
	Name      string      `col:"name" doc:"who ran it"`
	Role      string      `col:"role" doc:"in which role"`
	Content   string      `col:"content" doc:"hash of what was proposed or booked"`
	Inputs    string      `col:"inputs" doc:"hash of the dataset's files"`
	RunFile   string      `col:"run_file" doc:"hash of the run file"`
	Terms     string      `col:"terms_sha256" doc:"hash of the terms file"`
	Manifest  string      `col:"manifest" doc:"hash of the manifest of the results"`
	Nth       int64       `col:"nth" doc:"how many runs there were with the same inputs for the agreement and period, with this one"`
	Blocked   int64       `col:"blocked" doc:"lines of the period that a gate, a missing acceptance or an indicator kept from being paid"`
	Exits     int64       `col:"exits" doc:"cases that a booking took back: by a correction after the day on which they were to be paid, or by a line that takes back by the terms"`
	Why       string      `col:"why" doc:"why it was refused"`
	Rows      int64       `col:"rows" doc:"rows that the run added to the ledger, with this one"`
}
