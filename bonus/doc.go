// Package bonus turns terms into a settlement: what each provider has earned
// under an agreement, to the øre, and why. It reads no files and no clock, and
// sees outcomes and figures, never a person's history.
//
//	terms (YAML) --ParseTerms--> Terms --+
//	                                     +--Settle--> Settlement --Explain--> text
//	outcomes, benchmark, diagnostics ----+
//
// Money is int64 øre ([Ore]) and big.Rat in between, with one rounding where
// the terms put it. Effects enter as the decimals that their tables hold, never
// as float bits. Nothing is paid on a guess: what is missing or ambiguous is an
// error, [*Faults], that lists everything at once.
//
// A clause on cases goes through entries (entry.go): what each case has, who is
// credited, what the limits leave of it; entries then gather into lines. A clause
// on figures makes its lines at once (effects.go).
//
// Where a new part goes: a thing to count in measure.go, what it is worth in
// schedule.go, for which cases in condition.go, when an uncertain figure may be
// paid in gate.go, the most that is paid in limit.go, dates in calendar.go. A
// closed list of names is the Names method of its type.
package bonus
