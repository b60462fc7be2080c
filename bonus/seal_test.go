package bonus_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/stretchr/testify/require"
)

// sealed gives terms a file with one seal of a version.
func sealed(t tester, terms *bonus.Terms, s bonus.Seal) *bonus.Terms {
	t.Helper()
	out, err := terms.Sealed("terms.seal.yaml", []byte("agreement: A-1\nseals:\n"+s.Text()))
	require.NoError(t, err)
	return out
}

func seal(t tester, terms *bonus.Terms, version int, on string) bonus.Seal {
	t.Helper()
	s, err := terms.Seal(version, day(on), `N. "N."`, "head of finance")
	require.NoError(t, err)
	return s
}

func codes(warnings []bonus.Warning) (out []string) {
	for _, w := range warnings {
		out = append(out, w.Code)
	}
	return out
}

// The second version is edited, added to, taken away: the first stays sealed. The
// first is edited in what it pays: it does not.
func TestSealHoldsOneVersion(t *testing.T) {
	terms := readTerms(t)
	s := seal(t, terms, 0, "2007-12-31")
	h := sha256.Sum256(terms.Canonical(0, terms.Until(0)))
	require.Equal(t, hex.EncodeToString(h[:]), s.SHA256, "the hash is that of the canonical text")
	require.Equal(t, day("2010-01-01"), s.Until)
	src, err := os.ReadFile("testdata/terms.yaml")
	require.NoError(t, err)
	second := string(src)[strings.Index(string(src), "  - valid_from: 2010-01-01"):]
	third := strings.NewReplacer("2010-01-01", "2011-01-01", "P1", "P4").Replace(second)

	for name, edits := range map[string][]string{
		"as sealed":              {},
		"title":                  {"title: Framework", "title: The framework"},
		"source of an amendment": {"annex 4\", dated: 2007-12-01", "annex 5\", dated: 2009-12-01"},
		"second version edited":  {"amount: 5250.00", "amount: 9999.00"},
		"second version gone":    {second, ""},
		"third version and package": {
			"  - valid_from: 2010-01-01", "  - valid_from: 2010-01-01\n    valid_to: 2011-01-01",
			second, second + third,
			"  - {id: P3,", "  - {id: P4, name: New, job_oriented: true}\n  - {id: P3,",
		},
		"a threshold written otherwise": {"uncovered_share: 0.10", "uncovered_share: 0.1000"},
		"a default written out":         {"        pay_on: lower_limit\n", ""},
		"the way written out":           {"method: regression}", "method: regression, better: high}"},
		"agreement longer":              {"ends: 2012-01-01", "ends: 2014-01-01"}, // the version ends before
		"version shorter":               {"valid_to: 2010-01-01", "valid_to: 2009-07-01"},
	} {
		if name == "third version and package" {
			edits = edits[2:]
			edits[0], edits[1] = second, strings.Replace(second, "2010-01-01", "2010-01-01\n    valid_to: 2011-01-01", 1)+third
		}
		now := sealed(t, readTerms(t, edits...), s)
		ok, why := now.Standing(0)
		require.True(t, ok, "%s: %s", name, why)
		require.Equal(t, "sealed on 2007-12-31 by the head of finance", why)
		if len(now.Versions) > 1 {
			ok, why = now.Standing(1)
			require.False(t, ok)
			require.Equal(t, "the version valid from 2010-01-01 has no seal", why)
		}
	}
	for name, edits := range map[string][]string{
		"price":          {"amount: 5000.00", "amount: 5000.01"},
		"threshold":      {"n: 30", "n: 29"},
		"another gate":   {"dated_covariates: 1}", "dated_covariates: 1, balance: 0.1}"},
		"limit":          {"most: 500000.00", "most: 600000.00"},
		"package":        {"name: Company placement, job_oriented: true", "name: Company placement, job_oriented: false", "            - {match_group: 1, package: P2, amount: 6000}\n", "", "            - {match_group: 1, package: P2, amount: \"20000.00\"}\n", ""},
		"what is paid":   {"pay_on: lower_limit", "pay_on: point"},
		"rounding":       {"mode: half_up", "mode: down"},
		"version longer": {"valid_to: 2010-01-01", "valid_to: 2010-06-01", "valid_from: 2010-01-01", "valid_from: 2010-06-01"},
		"starts earlier": {"starts: 2008-01-01", "starts: 2007-01-01", "valid_from: 2008-01-01", "valid_from: 2008-01-01"},
	} {
		now := sealed(t, readTerms(t, edits...), s)
		ok, why := now.Standing(0)
		require.False(t, ok, name)
		require.NotEmpty(t, why)
		st := settle(t, now, bonus.Facts{Observations: observe(row{id: "1", job: "2008-06-01"})})
		require.Equal(t, []string{bonus.WarnSealTerms}, codes(st.Warnings), name)
		require.Equal(t, bonus.StandingRetrospective, st.Standing())
	}
}

