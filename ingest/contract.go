package ingest

import (
	"slices"
	"strconv"

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
	wantFloat                 // any number, infinite ones too
	wantBool                  // truth value
	wantCovariate             // number, date (days), truth value (0 and 1) or text
)

func (w want) String() string {
	return [...]string{
		"an identifier (whole number or text)", "text or a whole number", "a state code (text or whole number)",
		"a date (DATE, or a timestamp at midnight)", "a number", "a number", "a truth value",
		"a covariate (number, date, truth value or text)",
	}[w]
}

// accepts says whether values of the class can be read as what is wanted.
func (w want) accepts(c class) bool {
	switch w {
	case wantID, wantText, wantState:
		return c == classInteger || c == classText || c == classNull
	case wantDate:
		return c == classDate || c == classText || c == classNull
	case wantNumber, wantFloat:
		return c == classInteger || c == classNumber || c == classBool || c == classNull
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
	case wantNumber, wantFloat:
		_, err = strconv.ParseFloat(s, 64)
	case wantBool:
		_, err = strconv.ParseBool(s)
	default:
		return s != ""
	}
	return err == nil
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

// contract returns the columns of a table of the data contract that this
// package reads, in their order; nil for any other table.
func contract(table string) []field {
	switch table {
	case Participations:
		return slices.Concat(required(wantID, "participation_id", "person_id"),
			required(wantText, "municipality", "match_scheme", "match_group"), required(wantDate, "referral_date"),
			optional(wantText, "provider_id", "agreement_id", "package_id", "channel", "role"),
			optional(wantDate, "start_date", "end_date"))
	case Spells:
		return slices.Concat(required(wantID, "person_id"), required(wantState, "state"),
			required(wantDate, "start_date"), optional(wantDate, "end_date"))
	case Persons:
		return slices.Concat(required(wantID, "person_id"), optional(wantDate, "valid_from"))
	case Providers:
		return slices.Concat(required(wantText, "provider_id"), required(wantDate, "valid_from"),
			optional(wantDate, "valid_to"), optional(wantText, "name", "consortium_id"), optional(wantBool, "in_house"))
	case Municipalities:
		return slices.Concat(required(wantText, "municipality"), required(wantNumber, "year"), optional(wantText, "name"))
	case PeerStrata:
		return slices.Concat(required(wantText, "municipality", "match_scheme", "match_group", "outcome", "period"),
			required(wantNumber, "n", "sum", "sum_squares"))
	}
	return nil
}

// tables lists the tables of the contract that this package reads, by name.
func tables() []string {
	return []string{Municipalities, Participations, PeerStrata, Persons, Providers, Spells}
}
