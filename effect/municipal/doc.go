// Package municipal benchmarks whole municipalities: the share that framework
// conditions would lead one to expect of each ([Expect]), how far the observed
// share lies from an expected one, and each municipality's place by that
// difference ([Rank]).
//
// It is the national practice for shares on benefits. The differences of two
// municipalities are about different citizens, so a place says how a municipality
// does against its own expectation, not that it would do better than another with
// the other's citizens; see [profile.OnTarget]. Nothing here gives a verdict, and
// nothing is paid on it.
//
// Sums run in the order of the municipalities' names, so that the figures do not
// depend on the order of the rows.
package municipal
