package bonus

import "github.com/jobeffekt/jobeffekt/effect"

// Decide is what a clause decides without paying: that a provider is dropped,
// warned, or whatever its terms say. It is met where everything that is asked for
// holds of the provider's score, at so many settlement periods in a row.
type Decide struct {
	Then        string    `yaml:"then" doc:"what is decided, as dropped or warned"`
	Lowest      bool      `yaml:"lowest,omitempty" doc:"true: the score is the lowest of the rated providers' (all of them where several are equal), or has the lowest rating where the score has ratings"`
	Unrated     Unrated   `yaml:"unrated,omitempty" doc:"counts: a provider that is not rated counts as the lowest, and its score is looked at all the same; if left out, nothing is decided on it"`
	Under       *Decimal  `yaml:"under,omitempty" doc:"the score is under this"`
	UnderBestBy *Distance `yaml:"under_best_by,omitempty" doc:"the score lies more than this under the highest of the rated providers'"`
	Consecutive *int      `yaml:"consecutive,omitempty" doc:"in so many settlement periods in a row; 1 if left out"`
	Confidence  *Decimal  `yaml:"confidence,omitempty" doc:"confidence of the interval printed beside the decision; 0.95 if left out"`
}

// Distance is how far a score lies under another: in points of the score or in
// percent of the other. One must be chosen: in a share of 62 % they differ by a
// third.
type Distance struct {
	Points  *Decimal `yaml:"points,omitempty" doc:"in the score's own unit"`
	Percent *Decimal `yaml:"percent,omitempty" doc:"in percent of the highest score"`
}

// Unrated says how a decision treats a provider that is not rated.
type Unrated string

// UnratedCounts lets a provider that is not rated count as the lowest.
const UnratedCounts Unrated = "counts"

// Names lists how.
func (Unrated) Names() []string { return []string{string(UnratedCounts)} }

// Decided is one provider's row of a decision in a settlement period.
type Decided struct {
	ID         string      `col:"decision" doc:"agreement, provider, period and clause; its steps stand under this name in settlement_steps"`
	Agreement  string      `col:"agreement_id" doc:"agreement"`
	Provider   string      `col:"provider_id" doc:"provider that is decided about"`
	Period     string      `col:"period" doc:"settlement period"`
	Clause     string      `col:"clause" doc:"clause of the terms"`
	Version    effect.Date `col:"version" doc:"first day of the version of the terms that applies"`
	Then       string      `col:"then" doc:"what is decided where the state is met"`
	Value      string      `col:"value" doc:"the score, exactly; empty where there is none"`
	N          int64       `col:"n" doc:"cases behind the score, or the smallest n of its figures; -1 where it is not known"`
	Rank       int64       `col:"rank" doc:"place among the rated providers, 1 for the highest score, equal scores alike; 0 where not rated"`
	Rating     int64       `col:"rating" doc:"rating, 1 for the lowest; 0 where the score has no ratings or is not rated"`
	Threshold  string      `col:"threshold" doc:"what the score was held against: the number it must be under, or the highest score less the distance; empty where neither is asked for"`
	Best       string      `col:"best_provider_id" doc:"rated provider with the highest score, the first of equals by id"`
	Difference string      `col:"difference" doc:"score less the highest score, exactly; empty where either is missing"`
	SE         float64     `col:"se" doc:"standard error of the difference; null where the score is no share or mean of cases"`
	Low        float64     `col:"low" doc:"lower limit of its interval"`
	High       float64     `col:"high" doc:"upper limit of its interval"`
	Chance     float64     `col:"chance" doc:"the chance that some provider would lie as far under the best as is asked for, if all had the same true share; null where it is not known"`
	State      string      `col:"state" doc:"met, not_met or not_rated"`
	Since      string      `col:"since" doc:"first of the settlement periods in a row, up to this one, in which it held; empty where it does not hold"`
	Standing   string      `col:"standing" doc:"whether the terms are sealed"`
	Text       string      `col:"text" doc:"the clause in a plain sentence"`
	Section    string      `col:"section" doc:"section of the source"`
}

// The states of a decision.
const (
	DecisionMet      = "met"
	DecisionNotMet   = "not_met"
	DecisionNotRated = "not_rated"
)
