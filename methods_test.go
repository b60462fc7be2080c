package jobeffekt_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/balance"
)

const balanced = `data: data
out: results
as_of: 2010-06-30
cohort: {period: 2008}
outcomes:
  - {name: a, kind: state_at, states: [ordinary_employment], at: 26 weeks}
compare:
  methods: [balance]
`

func TestBalanceInRunFile(t *testing.T) {
	c, err := jobeffekt.ParseConfig("run.yaml", []byte(balanced+`  covariates: [age, sex]
  max_uncovered: 0.1
  balance:
    ladder: [[{covariate: referral_quarter}, {covariate: income, cuts: [1, 2]}], [{covariate: referral_quarter}]]
    also: [squares, zeros, products]
`))
	require.NoError(t, err)
	quarter := effect.Class{Covariate: "referral_quarter"}
	want := balance.Default("age", "sex")
	want.MaxUncovered = 0.1
	want.Ladder = [][]effect.Class{{quarter, {Covariate: "income", Cuts: []float64{1, 2}}}, {quarter}}
	want.Also = []effect.Term{effect.Squares, effect.Zeros, effect.Products}
	assert.Equal(t, []effect.Method{want}, c.Methods())
	assert.Equal(t, []string{"age", "sex", "income"}, c.IngestOptions().Covariates, "what no history gives is read")
}

// Every fault of the keys of balance comes with its place.
func TestBalanceFaultsInRunFile(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", "balance needs covariates"},
		{"  covariates: [age]\n  balance: {ladder: [[]]}\n", "compare.balance.ladder[0]"},
		{"  covariates: [age]\n  balance: {ladder: [[{covariate: income, cuts: [2, 1]}]]}\n", "compare.balance.ladder[0][0].cuts: cuts must ascend"},
		{"  covariates: [age]\n  balance: {ladder: [[{covariate: sex}, {covariate: age}]]}\n", "compare.balance.ladder[0][1]: age is a number"},
		{"  covariates: [age]\n  balance: {also: [squares, squares]}\n", "compare.balance.also[1]: this term stands twice"},
		{"  covariates: [age]\n  balance: {also: [cubes]}\n", "compare.balance.also[0]"},
	} {
		_, err := jobeffekt.ParseConfig("run.yaml", []byte(balanced+c.text))
		assert.ErrorContains(t, err, c.want)
	}
	other := `  covariates: [age]
  balance: {also: [squares]}
`
	_, err := jobeffekt.ParseConfig("run.yaml", []byte(balanced[:len(balanced)-len("[balance]\n")]+"[regression]\n"+other))
	assert.ErrorContains(t, err, "compare.balance: balance is not among the methods")
}
