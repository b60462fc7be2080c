package peer

import (
	"errors"
	"math"
	"slices"
	"strings"

	"github.com/jobeffekt/jobeffekt/effect"
)

// ExpectedCondition stands for the expected share among the conditions of
// [Conditions].
const ExpectedCondition = "expected_share"

// ConditionRow is one framework condition of a municipality and of one of its
// peers. It is a row of the table peer_conditions.
type ConditionRow struct {
	Municipality string  `col:"municipality" doc:"municipality that is compared"`
	Peer         string  `col:"peer" doc:"municipality it is compared with"`
	Condition    string  `col:"condition" doc:"framework condition; expected_share for the expected share, where peers are chosen by it"`
	Value        float64 `col:"value" doc:"value of the municipality"`
	PeerValue    float64 `col:"peer_value" doc:"value of the peer"`
	Difference   float64 `col:"difference" doc:"peer_value less value, in standard deviations (n - 1) over all municipalities of the year"`
}

// Conditions sets every municipality beside its peers, condition by condition in
// the order declared; where they were chosen by it, the expected share comes last.
// The municipalities and options are those that the peers were chosen from. A
// number that is missing, or the same in all municipalities, has no difference
// (NaN). Listed peers have no rows.
func Conditions(all []Municipality, o Options, chosen []Peer) []ConditionRow {
	var out []ConditionRow
	conditions := slices.Clone(o.Conditions)
	values := make([]func(Municipality) float64, len(conditions))
	for j := range conditions {
		values[j] = func(m Municipality) float64 {
			if j >= len(m.Values) {
				return math.NaN()
			}
			return m.Values[j]
		}
	}
	if o.By == ExpectedShare {
		conditions = append(conditions, ExpectedCondition)
		values = append(values, func(m Municipality) float64 { return m.Expected })
	}
	t := &table{all: sorted(all)}
	columns, varies := make([]column, len(values)), make([]bool, len(values))
	for j, value := range values {
		columns[j], varies[j] = t.columnOf(value)
	}
	for _, p := range chosen {
		a, hasA := t.find(p.Municipality)
		b, hasB := t.find(p.Peer)
		if p.By == Listed || !hasA || !hasB {
			continue
		}
		for j, value := range values {
			x, y, c := value(t.all[a]), value(t.all[b]), columns[j]
			row := ConditionRow{Municipality: p.Municipality, Peer: p.Peer, Condition: conditions[j], Value: effect.Round(x), PeerValue: effect.Round(y), Difference: math.NaN()}
			if varies[j] {
				row.Difference = effect.Round((y*c.factor - x*c.factor) / c.scale)
			}
			out = append(out, row)
		}
	}
	return out
}

// StabilityRow says how the peers of a municipality change when they are chosen
// without one condition. It is a row of the table peer_stability.
type StabilityRow struct {
	Municipality string  `col:"municipality" doc:"municipality that is compared"`
	LeftOut      string  `col:"left_out" doc:"framework condition without which peers were chosen again"`
	Kept         float64 `col:"kept" doc:"peers that stay; null where there is no choice without the condition"`
	Gained       string  `col:"gained" doc:"peers that come, separated by semicolons"`
	Lost         string  `col:"lost" doc:"peers that go, separated by semicolons"`
	Refusal      string  `col:"refusal" doc:"why there is no choice without the condition (codes), empty where there is"`
}

// Stability chooses again without each condition in turn and compares. again
// chooses without a condition, as [Choose] does: with an error it may return the
// peers of some municipalities, which then count; the others get the codes of the
// refusals in the error. One condition, which cannot be left out, and no condition
// give no rows; nor do listed peers. The rows are sorted by municipality, and go
// by condition as declared. An error of again that holds no refusal ends it.
func Stability(chosen []Peer, conditions []string, again func(leftOut string) ([]Peer, error)) ([]StabilityRow, error) {
	if len(conditions) < 2 || len(chosen) == 0 || chosen[0].By == Listed {
		return nil, nil
	}
	names, before := byMunicipality(chosen)
	out := make([]StabilityRow, 0, len(names)*len(conditions))
	for range names {
		out = append(out, make([]StabilityRow, len(conditions))...)
	}
	for j, condition := range conditions {
		peers, err := again(condition)
		codes := refusals(err)
		if err != nil && codes == "" {
			return nil, err
		}
		_, after := byMunicipality(peers)
		for i, m := range names {
			row := StabilityRow{Municipality: m, LeftOut: condition, Kept: math.NaN()}
			if now, ok := after[m]; ok {
				lost := without(before[m], now)
				row.Kept = float64(len(before[m]) - len(lost))
				row.Gained, row.Lost = strings.Join(without(now, before[m]), ";"), strings.Join(lost, ";")
			} else {
				row.Refusal = codes
			}
			out[i*len(conditions)+j] = row
		}
	}
	return out, nil
}

// byMunicipality gives every municipality its peers, sorted, and lists the
// municipalities in order.
func byMunicipality(peers []Peer) (names []string, of map[string][]string) {
	of = map[string][]string{}
	for _, p := range peers {
		if of[p.Municipality] == nil {
			names = append(names, p.Municipality)
		}
		of[p.Municipality] = append(of[p.Municipality], p.Peer)
	}
	for _, list := range of {
		slices.Sort(list)
	}
	slices.Sort(names)
	return names, of
}

// without is what of a is not in b.
func without(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return slices.Contains(b, s) })
}

// refusals lists the distinct codes of all refusals in an error, as they come.
func refusals(err error) string {
	var codes []string
	var visit func(error)
	visit = func(err error) {
		if r, ok := err.(*effect.Refusal); ok && !slices.Contains(codes, r.Code) {
			codes = append(codes, r.Code)
		}
		switch x := err.(type) {
		case interface{ Unwrap() []error }:
			for _, e := range x.Unwrap() {
				visit(e)
			}
		case interface{ Unwrap() error }:
			visit(errors.Unwrap(err))
		}
	}
	visit(err)
	return strings.Join(codes, ";")
}
