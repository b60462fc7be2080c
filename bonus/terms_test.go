package bonus_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/stretchr/testify/require"
)

func TestParseTerms(t *testing.T) {
	src, err := os.ReadFile("testdata/terms.yaml")
	require.NoError(t, err)
	terms := readTerms(t)
	hash := sha256.Sum256(src)
	require.Equal(t, hex.EncodeToString(hash[:]), terms.SHA256)
	require.Equal(t, bonus.Ore(1250050), terms.Versions[0].Clauses[0].Schedule.UnitPrices[2].Amount)
	require.Equal(t, "0.10", terms.Versions[0].Clauses[1].Gate.Require["uncovered_share"].String(), "a threshold is kept as it was written")
}

// What nobody will know is said before anything is computed, with its place.
func TestCheck(t *testing.T) {
	known := bonus.Known{
		Outcomes: map[string]effect.Unit{"sustained_13w": effect.UnitShare, "employed_26w": effect.UnitShare},
		Methods:  []string{"regression"}, Peers: true, ByPackage: true,
	}
	terms := readTerms(t)
	require.NoError(t, terms.Check(known))

	var found *bonus.Faults
	require.ErrorAs(t, terms.Check(bonus.Known{Outcomes: map[string]effect.Unit{"sustained_13": effect.UnitShare, "employed_26w": effect.UnitShare}, Methods: []string{"regresion"}}), &found)
	require.Len(t, found.List, 4, "the outcome of two versions, the method, the packages")
	require.ErrorContains(t, found, `terms.yaml:23:19: versions[0].clauses[0].measure.reached: clause sustained-job needs the outcome "sustained_13w", which nobody observes; did you mean "sustained_13"?`)
	require.ErrorContains(t, found, `clause effect pays on the method "regression", by which nothing is estimated; did you mean "regresion"?`)
	require.ErrorContains(t, found, "set compare.by_package in the run file")

	descriptive := known
	descriptive.Methods, descriptive.Describe = []string{"strata"}, []string{"regression"}
	require.ErrorContains(t, terms.Check(descriptive), `clause effect pays on the method "regression", which is for description only`)

	asking := readTerms(t, gateOfTerms, standardGate+"}")
	require.ErrorContains(t, asking.Check(known), "versions[0].clauses[1].gate: clause effect requires the diagnostic placebo")
	for weeks, ok := range map[int]bool{0: false, 1: false, 13: false, 25: false, 26: true, 27: false, 52: false} {
		known.PlaceboWeeks = weeks
		require.NoError(t, terms.Check(known), "a gate without a placebo")
		if err := asking.Check(known); ok {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, fmt.Sprintf("which is about 26 weeks before referral, and the run file has %d: let history.placebo be 26", weeks))
		}
	}
	known.PlaceboWeeks = 26

	known.Outcomes["sustained_13w"] = effect.UnitDays
	require.ErrorContains(t, terms.Check(known), "is measured in days and is not reached")

	// Without a package that the clause leaves out, and with one price for all
	// packages of a group, effects of all packages together will do.
	known.Outcomes["sustained_13w"], known.ByPackage = effect.UnitShare, false
	alike := readTerms(t, "  - {id: P3, name: Clarification, job_oriented: false}\n", "",
		"            - {match_group: 4, package: P1, amount: \"40000.00\"}\n", "")
	require.NoError(t, alike.Check(known))

	total := readTerms(t, "part: provider", "part: total")
	known.ByPackage, known.Peers = true, false
	require.ErrorContains(t, total.Check(known), "needs peer municipalities")
}

