package effect

import (
	"context"
	"errors"
	"fmt"
)

// Comparators says with whom a cell is compared.
type Comparators string

// The comparators. Whoever they are, the provider itself, the members of its
// consortium wherever they work and every person in the cell are left out of
// them, and match scheme and match group are those of the cell.
const (
	Peers          Comparators = "peers"           // participants in the peer municipalities
	Home           Comparators = "home"            // other providers and own projects in the cell's municipality
	OtherProviders Comparators = "other_providers" // other providers in the cell's municipality
	OwnProjects    Comparators = "own_projects"    // own projects of the cell's municipality
	WithoutOffer   Comparators = "without_offer"   // people on benefit in the cell's municipality without an offer; see [Caseload.Controls]
)

// Names lists the comparators that can be asked for beside peers and home.
func (Comparators) Names() []string {
	return []string{string(OtherProviders), string(OwnProjects), string(WithoutOffer)}
}

// Part says which part of the difference a figure is.
type Part string

// The parts: Provider and Municipality add to Total.
const (
	Total        Part = "total"        // Y(c) - E_peers(c)
	Municipality Part = "municipality" // E_home(c) - E_peers(c)
	Provider     Part = "provider"     // Y(c) - E_home(c)
)

// Verdict is what a committee may be told about a difference.
type Verdict string

// The four verdicts. A verdict makes something probable; it proves nothing.
const (
	Higher       Verdict = "higher_made_probable"
	Lower        Verdict = "lower_made_probable"
	NoDifference Verdict = "no_difference_shown"
	NotRated     Verdict = "not_rated"
)

// Figures are a difference with what is needed to judge it. Unknown numbers are
// NaN (written as null) and come with a Refusal.
type Figures struct {
	N          int64   `col:"n" doc:"cases in the cell with a complete window"`
	Observed   float64 `col:"observed" doc:"mean outcome of those n cases (a share, or days)"`
	NCompared  int64   `col:"n_compared" doc:"cases that have comparators; the figures that follow are about these"`
	Expected   float64 `col:"expected" doc:"what similar citizens achieve among the comparators"`
	Difference float64 `col:"difference" doc:"observed minus expected over the n_compared cases (municipality part: expected at home minus expected at the peers)"`
	SE         float64 `col:"standard_error" doc:"standard error of the difference"`
	DF         float64 `col:"df" doc:"Satterthwaite degrees of freedom of the interval"`
	Low        float64 `col:"low" doc:"lower limit of the interval"`
	High       float64 `col:"high" doc:"upper limit of the interval"`
	Confidence float64 `col:"confidence" doc:"confidence of the interval, 0.95 unless declared"`
	Verdict    Verdict `col:"verdict" doc:"higher_made_probable, lower_made_probable, no_difference_shown or not_rated"`
	Refusal    string  `col:"refusal" doc:"why there is no figure or verdict (a code), empty where there is"`
}

// Estimate is one cell set against one kind of comparators by one method. It is
// a row of the table of estimates.
type Estimate struct {
	Outcome string `col:"outcome" doc:"outcome"`
	Unit    Unit   `col:"unit" doc:"share or days"`
	Cell
	Method      string      `col:"method" doc:"method of estimation"`
	Comparators Comparators `col:"comparators" doc:"peers, home, other_providers, own_projects or without_offer"`
	Support     string      `col:"support" doc:"own: every case with these comparators; common: cases that have both peers and home"`
	Figures
	Certificate

	summed *variance // of a sum of cells, in place of the certificate's
}

// variance is that of the difference.
func (e *Estimate) variance() variance {
	if e.summed != nil {
		return *e.summed
	}
	return e.Certificate.variance()
}

