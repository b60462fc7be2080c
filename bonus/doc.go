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
// on figures makes its lines at once (effect_lines.go, score_lines.go). Limits on
// amounts come last (limit_amounts.go). settle.go holds them together.
//
// Where a part of terms is, and a new one goes, each with its rules in a check:
//
//	what is counted        measure.go, measure_sum.go; effect_lines.go and effect_pay.go; score.go, score_lines.go
//	what it is worth       schedule.go; bands.go, instalments.go, indexation.go, threshold.go, exchange.go, pool.go
//	for which cases        condition.go, figures.go
//	who is credited        attribution.go, clawback.go
//	the most, the least    limit.go; limit_entries.go, limit_amounts.go
//	may it be paid         gate.go, accept.go, seal.go
//	what is decided        decision.go, decision_lines.go
//	dates, bookings, money calendar.go, booking.go, money.go, fraction.go
//	beside the payment     upkeep.go, without_effect.go
//	what is told           explain.go, explain_case.go, explain_effect.go, explain_provider.go; audit.go works lines out again
//
// A closed list of names is the Names method of its type. The rows of all tables
// are in tables.go, but for those of one part alone.
package bonus
