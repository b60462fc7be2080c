// Package effect holds the vocabulary of employment effects and their
// arithmetic: dates, states, case histories, outcomes, estimates. It does no
// input or output, knows no money and reads no clock.
//
// The work goes in one direction:
//
//	Cases + spells --Observer--> Observations --Method--> Estimate --Benchmark--> Parts
//
// Cases are participations in columns. An [Observer] takes their persons'
// spells, in any order, and reads off each case's outcomes and the covariates
// that its history holds. A [Comparison] sets one cell (a provider's citizens of
// one match group in one municipality) against its comparators; a [Method] says
// what the cell would be expected to achieve among them; [Benchmark] splits the
// difference into what the municipality and what the provider adds.
//
// # Where to begin
//
// [Cases] and [Spells] are what is known of citizens, [Date] and [State] what it is written
// in. A [Measure] is an outcome; [StateAt], [DaysIn], [Sustained] and [TimeTo] are the plain
// ones. [NewObserver] takes a [Study], which names measures and what is asked of histories,
// and the observer gives [Observations]: one [Result] an outcome, with a reason wherever
// there is no value.
//
// # How a figure comes about
//
// [Estimates] goes through the cells of the observations as a [Design] says, and hands each
// as a [Comparison] to every [Method]. What comes back is an [Expectation], or a [*Refusal]
// with a code and a cure. [Benchmark] makes of the estimates the rows people read: total,
// municipality and provider, each with an interval and a [Verdict].
//
// # What stands beside it
//
// [Diagnostics] is what a payment may depend on, [Sensitivity] the same differences looked
// at in other ways, [Views] citizens seen together in other ways than by provider.
//
// # The rooms
//
// Methods live one family to a folder: balance, strata and regress are paid on; matching,
// weighting and hierarchical describe. Arithmetic that needs no case history has folders of
// its own: interval, peer, profile, survival, municipal, beforeafter, disclosure. watch looks
// for what contracts tempt somebody to do, world simulates citizens whose true effects are
// known, and effecttest holds the laws that every method must pass.
package effect