// Certificate says what a figure rests on. It belongs to one estimate.
type Certificate struct {
	Persons        int64   `col:"persons" doc:"persons among the cases compared"`
	NComparators   int64   `col:"n_comparators" doc:"comparator cases, also those whose weight is nearly 0 (see effective_n)"`
	EffectiveN     float64 `col:"effective_n" doc:"effective number of comparators, (sum w)^2 / sum w^2"`
	MaxWeight      float64 `col:"max_weight" doc:"largest share of the comparator weight on one case (or, from aggregated strata, on one case of a stratum)"`
	Municipalities int64   `col:"municipalities" doc:"comparator municipalities that carry weight"`
	VarCell        float64 `col:"var_cell" doc:"variance from the persons of the cell"`
	VarComparators float64 `col:"var_comparators" doc:"variance from the comparator persons"`
	Sigma2B        float64 `col:"sigma2_between" doc:"variance between comparator municipalities after adjustment; null within one municipality"`
	VarPeer        float64 `col:"var_peer" doc:"harmonic mean over the peers of sigma2_between plus the sampling variance of a peer's mean residual: how surely sigma2_between is known; null within one municipality"`
	SumW2          float64 `col:"sum_w2" doc:"sum of squared municipality shares of the comparator weight"`
	Rank           int64   `col:"rank" doc:"rank of the model, or number of strata used"`
	Columns        int64   `col:"columns" doc:"columns of the model before aliased ones were set aside, or number of strata in the cell"`
	MeanSMD        float64 `col:"mean_smd" doc:"worst standardised difference between the cell and its weighted comparators in the covariates used"`
	WorstSMD       float64 `col:"worst_smd" doc:"the same over the covariates, their squares, zeros and pairwise products, whatever the method balanced; null where the comparators are known in aggregate only"`
	WorstTerm      string  `col:"worst_term" doc:"what differs most"`
	VarianceRatio  float64 `col:"variance_ratio" doc:"worst ratio of a number's variances in cell and comparators, turned to be 1 or more"`
	FollowUp       float64 `col:"follow_up" doc:"share of the cell's ended windows whose follow-up is known"`
	FollowUpOut    float64 `col:"follow_up_comparators" doc:"the same of the comparators, by their weights; null where they are known in aggregate only"`
	LeftShare      float64 `col:"left_share" doc:"share of the cell's ended windows lost to death or emigration"`
	NoClockShare   float64 `col:"no_clock_share" doc:"share of the cell's cohort without a day to count from"`
	Dated          float64 `col:"dated_covariates" doc:"share of the covariates used that are dated or fixed; 1 when none is used"`
	Converged      bool    `col:"converged" doc:"the fit reached its tolerance (always true where nothing is iterated)"`
	ScoreNorm      float64 `col:"score_norm" doc:"no imbalance larger than this is left in what was balanced (1e-10 or more), in standard deviations of the comparators; 0 where nothing is iterated"`
	Rung           string  `col:"rung" doc:"classes that are exact beside the match group, as in referral_quarter, sex; empty for the match group alone"`
	Warnings       string  `col:"warnings" doc:"codes of what to know, separated by semicolons"`
}

// BenchmarkRow is one part of one cell's difference from its peers. It is a row
// of the table benchmark, and what an effect clause pays on.
type BenchmarkRow struct {
	Outcome string `col:"outcome" doc:"outcome"`
	Unit    Unit   `col:"unit" doc:"share or days"`
	Cell
	Method string `col:"method" doc:"method of estimation"`
	Part   Part   `col:"part" doc:"total, municipality or provider; the last two add to total"`
	Figures
}

// Diagnostic is one measured fact that a payment can depend on. What it means
// for the payment is judged by the terms.
type Diagnostic struct {
	Outcome string `col:"outcome" doc:"outcome"`
	Cell
	Method string         `col:"method" doc:"method of estimation"`
	Part   Part           `col:"part" doc:"part of the difference the diagnostic is about"`
	Name   DiagnosticName `col:"diagnostic" doc:"what was measured"`
	// Value is NaN when the diagnostic was not evaluated or does not apply.
	Value float64 `col:"value" doc:"measured value; null where not evaluated"`
	// NotApplicable says why the diagnostic has no meaning here, "" otherwise.
	NotApplicable string `col:"not_applicable" doc:"why the diagnostic does not apply, empty otherwise"`
}

// Refusal is the typed answer of a method that has no figure to give. It is
// also what an estimate's Refusal column holds the code of.
type Refusal struct {
	Code string // stable, for tables and tests: no_comparators, separation, ...
	Why  string // one sentence
	Cure string // what to do about it
}