// Anybody can recompute the hash: the text is JSON with sorted keys and without
// blanks, which other tools write alike.
func TestCanonical(t *testing.T) {
	terms := readTerms(t)
	text := terms.Canonical(0, day("2010-01-01"))
	var tree map[string]any
	require.NoError(t, json.Unmarshal(text, &tree))
	again, err := json.Marshal(tree)
	require.NoError(t, err)
	require.Equal(t, string(text), string(again))
	require.Equal(t, "2010-01-01", tree["until"])
	require.NotContains(t, string(text), "Clarification", "a package that the version does not name")
	require.NotContains(t, string(text), "5250")
	require.Contains(t, string(text), `"require":{"dated_covariates":"1","follow_up":"0.95","n":"30","peers":"4","uncovered_share":"0.1"}`)
	require.Contains(t, string(text), `"amount":"12500.50"`)
	standard := readTerms(t, gateOfTerms, standardGate+"}")
	require.Contains(t, string(standard.Canonical(0, day("2010-01-01"))), `"max_weight":"0.05"`, "the thresholds of a standard gate are part of what is sealed")
}

func TestSealTooLate(t *testing.T) {
	terms := readTerms(t)
	for version, on := range map[int]string{0: "2008-01-01", 1: "2010-01-01"} {
		_, err := terms.Seal(version, day(on), "N. N.", "head of finance")
		require.ErrorIs(t, err, bonus.ErrSeal)
		require.ErrorContains(t, err, "comes too late")
		_ = seal(t, terms, version, (day(on) - 1).String())
	}
	// By period, what was referred from the start on can be reached under the
	// second version.
	_, err := readTerms(t, "applies_by: referral", "applies_by: period").Seal(1, day("2009-12-31"), "N. N.", "head of finance")
	require.ErrorContains(t, err, "referrals from 2008-01-01 on can belong")
	_, err = terms.Seal(0, day("2007-01-01"), "", "head of finance")
	require.ErrorIs(t, err, bonus.ErrSeal)

	s := seal(t, terms, 0, "2007-12-31")
	facts := bonus.Facts{Observations: observe(row{id: "1", job: "2008-06-01"})}
	st := settle(t, sealed(t, terms, s), facts)
	require.Empty(t, st.Warnings)
	require.Equal(t, bonus.StandingSealed, st.Lines[0].Standing)
	require.Equal(t, bonus.StandingSealed, st.Standing())
	e, err := st.Explain(st.Lines[0].ID)
	require.NoError(t, err)
	require.Contains(t, e.String(), "(provisional, sealed)")
	require.Contains(t, e.String(), "sealed on 2007-12-31 by the head of finance")

	s.SealedOn = day("2008-01-01")
	st = settle(t, sealed(t, terms, s), facts)
	require.Equal(t, []string{bonus.WarnSealLate}, codes(st.Warnings))
	require.Contains(t, st.Warnings[0].Text, "sealed on 2008-01-01, not before 2008-01-01")
	require.Equal(t, bonus.StandingRetrospective, st.Lines[0].Standing)
	s.Version = day("2009-01-01")
	st = settle(t, sealed(t, terms, s), facts)
	require.Equal(t, []string{bonus.WarnSealVersion}, codes(st.Warnings))
	require.Equal(t, "the version valid from 2008-01-01 has no seal", st.Lines[0].StandingWhy)
}

// A good seal is enough, whatever lies beside it, and what lies beside it is told.
func TestSeveralSeals(t *testing.T) {
	terms := readTerms(t)
	good, bad := seal(t, terms, 0, "2007-12-31"), seal(t, readTerms(t, "n: 30", "n: 10"), 0, "2007-12-01")
	now, err := terms.Sealed("terms.seal.yaml", []byte("agreement: A-1\nseals:\n"+bad.Text()+good.Text()))
	require.NoError(t, err)
	st := settle(t, now, bonus.Facts{Observations: observe(row{id: "1", job: "2008-06-01"}, row{id: "2", job: "2010-06-01", referral: "2010-02-01"})})
	require.Equal(t, bonus.StandingSealed, st.Lines[0].Standing)
	require.Equal(t, []string{bonus.WarnSealTerms}, codes(st.Warnings))
	require.Nil(t, terms.Seals, "the terms that were sealed are as they were")
}

