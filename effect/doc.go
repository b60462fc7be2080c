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
// Methods live one family to a folder (strata, regress); the arithmetic that
// needs no case history has folders of its own (interval, peer). The folder
// effecttest holds the laws that every method must pass.
package effect