// An effect on an outcome of which less is better pays for worse results unless
// the clause says which way it pays.
func TestCheckOfDirection(t *testing.T) {
	known := bonus.Known{
		Outcomes: map[string]effect.Unit{"sustained_13w": effect.UnitShare, "employed_26w": effect.UnitDays},
		Methods:  []string{"regression"}, ByPackage: true, Low: []string{"sustained_13w", "employed_26w"},
	}
	const measure = "method: regression}"
	low := readTerms(t, measure, "method: regression, better: low}")
	require.NoError(t, low.Check(known), "a clause on reached outcomes has no direction")
	for edit, column := range map[string]string{measure: "9", "method: regression, better: high}": "77"} {
		terms := readTerms(t, measure, edit)
		var found *bonus.Faults
		require.ErrorAs(t, terms.Check(known), &found)
		require.Len(t, found.List, 1)
		require.Equal(t, bonus.FaultContradiction, found.List[0].Code)
		require.ErrorContains(t, found, "terms.yaml:33:"+column+": versions[0].clauses[1].measure.better: clause effect would pay for more of \"employed_26w\", of which less is better in the run file: say better: low")
	}
	known.Low = nil
	require.NoError(t, readTerms(t).Check(known))
	require.NoError(t, low.Check(known))
}

// A relapse is asked only of those whom the treatment gave a job: neither an
// effect on it nor reaching it is paid.
func TestCheckOfDescribedOutcomes(t *testing.T) {
	known := bonus.Known{
		Outcomes: map[string]effect.Unit{"sustained_13w": effect.UnitShare, "employed_26w": effect.UnitShare},
		Methods:  []string{"regression"}, ByPackage: true,
	}
	for outcome, places := range map[string][]string{
		"employed_26w":  {"versions[0].clauses[1].measure"},
		"sustained_13w": {"versions[0].clauses[0].measure", "versions[1].clauses[0].measure"},
	} {
		known.DescribedOutcomes = []string{outcome}
		var found *bonus.Faults
		require.ErrorAs(t, readTerms(t, "method: regression}", "method: regression, better: low}").Check(known), &found)
		require.Len(t, found.List, len(places))
		for _, place := range places {
			require.ErrorContains(t, found, place+": clause ")
		}
		require.ErrorContains(t, found, fmt.Sprintf("pays on the outcome %q, which is for description only", outcome))
	}
}

// Other outcomes beside nothing that is reached are faults, however many there are.
func TestOrWithoutReached(t *testing.T) {
	for _, measure := range []string{"{or: [a, b]}", "{started: true, or: [a]}", "{sum: weeks, or: [a, b, a]}"} {
		_, err := bonus.ParseTerms("t.yaml", []byte(oneClauseText(measure, "{unit_prices: [{amount: 5}]}", "")))
		require.ErrorContains(t, err, "measure.or: or belongs to a reached outcome", measure)
	}
}

// The golden files hold our own messages: they show how faults read.
func TestFaultsInTerms(t *testing.T) {
	for _, name := range []string{"faults", "contradictions", "contradictions_people", "schedules", "scores"} {
		src, err := os.ReadFile("testdata/" + name + ".yaml")
		require.NoError(t, err)
		_, err = bonus.ParseTerms(name+".yaml", src)
		var found *bonus.Faults
		require.ErrorAs(t, err, &found)
		golden(t, "testdata/"+name+".txt", err.Error()+"\n")
	}
}

func TestFilesThatAreNoTerms(t *testing.T) {
	for src, want := range map[string]string{
		"":                               "the file is empty",
		"# nothing":                      "the file is empty",
		"a: b\n---\nc: d":                "2 YAML documents",
		"- a":                            "keys with values belong here",
		"agreement: [":                   "not YAML",
		"a: \"":                          "not YAML",
		strings.Repeat("a", 1<<20) + "a": "more than the 1048576 it may have",
	} {
		_, err := bonus.ParseTerms("terms.yaml", []byte(src))
		require.ErrorContains(t, err, want)
	}
}

// Whatever the bytes, ParseTerms returns; and what it accepts it accepts twice.
func FuzzParseTerms(f *testing.F) {
	for _, name := range []string{"terms", "faults", "contradictions", "contradictions_people", "schedules", "scores"} {
		src, err := os.ReadFile("testdata/" + name + ".yaml")
		require.NoError(f, err)
		f.Add(src)
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		terms, err := bonus.ParseTerms("terms.yaml", src)
		if (terms == nil) == (err == nil) {
			t.Fatal("terms or an error")
		}
		if err == nil {
			_ = terms.Check(bonus.Known{}) // it returns, whatever the terms
		} else if err.Error() == "" {
			t.Fatal("an error says something")
		}
	})
}
