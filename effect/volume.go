package effect

import "math"

// AtVolume says what estimates would be with by times as many citizens of the same
// kind, in the cell and among its comparators: the same difference, and
//
//	variance = (var_cell + var_comparators)/by + sigma2_between (1 + sum_w2)
//
// Counts of persons are multiplied by by and rounded to the nearest, halves away
// from zero, those of municipalities stay as they are, and the largest weight is divided by it.
// Intervals and verdicts follow. How well the covariates balance is taken as it
// was measured, though it would be better with more citizens and worse with fewer. A cell that was refused
// stays so, and one that is left with fewer persons than few is refused with
// [RefusalFewCases], or [RefusalNoCases] without any. by must be above 0 and finite: else every row is refused so.
// The rows are new; estimates that are sums of cells are not for this.
func AtVolume(estimates []Estimate, by float64, few int) []Estimate {
	out := make([]Estimate, len(estimates))
	for i, e := range estimates {
		times := func(n int64) int64 { return int64(math.Round(float64(n) * by)) }
		if !(by > 0) || math.IsInf(by, 0) {
			e.N, e.NComparators = 0, 0
			e.refuse(RefusalNoCases)
			out[i] = e
			continue
		}
		e.N, e.NComparators, e.Persons = times(e.N), times(e.NComparators), times(e.Persons)
		e.EffectiveN *= by
		if e.Refusal == "" {
			e.NCompared = times(e.NCompared)
			switch {
			case e.NCompared == 0 || e.Persons == 0:
				e.refuse(RefusalNoCases)
			case e.Persons < int64(few):
				e.refuse(RefusalFewCases)
			}
		}
		if e.Refusal == "" {
			e.EffectiveN, e.MaxWeight = Round(e.EffectiveN), Round(min(1, e.MaxWeight/by))
			e.VarCell, e.VarComparators = Round(e.VarCell/by), Round(e.VarComparators/by)
			e.VarPeer = Round(e.Sigma2B + (e.VarPeer-e.Sigma2B)/by)
			e.judge(e.Difference, e.variance())
		}
		out[i] = e
	}
	return out
}
