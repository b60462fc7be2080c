package spec_test

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/bonus/spec"
)

var update = flag.Bool("update", false, "write the golden files of this package")

// golden compares with a file of our own making, or writes it with -update.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	require.Equal(t, read(t, file), got, "if the change is meant, run go test -update")
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	return string(b)
}

func terms(t *testing.T) *bonus.Terms {
	t.Helper()
	out, err := bonus.ParseTerms("terms.yaml", []byte(read(t, "testdata/terms.yaml")))
	require.NoError(t, err)
	return out
}

func run(t *testing.T, file string) []spec.Failure {
	t.Helper()
	s, err := spec.Parse(filepath.Base(file), []byte(read(t, file)))
	require.NoError(t, err)
	require.Equal(t, "terms.yaml", s.Terms)
	failures, err := s.Run(context.Background(), terms(t))
	require.NoError(t, err)
	return failures
}

func TestScenariosThatHold(t *testing.T) {
	require.Empty(t, run(t, "testdata/right.spec.yaml"))
}

// TestScenariosThatFail: every one does, with its place, its sentence and a table.
func TestScenariosThatFail(t *testing.T) {
	failures := run(t, "testdata/wrong.spec.yaml")
	text := ""
	for _, f := range failures {
		text += f.String() + "\n"
	}
	golden(t, "testdata/wrong.txt", text)
	src := read(t, "testdata/wrong.spec.yaml")
	require.Len(t, failures, strings.Count(src, "- it: "), "every scenario fails")
	lines := strings.Split(src, "\n")
	for _, f := range failures {
		require.Equal(t, "- it: "+f.It, strings.TrimSpace(lines[f.Line-1]), "the line of the scenario")
	}
}

// TestOneChangeOfTheTermsBreaksASentence: a spec holds the terms.
func TestOneChangeOfTheTermsBreaksASentence(t *testing.T) {
	s, err := spec.Parse("right.spec.yaml", []byte(read(t, "testdata/right.spec.yaml")))
	require.NoError(t, err)
	for _, edit := range [][2]string{
		{"amount: 4000", "amount: 4000.01"},
		{"amount: 10000}\n            - {match_group: 4", "amount: 10000.01}\n            - {match_group: 4"},
		{"periods: half_year", "periods: year"},
		{"peers: 4", "peers: 3000000"},
		{"pay_on: point", "pay_on: lower_limit"},
		{"acceptance: {role: controller}", "acceptance: {role: auditor}"},
	} {
		src := read(t, "testdata/terms.yaml")
		require.Contains(t, src, edit[0])
		changed, err := bonus.ParseTerms("terms.yaml", []byte(strings.Replace(src, edit[0], edit[1], 1)))
		require.NoError(t, err)
		failures, err := s.Run(context.Background(), changed)
		require.NoError(t, err)
		require.NotEmpty(t, failures, edit[1])
	}
}

func TestFaultsOfASpec(t *testing.T) {
	_, err := spec.Parse("faults.yaml", []byte(read(t, "testdata/faults.yaml")))
	var found *bonus.Faults
	require.ErrorAs(t, err, &found)
	golden(t, "testdata/faults.txt", err.Error()+"\n")
	_, err = spec.Parse("a.yaml", []byte("terms: terms.yaml\nscenarios:\n  - it: works\n    as_of: 2008-12-31\n    given: {cases: [{case: a, referal: 2008-01-01}]}\n    expect: {nothing: true}\n"))
	require.ErrorContains(t, err, `did you mean "referral"`)
}

func TestRunStops(t *testing.T) {
	s, err := spec.Parse("right.spec.yaml", []byte(read(t, "testdata/right.spec.yaml")))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = s.Run(ctx, terms(t))
	require.ErrorIs(t, err, context.Canceled)
	_, err = s.Run(context.Background())
	require.Error(t, err, "without terms there is nothing to run")
}

func TestSchemaIsCurrent(t *testing.T) {
	got, err := spec.Schema()
	require.NoError(t, err)
	golden(t, "spec.schema.json", string(got))
}