// Where lines stand differently, the whole is retrospective; and a line over two
// versions needs both sealed.
func TestMixedStanding(t *testing.T) {
	terms := readTerms(t)
	facts := bonus.Facts{Observations: observe(row{id: "1", job: "2008-06-01"}, row{id: "2", job: "2010-06-01", referral: "2010-02-01"})}
	facts.Observations.AsOf = day("2010-12-31")
	st := settle(t, sealed(t, terms, seal(t, terms, 0, "2007-12-31")), facts)
	require.Equal(t, []string{bonus.StandingSealed, bonus.StandingRetrospective}, []string{st.Lines[0].Standing, st.Lines[1].Standing})
	require.Equal(t, bonus.StandingRetrospective, st.Standing())
	require.Equal(t, bonus.StandingRetrospective, (&bonus.Settlement{}).Standing())

	src, err := os.ReadFile("testdata/terms.yaml")
	require.NoError(t, err)
	_, clause, _ := strings.Cut(string(src), "      - id: effect\n")
	clause, _, _ = strings.Cut(clause, "    limits:")
	terms = readTerms(t, "amount: 5250.00}\n", "amount: 5250.00}\n      - id: effect\n"+clause)
	b := measured(nil)
	facts = bonus.Facts{Observations: observe(cell200(func(i int, r *row) {
		if i >= 150 {
			r.referral = "2010-03-01"
		}
	})...), Benchmark: []effect.BenchmarkRow{b}, Diagnostics: diagnosed(b, nil)}
	facts.Observations.AsOf = day("2010-12-31")
	both := seal(t, terms, 0, "2007-12-31").Text() + seal(t, terms, 1, "2009-12-31").Text()
	for text, want := range map[string]string{
		both:                                   bonus.StandingSealed,
		seal(t, terms, 1, "2009-12-31").Text(): bonus.StandingRetrospective,
		seal(t, terms, 0, "2007-12-31").Text(): bonus.StandingRetrospective,
	} {
		now, err := terms.Sealed("terms.seal.yaml", []byte("agreement: A-1\nseals:\n"+text))
		require.NoError(t, err)
		require.Equal(t, want, settle(t, now, facts).Lines[0].Standing)
	}
}

