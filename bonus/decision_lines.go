package bonus

import (
	"cmp"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/interval"
)

func (x *Decide) check(c *checker, path string, clause *Clause) {
	if x.Confidence == nil {
		x.Confidence = &Decimal{defaultConfidence}
	}
	if r := x.Confidence.Rat(); r.Sign() <= 0 || r.Cmp(one()) >= 0 {
		c.fault(path+".confidence", "%s is no confidence: it lies above 0 and under 1", x.Confidence)
	}
	if x.Consecutive != nil && *x.Consecutive < 1 {
		c.fault(path+".consecutive", "%d settlement periods in a row are none: give 1 or more", *x.Consecutive)
	}
	if !x.Lowest && x.Under == nil && x.UnderBestBy == nil {
		c.fault(path, "nothing is asked for, so that every provider would meet it: give lowest, under or under_best_by")
	}
	if x.Unrated != "" && clause.Measure.Score.MinN == nil && clause.Measure.Score.MinMonths == nil {
		c.fault(path+".unrated", "the score leaves nobody unrated: give it min_n or min_months")
	}
	d := x.UnderBestBy
	if d == nil {
		return
	}
	if (d.Points == nil) == (d.Percent == nil) {
		c.fault(path+".under_best_by", "give one of points (in the score's own unit) and percent (of the highest score): the two differ, and what is meant must be agreed")
	}
	for _, key := range []struct {
		name string
		n    *Decimal
	}{{"points", d.Points}, {"percent", d.Percent}} {
		if key.n != nil && (key.n.Rat().Sign() < 0 || key.name == "percent" && key.n.Rat().Cmp(big.NewRat(100, 1)) >= 0) {
			c.fault(path+".under_best_by."+key.name, "%s is no distance under the best", key.n)
		}
	}
}

// periodScores are the scores of a clause in a settlement period.
type periodScores struct {
	x      *scorer
	period effect.Period
	rows   []*scored
}

// under is what a score of the best allows others to come down to.
func (d *Distance) under(best *big.Rat) *big.Rat {
	if d.Points != nil {
		return new(big.Rat).Sub(best, d.Points.Rat())
	}
	part := new(big.Rat).Quo(d.Percent.Rat(), big.NewRat(100, 1))
	return part.Mul(part.Sub(one(), part), best)
}

// decide makes the rows of a decision, whose periods may be in any order.
func (s *settler) decide(history []periodScores) {
	slices.SortFunc(history, func(a, b periodScores) int { return cmp.Compare(a.period.Start, b.period.Start) })
	type run struct {
		since string
		n     int
		end   effect.Date
	}
	runs := map[string]run{}
	for _, h := range history {
		d := h.x.clause.Decision
		next, chance := map[string]run{}, h.chance()
		for i, row := range h.rows {
			out, steps, state := h.judge(i)
			if out.Value != "" {
				out.Chance = chance
			}
			if state == DecisionMet {
				r := runs[row.provider]
				if r.n == 0 || r.end != h.period.Start {
					r = run{since: h.period.Name}
				}
				r.n, r.end = r.n+1, h.period.End
				next[row.provider], out.Since = r, r.since
				need := 1
				if d.Consecutive != nil {
					need = *d.Consecutive
				}
				if need > 1 {
					steps = append(steps, Step{What: fmt.Sprintf("settlement periods in a row, of which %d are asked for", need), Value: fmt.Sprint(r.n), Section: out.Section})
				}
				if r.n < need {
					state = DecisionNotMet
				}
			}
			out.State = state
			for no, step := range append(slices.Clone(row.steps), steps...) {
				step.Line, step.No = out.ID, int64(no+1)
				s.decisionSteps = append(s.decisionSteps, step)
			}
			s.decided = append(s.decided, out)
		}
		runs = next
	}
}

