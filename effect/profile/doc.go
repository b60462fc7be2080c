// Package profile looks at many cells at once: which of them stand out from
// what chance makes ([Differences], [Shares], [Ratios]), what is left of a
// difference when luck is taken off ([Shrink]), how sure a place in a row is
// ([Ranks]), and how p-values of a family are read together ([Holm],
// [BenjaminiHochberg]). [Rows] does it for the cells of a benchmark, [League]
// for the providers of a municipality on one common target.
//
// A cell of a benchmark is compared with its own expectation: its difference is
// about its own citizens. Two such differences are about different citizens, so
// they are never ranked: [Row] has no rank. Only figures on a common target are,
// see [OnTarget].
//
// Nothing here gives a verdict. Sums run over sorted values, so that the figures
// do not depend on the order of the rows.
package profile
