package bonus_test

import (
	"crypto/sha256"
	"encoding/hex"
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
	require.Equal(t, []bonus.Need{
		{Agreement: "A-1", Clause: "sustained-job", Outcome: "sustained_13w"},
		{Agreement: "A-1", Clause: "effect", Outcome: "employed_26w", Method: "regression", Part: effect.Provider, ByPackage: true},
	}, terms.Needs())
	// Without a package that the clause leaves out, and with one price for all
	// packages of a group, effects of all packages together will do.
	alike := readTerms(t, "  - {id: P3, name: Clarification, job_oriented: false}\n", "",
		"            - {match_group: 4, package: P1, amount: \"40000.00\"}\n", "")
	require.False(t, alike.Needs()[1].ByPackage)
}

// The golden files hold our own messages: they show how faults read.
func TestFaultsInTerms(t *testing.T) {
	for _, name := range []string{"faults", "contradictions"} {
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
	for _, name := range []string{"terms", "faults", "contradictions"} {
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
			terms.Needs()
		} else if err.Error() == "" {
			t.Fatal("an error says something")
		}
	})
}