func (r *Refusal) Error() string { return fmt.Sprintf("effect: %s: %s (%s)", r.Code, r.Why, r.Cure) }

// Codes of refusals.
const (
	RefusalNoCases        = "no_cases"
	RefusalFewCases       = "n_below_minimum"
	RefusalNoComparators  = "no_comparators"
	RefusalUncovered      = "too_few_covered"
	RefusalFewPeers       = "fewer_than_4_peers"
	RefusalSeparation     = "separation"
	RefusalNoVariation    = "no_variation"
	RefusalNotFinite      = "not_finite"
	RefusalNotConverged   = "not_converged"
	RefusalNeedsMicro     = "needs_microdata"
	RefusalNoHome         = "no_one_else_at_home"
	RefusalFewComparators = "too_few_comparators"
	RefusalConfounded     = "confounded_with_municipality"
	RefusalNotShare       = "not_a_share"
	RefusalNotAligned     = "not_aligned"
	RefusalTooManyColumns = "too_many_columns"
	RefusalCannotBalance  = "cannot_balance"
)

// AsRefusal returns the refusal in an error's chain.
func AsRefusal(err error) (*Refusal, bool) {
	var r *Refusal
	ok := errors.As(err, &r)
	return r, ok
}

// Method estimates what the citizens of a cell would be expected to achieve
// among their comparators. A method is a value; it holds its options, no state,
// and is safe for concurrent use. It returns a *Refusal when it has no figure
// to give, and never changes the comparison.
type Method interface {
	// Name is the method's name in run files, terms and tables.
	Name() string
	// Uses lists the covariates the method adjusts for.
	Uses() []string
	// Expect returns the expectation of the comparison's cell.
	Expect(ctx context.Context, c *Comparison) (Expectation, error)
}

// Expectation is a method's answer. Every method here is, or is linearised to,
// a weighted sum over the comparators: Expected changes by w_i when the outcome
// of comparator i changes by one. From the weights w and the residuals
// r = Y - fitted follow all variances, so that methods share one interval.
type Expectation struct {
	// Covered says which cases of the cell have comparators; nil means all.
	// Observed and Expected are means over the covered.
	Covered            []bool
	N                  int
	Observed, Expected float64
	VarCell            float64 // of the mean residual of the covered cell, clustered on person
	VarComparators     float64 // sum over persons of (sum w r)^2, with small-sample corrections
	Municipalities     []MunicipalityPart
	Comparators        int
	EffectiveN         float64
	MaxWeight          float64
	Rank, Columns      int
	// Visible is the share of the variation between the comparators'
	// municipalities that the adjustment leaves in the residuals: 1 when all
	// municipalities have the same mix of citizens, near 0 when a covariate all but
	// tells the municipality. With d = M b for municipality effects b and mean
	// residuals d, it is the squared length of the centred M over k - 1. 0 is
	// taken as 1, for methods that adjust for nothing.
	Visible   float64
	Converged bool
	// ScoreNorm is what the imbalance left in what was balanced is not larger than, in
	// standard deviations of the comparators; 0 where nothing is iterated.
	ScoreNorm float64
	// Rung names the classes that are exact beside the match group, joined by
	// commas; "" for the match group alone, and for methods without a ladder.
	Rung     string
	Warnings []string
	// Out are the comparators that were used, ascending, and Weights their weights,
	// from which the certificate is worked out again. Nil where some comparators
	// are known in aggregate only. The slices are not changed by anybody.
	Out     []int32
	Weights []float64

	persons           int       // in the covered cell
	balance           imbalance // of the cell and the weighted comparators
	followed          float64   // weighted share of the comparators with known follow-up
	equalIn, equalOut bool      // whether all outcomes of a side are the same
}

// MunicipalityPart is what one municipality's comparators contribute.
type MunicipalityPart struct {
	Municipality string
	N            int
	Weight       float64 // sum of w
	Residual     float64 // sum of w r
	SumSquares   float64 // sum of w^2 r^2
	SumWeights2  float64 // sum of w^2
}