// judge holds one score against what the decision asks for.
func (h *periodScores) judge(i int) (out Decided, steps []Step, state string) {
	x, row := h.x, h.rows[i]
	d, draft := x.clause.Decision, newDraft(x.t, int(x.at.version), int(x.at.index), effect.Cell{Provider: row.provider}, h.period)
	nan := math.NaN()
	out = Decided{
		ID: draft.ID, Agreement: draft.Agreement, Provider: row.provider, Period: h.period.Name, Clause: x.clause.ID, Version: draft.Version,
		Then: d.Then, N: row.n, Rating: int64(row.rating), SE: nan, Low: nan, High: nan, Chance: nan,
		Standing: draft.Standing, Text: x.clause.Text, Section: x.clause.Section,
	}
	step := func(what, value string) {
		steps = append(steps, Step{What: what, Value: value, Section: x.clause.Section})
	}
	if row.value != nil {
		out.Value = exactText(row.value)
	}
	var best, worst *scored
	for _, other := range h.rows {
		if !other.rated() {
			continue
		}
		if best == nil || other.value.Cmp(best.value) > 0 {
			best = other
		}
		if worst == nil || other.value.Cmp(worst.value) < 0 {
			worst = other
		}
		if row.rated() && other.value.Cmp(row.value) > 0 {
			out.Rank++
		}
	}
	if row.rated() {
		out.Rank++
	}
	if best != nil {
		out.Best = best.provider
		step("highest score of a rated provider, "+best.provider, exactText(best.value))
		if row.value != nil {
			difference := new(big.Rat).Sub(row.value, best.value)
			out.Difference = exactText(difference)
			step("difference from it", out.Difference)
			h.uncertain(&out, row, best)
		}
	}
	met := true
	ask := func(what string, holds bool) {
		answer := "no"
		if holds {
			answer = "yes"
		}
		step(what, answer)
		met = met && holds
	}
	if !row.rated() && (d.Unrated != UnratedCounts || row.value == nil && (d.Under != nil || d.UnderBestBy != nil)) {
		step("not rated: "+cmp.Or(row.unrated, "there is no score"), "no")
		return out, steps, DecisionNotRated
	}
	var thresholds []string
	if d.Lowest {
		switch {
		case !row.rated():
			ask("not rated, which counts as the lowest: "+row.unrated, true)
		case row.rating > 0:
			ask("has the lowest rating", row.rating == 1)
		default:
			ask("is the lowest of the rated providers, who are not all equal", row.value.Cmp(worst.value) == 0 && worst.value.Cmp(best.value) < 0)
		}
	}
	if d.Under != nil {
		thresholds = append(thresholds, d.Under.String())
		ask("is under "+d.Under.String(), row.value.Cmp(d.Under.Rat()) < 0)
	}
	if d.UnderBestBy != nil {
		if best == nil {
			ask("lies under the best, of whom there is none", false)
		} else {
			from := d.UnderBestBy.under(best.value)
			thresholds = append(thresholds, exactText(from))
			ask(fmt.Sprintf("lies %s under the best, that is under %s", d.UnderBestBy, exactText(from)), row.value.Cmp(from) < 0)
		}
	}
	out.Threshold = strings.Join(thresholds, "; ")
	if met {
		return out, steps, DecisionMet
	}
	return out, steps, DecisionNotMet
}

// String is the distance in words.
func (d *Distance) String() string {
	if d.Points != nil {
		return "more than " + d.Points.String() + " points"
	}
	return "more than " + d.Percent.String() + " percent of it"
}

// uncertain says how sure the difference of two shares is, by Newcombe's method.
func (h *periodScores) uncertain(out *Decided, row, best *scored) {
	d := h.x.clause.Decision
	if row.sharing == 0 || best.sharing == 0 {
		return
	}
	worth, _ := row.worth.Float64()
	confidence, _ := d.Confidence.Rat().Float64()
	if row != best {
		p, q := row.reached/float64(row.sharing), best.reached/float64(best.sharing)
		out.SE = effect.Round(worth * math.Sqrt(p*(1-p)/float64(row.sharing)+q*(1-q)/float64(best.sharing)))
		_, low, high := interval.Newcombe(row.reached, float64(row.sharing), best.reached, float64(best.sharing), confidence)
		out.Low, out.High = effect.Round(worth*low), effect.Round(worth*high)
	}
}

// chance is how often luck alone brings a provider as far under the best as is
// asked for; NaN where the scores are no shares.
func (h *periodScores) chance() float64 {
	d := h.x.clause.Decision
	if d.UnderBestBy == nil {
		return math.NaN()
	}
	var n []int64
	reached, worth := 0.0, 0.0
	for _, row := range h.rows {
		if !row.rated() {
			continue
		}
		if row.sharing == 0 {
			return math.NaN()
		}
		worth, _ = row.worth.Float64() // the same for all
		n, reached = append(n, row.sharing), reached+row.reached
	}
	return effect.Round(luck(n, reached, func(share float64) float64 {
		if d.UnderBestBy.Points != nil {
			points, _ := d.UnderBestBy.Points.Rat().Float64()
			return share + points/worth
		}
		percent, _ := d.UnderBestBy.Percent.Rat().Float64()
		return share / (1 - percent/100)
	}))
}

// maxLuck is how many terms luck adds up at most.
const maxLuck = 50_000_000