// The limits of a period are those of the latest version that began by its first
// day. A version without a seal must not lift them while the lines read sealed.
func TestUnsealedLimits(t *testing.T) {
	facts := bonus.Facts{Observations: observe(
		row{id: "1", job: "2009-12-01"},                         // 2009H2, limits of the first version
		row{id: "2", job: "2010-03-01"},                         // 2010H1, limits of the second, referred under the first
		row{id: "3", job: "2010-03-01", provider: "south"},      // another provider
		row{id: "4", job: "2010-08-01", referral: "2010-02-01"}, // of the second
	)}
	facts.Observations.AsOf = day("2010-12-31")
	const second = "            - {match_group: 1, package: P1, amount: 5250.00}\n"
	standing := func(terms *bonus.Terms, versions ...int) map[string]string {
		t.Helper()
		text := "agreement: A-1\nseals:\n"
		for _, v := range versions {
			text += seal(t, terms, v, []string{"2007-12-14", "2009-12-14"}[v]).Text()
		}
		now, err := terms.Sealed("terms.seal.yaml", []byte(text))
		require.NoError(t, err)
		out := map[string]string{}
		for _, l := range settle(t, now, facts).Lines {
			out[l.Provider+" "+l.Period+" "+l.Clause+"@"+l.Version.String()] = l.Standing + ": " + l.StandingWhy
		}
		return out
	}
	const (
		sealedFirst = bonus.StandingSealed + ": sealed on 2007-12-14 by the head of finance"
		noSeal      = "the version valid from 2010-01-01 has no seal"
		underNoSeal = bonus.StandingRetrospective + ": the limits of the period are those of a version that is not sealed: " + noSeal
	)
	for name, limits := range map[string]string{"lifted": "", "raised": "    limits: [{section: \"9\", per: provider, over: period, most: 900000.00}]\n"} {
		require.Equal(t, map[string]string{
			"north 2009H2 sustained-job@2008-01-01": sealedFirst,
			"north 2010H1 sustained-job@2008-01-01": underNoSeal,
			"south 2010H1 sustained-job@2008-01-01": underNoSeal,
			"north 2010H2 sustained-job@2010-01-01": bonus.StandingRetrospective + ": " + noSeal,
		}, standing(readTerms(t, second, second+limits), 0), name)
	}
	// With a limit that takes something off.
	require.Equal(t, map[string]string{
		"north 2009H2 sustained-job@2008-01-01": sealedFirst,
		"north 2010H1 sustained-job@2008-01-01": underNoSeal,
		"north 2010H1 cap@2010-01-01":           bonus.StandingRetrospective + ": " + noSeal,
		"south 2010H1 sustained-job@2008-01-01": underNoSeal,
		"south 2010H1 cap@2010-01-01":           bonus.StandingRetrospective + ": " + noSeal,
		"north 2010H2 sustained-job@2010-01-01": bonus.StandingRetrospective + ": " + noSeal,
		"north 2010H2 cap@2010-01-01":           bonus.StandingRetrospective + ": " + noSeal,
	}, standing(readTerms(t, second, second+"    limits: [{section: \"9\", per: provider, over: period, most: 100.00}]\n"), 0))
	// Both sealed: all lines keep the seal of their own version.
	require.Equal(t, map[string]string{
		"north 2009H2 sustained-job@2008-01-01": sealedFirst,
		"north 2010H1 sustained-job@2008-01-01": sealedFirst,
		"south 2010H1 sustained-job@2008-01-01": sealedFirst,
		"north 2010H2 sustained-job@2010-01-01": bonus.StandingSealed + ": sealed on 2009-12-14 by the head of finance",
	}, standing(readTerms(t), 0, 1))
	// A version that begins within the period has no say about it.
	require.Equal(t, sealedFirst, standing(readTerms(t, "2010-01-01", "2010-01-02"), 0)["north 2010H1 sustained-job@2008-01-01"])
}

// A version that the terms do not have is an error or nothing, and no panic.
func TestNoSuchVersion(t *testing.T) {
	terms := readTerms(t)
	for _, terms := range []*bonus.Terms{terms, sealed(t, terms, seal(t, terms, 0, "2007-12-31")), readTerms(t, "applies_by: referral", "applies_by: period"), {}} {
		for _, version := range []int{-1, len(terms.Versions), 99} {
			_, err := terms.Seal(version, day("2007-12-31"), "N. N.", "head of finance")
			require.ErrorIs(t, err, bonus.ErrSeal)
			require.ErrorContains(t, err, fmt.Sprintf("none with index %d", version))
			ok, why := terms.Standing(version)
			require.False(t, ok)
			require.Contains(t, why, fmt.Sprintf("none with index %d", version))
			require.Equal(t, effect.NoDate, terms.FirstReferral(version))
			require.Equal(t, effect.NoDate, terms.Until(version))
			require.Nil(t, terms.Canonical(version, day("2010-01-01")))
		}
	}
}

func TestFaultsInSeals(t *testing.T) {
	terms := readTerms(t)
	for src, want := range map[string]string{
		"agreement: A-1\nseals: []\n":                                       "the list is empty",
		"agreement: A-2\nseals:\n" + seal(t, terms, 0, "2007-12-31").Text(): `terms.seal.yaml:1:1: agreement: the seals are of agreement "A-2", and the terms of "A-1"`,
		"agreement: A-1\nseals:\n  - {version: 2008-01-01, until: 2010-01-01, sealed_on: soon, name: N, role: R, sha256: a}\n":       `"soon" is not a date`,
		"agreement: A-1\nseals:\n  - {version: 2008-01-01, until: 2010-01-01, sealed_on: 2007-01-01, name: N, rol: R, sha256: a}\n":  `did you mean "role"?`,
		"agreement: A-1\nseals:\n  - {version: 2008-01-01, until: 2010-01-01, sealed_on: 2007-01-01, name: N, role: R, sha256: a}\n": "terms.seal.yaml:3:87: seals[0].sha256: a hash is 64 digits",
	} {
		_, err := terms.Sealed("terms.seal.yaml", []byte(src))
		var found *bonus.Faults
		require.ErrorAs(t, err, &found)
		require.ErrorContains(t, err, want)
	}
}
