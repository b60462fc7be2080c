package effect

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Sensitivity says in which other ways a difference is looked at. Start from
// [DefaultSensitivity].
type Sensitivity struct {
	// Peers leaves out each peer municipality in turn, over the cases that the peers
	// left cover.
	Peers bool
	// Dropouts leaves out those who never started, among the cell's citizens and the
	// comparators alike. Who starts depends on the provider, so that this is no
	// estimate of an effect: it shows how much rests on those who did not.
	Dropouts bool
	// Windows names, for an outcome, others that ask the same over another window.
	Windows map[string][]string
}

// DefaultSensitivity leaves out each peer in turn, and those who never started.
func DefaultSensitivity() Sensitivity { return Sensitivity{Peers: true, Dropouts: true} }

// The ways in which a difference is looked at again.
const (
	VariationMain     = "main"     // as benchmarked, by the first method
	VariationMethod   = "method"   // by another method
	VariationPeer     = "peer"     // without one of the peers
	VariationWindow   = "window"   // over another window
	VariationDropouts = "dropouts" // without those who never started
)

// SensitivityRow is one difference looked at in one way. It is a row of the table
// sensitivity. The row "main" of an outcome, cell and part comes first, and tells
// in words what all the others show.
type SensitivityRow struct {
	Outcome string `col:"outcome" doc:"outcome"`
	Unit    Unit   `col:"unit" doc:"unit of the outcome"`
	Cell
	Part       Part    `col:"part" doc:"total or provider"`
	Variation  string  `col:"variation" doc:"main, method, peer, window or dropouts: what is different"`
	What       string  `col:"what" doc:"the method, the peer left out, or the outcome with the other window"`
	N          int64   `col:"n_compared" doc:"cases that have comparators"`
	Difference float64 `col:"difference" doc:"observed minus expected"`
	Low        float64 `col:"low" doc:"lower limit of the interval"`
	High       float64 `col:"high" doc:"upper limit of the interval"`
	Verdict    Verdict `col:"verdict" doc:"higher_made_probable, lower_made_probable, no_difference_shown or not_rated"`
	Refusal    string  `col:"refusal" doc:"why there is no figure (a code), empty where there is"`
	Words      string  `col:"words" doc:"of the row main: what the band of all rows shows"`
}

// Band looks at every difference of the first of the methods, total and
// provider's part, in other ways: by the other methods, without each peer in
// turn, over other windows, and without dropouts. The benchmark must be that of
// the observations, design and methods. Rows come in the order of the benchmark;
// placebos have none.
func (s Sensitivity) Band(ctx context.Context, obs *Observations, d Design, methods []Method, benchmark []BenchmarkRow) ([]SensitivityRow, error) {
	if len(methods) == 0 {
		return nil, nil
	}
	type key struct {
		outcome, method string
		part            Part
		cell            Cell
	}
	main := methods[0]
	byKey := map[key]*BenchmarkRow{}
	for i := range benchmark {
		b := &benchmark[i]
		byKey[key{b.Outcome, b.Method, b.Part, b.Cell}] = b
	}
	plain := *obs
	cases := *obs.Cases
	cases.Placebo = nil
	plain.Cases = &cases
	d.Also = nil

	// again makes the benchmark anew.
	again := func(obs *Observations, d Design) (map[key]*BenchmarkRow, error) {
		rows, err := Estimates(ctx, obs, d, methods[:1])
		if err != nil {
			return nil, err
		}
		out := map[key]*BenchmarkRow{}
		for _, b := range Benchmark(rows) {
			out[key{b.Outcome, b.Method, b.Part, b.Cell}] = &b
		}
		return out, nil
	}
	var started map[key]*BenchmarkRow
	if s.Dropouts && slices.ContainsFunc(cases.Start, func(d Date) bool { return d != NoDate }) {
		var err error
		if started, err = again(withoutDropouts(&plain), d); err != nil {
			return nil, err
		}
	}
	without := map[string]map[key]*Estimate{}
	if s.Peers {
		all := allPeers(d)
		count, alone := Count(ctx, "leaving out each peer", "peers", int64(len(all))), WithMeter(ctx, nil)
		for _, peer := range all {
			less := d
			less.peersOnly, less.Peers = true, map[string][]string{}
			for m, peers := range d.Peers {
				// Only the municipalities that it is a peer of have another answer.
				if slices.Contains(peers, peer) {
					less.Peers[m] = slices.DeleteFunc(slices.Clone(peers), func(p string) bool { return p == peer })
				}
			}
			rows, err := Estimates(alone, &plain, less, methods[:1])
			if err != nil {
				return nil, err
			}
			count.Add(1)
			without[peer] = map[key]*Estimate{}
			for i, e := range rows {
				without[peer][key{e.Outcome, e.Method, Total, e.Cell}] = &rows[i]
			}
		}
	}
	var out []SensitivityRow
	for i := range benchmark {
		b := &benchmark[i]
		if _, placebo := PlaceboOf(b.Outcome); placebo || b.Method != main.Name() || b.Part == Municipality {
			continue
		}
		first := len(out)
		figures := func(variation, what string, u Unit, f *Figures) {
			out = append(out, SensitivityRow{
				Outcome: benchmark[i].Outcome, Unit: u, Cell: benchmark[i].Cell, Part: benchmark[i].Part, Variation: variation, What: what,
				N: f.NCompared, Difference: f.Difference, Low: f.Low, High: f.High, Verdict: f.Verdict, Refusal: f.Refusal,
			})
		}
		add := func(variation, what string, b *BenchmarkRow) {
			if b != nil {
				figures(variation, what, b.Unit, &b.Figures)
			}
		}
		add(VariationMain, b.Method, b)
		for _, m := range methods[1:] {
			add(VariationMethod, m.Name(), byKey[key{b.Outcome, m.Name(), b.Part, b.Cell}])
		}
		k := key{b.Outcome, b.Method, b.Part, b.Cell}
		if b.Part == Total {
			for _, peer := range d.Peers[b.Municipality] {
				if e := without[peer][k]; e != nil {
					figures(VariationPeer, peer, e.Unit, &e.Figures)
				}
			}
		}
		for _, other := range s.Windows[b.Outcome] {
			add(VariationWindow, other, byKey[key{other, b.Method, b.Part, b.Cell}])
		}
		add(VariationDropouts, "", started[k])
		out[first].Words = bandWords(out[first], out[first+1:])
	}
	return out, nil
}

