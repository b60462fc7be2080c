package ingest

import (
	"slices"
	"strconv"
	"strings"

	"github.com/jobeffekt/jobeffekt/effect"
)

// want is what a contract column means, whatever its physical type.
type want uint8

const (
	wantID        want = iota // identifier: whole number or text
	wantText                  // name: whole number or text
	wantState                 // state code: whole number or text
	wantDate                  // date, or timestamp at midnight
	wantNumber                // any finite number, or truth value
	wantWhole                 // whole number, of whatever type
	wantFloat                 // any number, infinite ones too
	wantBool                  // truth value
	wantCovariate             // number, date (days), truth value (0 and 1) or text
	wantPeriod                // name that effect.ParsePeriod reads
	wantChannel               // name of a channel of spend
	wantAmount                // number kept as an exact decimal
	wantCode                  // code of a panel: whole number, number or text
	wantDecimal               // number, or text of a decimal, kept as an exact decimal
)

// maxAmount is how long the decimal of an amount may be: what a DECIMAL of 38
// digits needs, with sign and point.
const maxAmount = 40

func (w want) String() string {
	return [...]string{
		"an identifier (whole number or text)", "text or a whole number", "a state code (text or whole number)",
		"a date (DATE, or a timestamp at midnight)", "a number", "a whole number", "a number", "a truth value",
		"a covariate (number, date, truth value or text)", "a period (2008, 2008H1, 2008Q3 or 2008-09)",
		"a channel of spend (" + strings.Join(spendChannels(), ", ") + ")", "an amount (DECIMAL or another number)", "a code (number or text)",
		"a decimal (number, or text such as 0.984)",
	}[w]
}

// accepts says whether values of the class can be read as what is wanted.
func (w want) accepts(c class) bool {
	switch w {
	case wantID, wantText, wantState, wantPeriod, wantChannel:
		return c == classInteger || c == classText || c == classNull
	case wantDate:
		return c == classDate || c == classText || c == classNull
	case wantNumber, wantWhole, wantFloat:
		return c == classInteger || c == classNumber || c == classBool || c == classNull
	case wantAmount:
		return c == classInteger || c == classNumber || c == classNull
	case wantCode, wantDecimal:
		return c == classInteger || c == classNumber || c == classText || c == classNull
	case wantBool:
		return c == classBool || c == classNull
	}
	return c != classOther
}

// parses says whether a constant of the options can be read as what is wanted.
func (w want) parses(s string) bool {
	var err error
	switch w {
	case wantDate:
		_, err = effect.ParseDate(s)
	case wantNumber, wantWhole, wantFloat, wantAmount:
		_, err = strconv.ParseFloat(s, 64)
	case wantBool:
		_, err = strconv.ParseBool(s)
	case wantDecimal:
		_, ok := writtenDecimal(s)
		return ok
	default:
		return s != "" && w.knows(effect.TextID(s))
	}
	return err == nil
}

// knows says whether the contract allows a name there.
func (w want) knows(name effect.ID) bool {
	switch w {
	case wantPeriod:
		_, err := effect.ParsePeriod(name.String())
		return err == nil
	case wantChannel:
		return slices.Contains(spendChannels(), name.String())
	}
	return true
}

func spendChannels() []string {
	return []string{effect.ChannelProvider, effect.ChannelOwn, ChannelOther, ChannelTotal}
}

// field is one column of the contract.
type field struct {
	name     string
	want     want
	required bool // the column has to be there
	nullable bool // although required, it may be null in a row
}

func required(w want, names ...string) []field { return fields(w, true, names) }
func optional(w want, names ...string) []field { return fields(w, false, names) }

func fields(w want, required bool, names []string) []field {
	out := make([]field, len(names))
	for i, name := range names {
		out[i] = field{name: name, want: w, required: required}
	}
	return out
}

// Columns of spells that are read only where the options ask for them.
const (
	hoursColumn    = "hours_per_week"
	amountColumn   = "amount"
	employerColumn = "employer_id"
)

// contract returns the columns of a table of the data contract that this
// package reads, in their order; nil for any other table.
func contract(table string) []field {
	switch table {
	case Participations:
		return slices.Concat(required(wantID, "participation_id", "person_id"),
			required(wantText, "municipality", "match_scheme", "match_group"), required(wantDate, "referral_date"),
			optional(wantText, "provider_id", "agreement_id", "package_id", "channel", "role"),
			optional(wantDate, "start_date", "end_date"), optional(wantBool, "completed"))
	case Spells:
		return slices.Concat(required(wantID, "person_id"), required(wantState, "state"),
			required(wantDate, "start_date"), optional(wantDate, "end_date"),
			optional(wantNumber, hoursColumn, amountColumn), optional(wantID, employerColumn))
	case Persons:
		return slices.Concat(required(wantID, "person_id"), optional(wantDate, "valid_from"))
	case Providers:
		return slices.Concat(required(wantText, "provider_id"), required(wantDate, "valid_from"),
			optional(wantDate, "valid_to"), optional(wantText, "name", "consortium_id"), optional(wantBool, "in_house"),
			optional(wantText, "employer_ids"))
	case Municipalities:
		return slices.Concat(required(wantText, "municipality"), required(wantWhole, "year"), optional(wantText, "name"))
	case PeerStrata:
		return slices.Concat(required(wantText, "municipality", "match_scheme", "match_group", "outcome", "period"),
			required(wantWhole, "n"), required(wantNumber, "sum", "sum_squares"))
	case Caseload:
		return slices.Concat(required(wantID, "person_id"), required(wantText, "municipality", "match_scheme", "match_group"),
			required(wantDate, "start_date"), optional(wantDate, "end_date"))
	case Satisfaction:
		return slices.Concat(required(wantText, "provider_id"), required(wantPeriod, "period"),
			required(wantNumber, "mean"), required(wantWhole, "n"), optional(wantWhole, "invited"))
	case Inspections:
		return slices.Concat(required(wantText, "provider_id"), required(wantDate, "inspected_on"),
			required(wantText, "grade"), optional(wantText, "note"))
	case Experience:
		return slices.Concat(required(wantText, "provider_id"), required(wantPeriod, "period"), required(wantText, "text"))
	case Spend:
		return slices.Concat(required(wantText, "municipality"), required(wantWhole, "year"),
			required(wantChannel, "channel"), required(wantAmount, "amount_dkk"))
	case Figures:
		// A figure without a provider is one of all providers.
		return slices.Concat(required(wantText, "figure"), []field{{name: "provider_id", want: wantText, required: true, nullable: true}}, required(wantPeriod, "period"),
			optional(wantWhole, "n"), required(wantDecimal, "value"))
	case Evidence:
		return slices.Concat(required(wantID, "participation_id"), required(wantText, "kind"), required(wantDate, "received_on"))
	case Invoices, Payments:
		return slices.Concat(required(wantID, "id"), required(wantText, "agreement_id", "provider_id"),
			required(wantPeriod, "period"), required(wantDate, "date"), required(wantAmount, "amount_dkk"))
	}
	return nil
}

// tables lists the tables of the contract, by name.
func tables() []string {
	return []string{
		Caseload, Evidence, Experience, Figures, Inspections, Invoices, Municipalities, Participations, Payments, PeerStrata, Persons,
		Providers, Satisfaction, Spells, Spend,
	}
}