// TestWhyOfConditions: the sentences of rules that hang on conditions, limits and
// instalments, with their dates worked out by hand: six months after 2008-02-01 are
// 2008-08-01; week 5 begins 28 days after the referral, on 2008-02-29, and week 10
// ends on 2008-04-10; 30 days after 2008-02-28 are 2008-03-29.
func TestWhyOfConditions(t *testing.T) {
	s, err := spec.Parse("why.spec.yaml", []byte(read(t, "testdata/why.spec.yaml")))
	require.NoError(t, err)
	plain, err := bonus.ParseTerms("why.yaml", []byte(read(t, "testdata/why.yaml")))
	require.NoError(t, err)
	failures, err := s.Run(context.Background(), plain)
	require.NoError(t, err)
	require.Empty(t, failures)
	terms, f, err := s.Facts(0, plain)
	require.NoError(t, err)
	settled, err := bonus.Settle(context.Background(), terms, f)
	require.NoError(t, err)
	got := map[string]string{}
	for _, id := range []string{"early", "late"} {
		e, err := settled.ExplainCase(id)
		require.NoError(t, err)
		e = bonus.NewReasons(terms, f).Why(e)
		for i, c := range e.Clauses {
			require.Equal(t, c.Rule == bonus.RuleCounted, e.Needed[i] == "", "%s: %s", c.Clause, c.Rule)
			got[id+" "+c.Clause] = e.Needed[i]
		}
	}
	for what, want := range map[string]string{
		"late latest":     "the last day on which it counts is 2008-08-01; it was reached on 2008-08-02",
		"early weeks":     "it counts in weeks 5 to 10, from 2008-02-29 to 2008-04-10, counted from the referral on 2008-02-01; it was reached on 2008-02-28",
		"early evidence":  "it was reached on 2008-02-28; a document of kind payslip counts if it is received by 2008-03-29; one was received on 2008-03-30",
		"late evidence":   "it was reached on 2008-08-02; a document of kind payslip counts if it is received by 2008-09-01; none was received by 2008-12-31",
		"early satisfied": "satisfaction is 3.5 for 2008H1, of 30, and must be at least 4, of 20 or more",
		"late satisfied":  "satisfaction is not known for 2008H2, and must be at least 4, of 20 or more",
		"late limited":    "section 8 pays at most 1 (cases) for a provider over the agreement; what counts on an earlier day comes first",
		"late later":      "it counts on 2008-08-02; the first instalment is due on 2009-02-02, after 2008-12-31",
		"early started":   "it counts on the first day of the course; none is known up to 2008-12-31",
	} {
		require.Equal(t, want, got[what], what)
	}
}

// TestWhyOfAttribution: the sentences of rules that hang on a citizen's other cases,
// of the specs of contract models, as their terms have them.
func TestWhyOfAttribution(t *testing.T) {
	for _, x := range []struct {
		name     string
		scenario int
		id, want string
	}{
		{"credit-last", 0, "a1", "section 4 credits the case that was referred last, by the day on which it was reached"},
		{"credit-role", 0, "b", "section 4 credits the case with the role authority that was referred last, by the day on which it was reached"},
		{"across-a", 0, "b", "it counts here on 2020-09-01; section 4 pays for what a citizen reached first under ACROSS-A, ACROSS-B together, and for that alone"},
		{"aalborg-impact60", 7, "second", "it counts here on 2018-01-09, and on 2018-01-07 in another case of the citizen, referred on 2018-01-01 to another provider; a citizen is paid for once"},
	} {
		const folder = "../../testdata/terms/"
		s, err := spec.Parse(x.name, []byte(read(t, folder+x.name+".spec.yaml")))
		require.NoError(t, err)
		var terms []*bonus.Terms
		for _, file := range append([]string{s.Terms}, s.Also...) {
			one, err := bonus.ParseTerms(file, []byte(read(t, folder+file)))
			require.NoError(t, err)
			terms = append(terms, one)
		}
		terms, f, err := s.Facts(x.scenario, terms...)
		require.NoError(t, err)
		settled, err := bonus.Settle(context.Background(), terms, f)
		require.NoError(t, err)
		e, err := settled.ExplainCase(x.id)
		require.NoError(t, err)
		require.Contains(t, bonus.NewReasons(terms, f).Why(e).Needed, x.want, x.name)
	}
}