// allPeers lists the peers of any municipality, once each, in order.
func allPeers(d Design) []string {
	var out []string
	for _, peers := range d.Peers {
		out = append(out, peers...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// withoutDropouts marks the cases that never started as not complete.
func withoutDropouts(obs *Observations) *Observations {
	out := *obs
	out.Results = slices.Clone(obs.Results)
	for k := range out.Results {
		r := &out.Results[k]
		complete := slices.Clone(r.Complete)
		for i := range complete {
			complete[i] = complete[i] && obs.Cases.Start[i] != NoDate
		}
		r.Complete = complete
	}
	return &out
}

// bandWords says in one line what the other ways of looking show. Rows of another
// unit, and those without a figure, have no part in the band.
func bandWords(main SensitivityRow, others []SensitivityRow) string {
	if main.Refusal != "" {
		return "no figure, and so nothing to vary (" + main.Refusal + ")"
	}
	low, high, same, told, refused, cases := main.Difference, main.Difference, 0, 0, 0, 0
	for _, r := range others {
		switch {
		case r.Refusal != "":
			refused++
			continue
		case r.Unit != main.Unit || math.IsNaN(r.Difference):
			continue
		}
		told++
		low, high = min(low, r.Difference), max(high, r.Difference)
		if r.Verdict == main.Verdict {
			same++
		}
		if r.N != main.N {
			cases++
		}
	}
	var b strings.Builder
	if told == 0 {
		b.WriteString("looked at in no other way")
	} else {
		fmt.Fprintf(&b, "difference %s; between %s and %s in %d other ways of looking, of which %d give the same verdict (%s)",
			amount(main.Difference, main.Unit), amount(low, main.Unit), amount(high, main.Unit), told, same, strings.ReplaceAll(string(main.Verdict), "_", " "))
	}
	if cases > 0 {
		fmt.Fprintf(&b, "; %d of them over other cases", cases)
	}
	if refused > 0 {
		fmt.Fprintf(&b, "; no figure in %d", refused)
	}
	return b.String()
}

// amount writes a difference as people read it: shares in percentage points.
func amount(x float64, u Unit) string {
	if u == UnitShare || u == UnitPortion {
		return fmt.Sprintf("%+.1f points", 100*x)
	}
	return fmt.Sprintf("%+.1f %s", x, u)
}
