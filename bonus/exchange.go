package bonus

// Exchange is a straight line from a score to money, added to or taken off what
// a provider has anyway:
//
//	amount = base x withhold x (intercept + slope x score)
//
// and 1 + amount/base is the factor that the base is then paid with. With the
// slope budget_neutral the providers' amounts sum to exactly 0:
//
//	slope = -intercept x sum of base / sum of (base x score)
//
// over the rated providers of the period.
type Exchange struct {
	Base      Operand  `yaml:"base" doc:"kroner that the exchange is a share of: an amount, or the name of a figure"`
	Withhold  *Decimal `yaml:"withhold,omitempty" doc:"share of the base that is at stake; all of it if left out"`
	Intercept *Decimal `yaml:"intercept,omitempty" doc:"where the line begins, as -1 where the share is withheld first; 0 if left out"`
	Slope     Slope    `yaml:"slope" doc:"what a score of 1 adds: a number, or budget_neutral"`
}

// Slope is a number, or [BudgetNeutral].
type Slope string

// BudgetNeutral is the slope with which nothing is left over and nothing is
// missing.
const BudgetNeutral Slope = "budget_neutral"
