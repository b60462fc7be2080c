// Package survival describes how long things take: the chance of still waiting
// (Kaplan-Meier), the chances of having left by each cause (Aalen-Johansen), the
// mean days spent in each state before a horizon, and the log-rank test. It is
// for description beside the effects of package effect, never for payment.
//
// One estimator stands behind all curves. Everybody starts in state 0 on day 0
// and leaves it at most once, to state k by cause k. On a day t with Y at risk
// (weight of those not gone before t, censored on t included) and d_k exits by
// cause k:
//
//	S(t)   = S(t-) (1 - sum_k d_k / Y)      state 0, Kaplan-Meier of any exit
//	F_k(t) = F_k(t-) + S(t-) d_k / Y        state k, Aalen-Johansen
//
// so that the states sum to 1. Where causes compete, 1 - KM with the other
// causes as censorings overstates a cause, and nothing here computes it.
//
// Standard errors are those of the infinitesimal jackknife: the square root of
// the sum over persons of (sum over the person's rows of w dA/dw)^2, A the
// figure and w the row's weight. Without weights and repeated persons that is
// Greenwood's formula for S and its like for F_k exactly; with them it is the
// robust sandwich. Weights are taken as known. Source: kaplanmeier1958,
// aalenjohansen1978, greenwood1926, therneaugrambsch2000.
package survival

import (
	"fmt"
	"math"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/interval"
)

// Data is one row for every case, in columns of equal length. It is read only.
type Data struct {
	// Days is the time seen: whole days from the clock to the exit or, where it was
	// not seen, to the last day of follow-up; 0 to MaxDay. Exits on a day come
	// before the censorings of that day.
	Days []int32
	// Cause says how the time ended: 0 for censored, 1 to Causes for an exit.
	Cause []uint8
	// Causes is the number of causes that are told apart, 1 to MaxCauses.
	Causes int
	// Person says which rows belong together, by any numbers; nil where every row
	// is a person of its own.
	Person []int32
	// Weight is the weight of each row, 0 or more; nil where all are 1. Only ratios
	// matter for estimates and standard errors. Rows of weight 0 are left out.
	Weight []float64
}

// The sizes that are taken.
const (
	MaxDay    = int32(effect.LastDate - effect.FirstDate) // longest time seen, in days
	MaxCauses = 16
)

// Codes of refusals, beside effect.RefusalNoCases, effect.RefusalNotFinite and
// effect.RefusalNoVariation.
const (
	RefusalLengths  = "lengths_differ"
	RefusalDays     = "days_out_of_range"
	RefusalCause    = "unknown_cause"
	RefusalOptions  = "bad_options"
	RefusalState    = "unknown_state"
	RefusalFollowUp = "beyond_follow_up"
	RefusalOneGroup = "one_group"
)

// Scale says on which scale the interval of a probability is symmetric.
type Scale string

// The scales. LogLog is survival's "log-log", exp(-exp(log(-log p) -/+ z
// se/(p log p))), for S and for every F_k on its own probability; it stays within
// 0 and 1. Plain is p -/+ z se, cut off at 0 and 1. Source: borganliestol1990.
const (
	LogLog Scale = "log_log"
	Plain  Scale = "plain"
)

// Options says how limits are made. Start from [DefaultOptions].
type Options struct {
	Confidence float64 // of every interval
	Scale      Scale   // of the intervals of probabilities
}

// DefaultOptions is 95 % confidence on the log-log scale.
func DefaultOptions() Options { return Options{Confidence: 0.95, Scale: LogLog} }

// Figure is an estimate with its standard error and interval. What is not known
// is NaN.
type Figure struct{ Value, SE, Low, High float64 }

func unknown() Figure { return Figure{math.NaN(), math.NaN(), math.NaN(), math.NaN()} }

