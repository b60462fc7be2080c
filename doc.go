// Package jobeffekt answers one question and what is paid on the answer: do the
// providers of employment services get citizens into work, compared with what
// similar citizens achieve elsewhere, and what results bonus has each earned?
//
// A job takes five steps, each of which can start from the table before it:
//
//	Read       ingest   participations, spells and what goes with them, from Parquet or Arrow
//	Observe    effect   what became of each participation: outcomes, covariates, attrition
//	Estimate   effect   each provider's citizens against similar citizens
//	Benchmark  effect   the municipality's part and the provider's part of the difference
//	Settle     bonus    what the terms of the agreement pay on it
//
// [Run] does all of them from a run file into one folder. [Evaluate] does the
// same in memory, on a dataset a service holds, and [Measure], [Estimate],
// [Benchmark] and [Settle] are its steps.
//
// Where to look:
//
//	how is an outcome counted?                 effect.Measure: StateAt, DaysIn, Sustained, TimeTo
//	what is a cell compared with?              effect.Comparators, effect.Design
//	how is an expectation worked out?          effect/balance, effect/strata, effect/regress
//	what would others' methods have said?      effect/matching, effect/weighting, effect/hierarchical
//	how sure is a difference?                  effect.Benchmark, effect/interval
//	which municipalities are comparable?       effect/peer, RecordPeers
//	what do its citizens achieve together?     effect.Views
//	what was to be expected of it?             effect/municipal
//	was it better before?                      effect/beforeafter
//	what did it cost?                          SpendingRows
//	who stands out, and who comes first?       effect/profile
//	how long does it take?                     effect/survival
//	what does it rest on?                      effect.Sensitivity
//	who is taken, who is left, what is gamed?  effect/watch
//	what may a payment depend on?              effect.Diagnostic, bonus.Gate
//	were the terms there before the results?   bonus.Seal, bonus.Acceptance
//	what does a contract pay?                  bonus.Terms, bonus.Settle
//	do terms do what we meant?                 bonus/spec, CheckTerms
//	what would they pay, with no effect?       Simulate
//	what was booked, and what has changed?     bonus/ledger, OpenLedger
//	was it invoiced, paid, documented?         Reconcile, ErrorRates
//	can a provider work it out again?          WritePack, VerifyPack
//	what reached each cell, and no more?       RunCells
//	what if one machine is too small?          Parts, MapParts, Reduce
//	which figures may leave the house?         ReadPublication, effect/disclosure
//	what changed between two runs, and why?    Changes
//	what does a dataset hold?                  Inspect
//	which columns does the input need?         ingest
//	where may the data lie?                    Config.Open, ingest.OpenFS
//	what would the software find if we knew
//	the truth?                                 effect/world
//
// Read in this order: this page, effect (what a figure is), ingest (what comes in), bonus (what
// is paid), then the room of whatever you ask. Every entry point has an example that runs.
package jobeffekt
