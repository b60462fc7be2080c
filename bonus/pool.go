package bonus

// Pool is a fixed amount for each settlement period, divided among all lines of
// the clause in the period in proportion to what the clause measures: a score,
// or a quantity. What is under 0 has no part in it.
//
// The shares are whole in the unit of the rounding and sum to the amount
// exactly: each is rounded down, and what is left over goes, a unit at a time, to
// the largest remainders, ties in the order of the lines' ids. Where nothing is above 0 nothing is
// paid.
type Pool struct {
	Amount Ore `yaml:"amount" doc:"kroner that are divided in each settlement period"`
}