// probability gives a share its interval. At 0 and 1, and without variation
// between persons, the approximation would call it certain, so there it has none.
func (o Options) probability(value, se float64) Figure {
	f := Figure{value, se, math.NaN(), math.NaN()}
	if !(value > 0 && value < 1) || !(se > 0) {
		return f
	}
	z := interval.Normal(o.Confidence)
	if o.Scale == Plain {
		f.Low, f.High = max(0, value-z*se), min(1, value+z*se)
		return f
	}
	l := math.Log(value)
	half := math.Exp(z * se / (value * -l))
	f.Low, f.High = math.Exp(l*half), math.Exp(l/half)
	return f
}

// Difference is a - b of two independent figures, as restricted mean times or
// chances of two groups without common persons, with standard error
// sqrt(se_a^2 + se_b^2) and the normal interval, which is missing where that is
// 0. All is NaN where a or b is.
func Difference(a, b Figure, confidence float64) Figure {
	return normal(a.Value-b.Value, math.Hypot(a.SE, b.SE), confidence)
}

// normal has no limits without variation: nothing then tells how sure it is.
func normal(value, se, confidence float64) Figure {
	if !(se > 0) {
		return Figure{value, se, math.NaN(), math.NaN()}
	}
	half := interval.Normal(confidence) * se
	return Figure{value, se, value - half, value + half}
}

func (o Options) check() error {
	if !(o.Confidence > 0 && o.Confidence < 1) || o.Scale != LogLog && o.Scale != Plain {
		return &effect.Refusal{Code: RefusalOptions, Why: "the confidence must lie between 0 and 1 and the scale be log_log or plain", Cure: "start from DefaultOptions"}
	}
	return nil
}

// check refuses rows that have no meaning; the first fault found is the one
// that is told, with how many rows have it.
func (d Data) check() error {
	n := len(d.Days)
	switch {
	case n == 0:
		return &effect.Refusal{Code: effect.RefusalNoCases, Why: "there are no cases", Cure: "widen the cohort"}
	case len(d.Cause) != n, d.Person != nil && len(d.Person) != n, d.Weight != nil && len(d.Weight) != n:
		return &effect.Refusal{Code: RefusalLengths, Why: "the columns of the data differ in length", Cure: "give every case a day and a cause, and a person and a weight or none at all"}
	case d.Causes < 1 || d.Causes > MaxCauses:
		return &effect.Refusal{Code: RefusalOptions, Why: fmt.Sprintf("there must be 1 to %d causes", MaxCauses), Cure: "put rare causes together"}
	}
	var days, causes, weights int
	sum := 0.0
	for i, day := range d.Days {
		if day < 0 || day > MaxDay {
			days++
		}
		if int(d.Cause[i]) > d.Causes {
			causes++
		}
		if d.Weight != nil {
			if !(d.Weight[i] >= 0) || math.IsInf(d.Weight[i], 0) {
				weights++
			}
			sum += d.Weight[i]
		}
	}
	switch {
	case days > 0:
		return &effect.Refusal{Code: RefusalDays, Why: fmt.Sprintf("%d cases have a time below 0 or above %d days", days, MaxDay), Cure: "count whole days from the clock"}
	case causes > 0:
		return &effect.Refusal{Code: RefusalCause, Why: fmt.Sprintf("%d cases have a cause above the %d declared", causes, d.Causes), Cure: "declare every cause; 0 is censored"}
	case weights > 0 || math.IsInf(sum, 0):
		return &effect.Refusal{Code: effect.RefusalNotFinite, Why: fmt.Sprintf("%d cases have a weight that is missing, negative or infinite, or the weights have no finite sum", weights), Cure: "give weights of 0 or more"}
	case d.Weight != nil && sum == 0:
		return &effect.Refusal{Code: effect.RefusalNoCases, Why: "every case has weight 0", Cure: "widen the cohort"}
	}
	return nil
}

func (d Data) weight(i int) float64 {
	if d.Weight == nil {
		return 1
	}
	return d.Weight[i]
}