// luck is the chance that the lowest of several shares of n cases lies so far
// under the highest that this is above upTo of the lowest, where each case
// reaches with the same chance, that of all of them together. With X the counts,
//
//	1 - sum over v of [P(all X/n in v to upTo(v)) - P(all X/n above v, to upTo(v))]
//
// over the values v that a lowest share can have. It is NaN for fewer than two
// providers and where there are too many cases to add up, and 0 under a
// billionth.
func luck(n []int64, reached float64, upTo func(float64) float64) float64 {
	total := int64(0)
	for _, x := range n {
		total += x
	}
	if len(n) < 2 || total > maxLuck {
		return math.NaN()
	}
	p := reached / float64(total)
	if !(p > 0 && p < 1) {
		return 0
	}
	type atom struct{ x, n int64 }
	var atoms []atom
	below := make([][]float64, len(n)) // below[i][x] is P(X < x), up to x = n + 1
	for i, size := range n {
		below[i] = make([]float64, size+2)
		whole, _ := math.Lgamma(float64(size + 1))
		// Twelve standard deviations and two cases away nothing is left to add up.
		mean, far := float64(size)*p, 12*math.Sqrt(float64(size)*p*(1-p))+2
		for x := range size + 1 {
			below[i][x+1] = below[i][x]
			if math.Abs(float64(x)-mean) > far {
				continue
			}
			a, _ := math.Lgamma(float64(x + 1))
			b, _ := math.Lgamma(float64(size - x + 1))
			atoms = append(atoms, atom{x, size})
			below[i][x+1] += math.Exp(whole - a - b + float64(x)*math.Log(p) + float64(size-x)*math.Log1p(-p))
		}
	}
	if len(atoms)*len(n) > maxLuck {
		return math.NaN()
	}
	slices.SortFunc(atoms, func(a, b atom) int { return cmp.Compare(a.x*b.n, b.x*a.n) })
	near := 0.0
	for k, v := range atoms {
		if k > 0 && v.x*atoms[k-1].n == atoms[k-1].x*v.n {
			continue // the same share
		}
		high := upTo(float64(v.x) / float64(v.n))
		from, above := 1.0, 1.0
		for i, size := range n {
			// The first count at or above v, the first above it, and the first above high;
			// a share that is just at the limit is not above it.
			at := (v.x*size + v.n - 1) / v.n
			over := v.x*size/v.n + 1
			// Bounded as a float: far above 1 it is no int64.
			end := int64(math.Floor(min(high, 1)*float64(size)+1e-9)) + 1
			from *= below[i][end] - below[i][min(at, end)]
			above *= below[i][end] - below[i][min(over, end)]
		}
		near += from - above
	}
	if chance := 1 - near; chance > 1e-9 {
		return min(chance, 1)
	}
	return 0
}

// explainDecision is everything behind one row of a decision.
func (s *Settlement) explainDecision(id string) (Explanation, bool) {
	i := slices.IndexFunc(s.Decisions, func(d Decided) bool { return d.ID == id })
	if i < 0 {
		return Explanation{}, false
	}
	e := Explanation{Decision: &s.Decisions[i]}
	for _, step := range s.Steps {
		if step.Line == id {
			e.Steps = append(e.Steps, step)
		}
	}
	return e, true
}

// decision is the explanation of a decision as text.
func (e Explanation) decision() string {
	var b strings.Builder
	d := e.Decision
	words := map[string]string{
		DecisionMet: "the provider is " + d.Then, DecisionNotMet: "the provider is not " + d.Then,
		DecisionNotRated: "the provider is not rated, so that nothing is decided",
	}
	fmt.Fprintf(&b, "%s\n%s for %s: %s (%s)\n\n  %s\n  section %s\n", d.ID, d.Provider, d.Period, words[d.State], d.State, d.Text, d.Section)
	if d.Since != "" {
		fmt.Fprintf(&b, "  it has held since %s\n", d.Since)
	}
	if !math.IsNaN(d.SE) {
		fmt.Fprintf(&b, "  the difference from the best has a standard error of %s; its interval goes from %s to %s\n", text(d.SE), text(d.Low), text(d.High))
	}
	if !math.IsNaN(d.Chance) {
		fmt.Fprintf(&b, "  if all had the same true share, some provider would lie that far under the best with a chance of %s\n", text(d.Chance))
	}
	b.WriteString("\nSteps\n")
	table(&b, func(row func(cells ...string)) {
		for _, s := range e.Steps {
			row(fmt.Sprint(s.No), s.What, strings.TrimSpace(s.Value+" "+s.Unit), s.Section)
		}
	})
	return b.String()
}
