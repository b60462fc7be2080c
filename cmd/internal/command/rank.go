package command

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/effect/profile"
	"github.com/jobeffekt/jobeffekt/ingest"
)

func newRank() *cobra.Command {
	q := jobeffekt.DefaultRankQuery()
	var p printing
	var better, unit string
	var also []string
	c := &cobra.Command{
		Use:   "rank TABLE",
		Short: "Rank municipalities by observed less expected share, from one table",
		Long: `Reads a Parquet or CSV table with a row for each municipality, sets each observed
share against an expected one, and ranks the municipalities by the difference. The
expected shares are a column (--expected), or worked out from framework conditions by
least squares over all the other municipalities (--conditions). Differences are those
of the numbers as they are printed. Equal differences are in Danish alphabetical order.

Ranks come with intervals where something says how uncertain the differences are:
the regression does, or --n, the population that the shares are of.`,
		Example: `  jobeffekt rank y30r21.csv --municipality kommune --observed observed_pct --expected expected_pct \
    --better low --also observed_n:expected_n:difference_n --difference difference_pp --out ranks.csv
  jobeffekt rank municipalities.parquet --municipality name --year 2007 --observed share --conditions unemployment,unskilled \
    --weight population --better low`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := p.check(args[0]); err != nil {
				return err
			}
			q.Better, q.Unit = profile.Better(better), jobeffekt.ShareUnit(unit)
			switch {
			case q.Municipality == "" || q.Observed == "":
				return usageError{errors.New("--municipality and --observed name the columns of the municipality and of the observed share")}
			case (q.Expected == "") == (len(q.Conditions) == 0):
				return usageError{errors.New("give --expected (a column of expected shares) or --conditions (columns to expect them by), and not both")}
			case q.Better != profile.Low && q.Better != profile.High:
				return usageError{errors.New("--better says which difference has rank 1: low (shares on benefits) or high")}
			case unit != "" && q.Unit != jobeffekt.Percent && q.Unit != jobeffekt.Share:
				return usageError{errors.New("--unit is percent or share")}
			case q.Difference == "":
				return usageError{errors.New("--difference is the name of a column, and not empty")}
			case !confident(q.Confidence):
				return usageError{errConfidence}
			}
			for _, pair := range also {
				names := strings.Split(pair, ":")
				if len(names) == 2 {
					names = append(names, "difference_"+names[0])
				}
				if len(names) != 3 || names[0] == "" || names[1] == "" || names[2] == "" {
					return usageError{fmt.Errorf("--also %q: give OBSERVED:EXPECTED or OBSERVED:EXPECTED:DIFFERENCE", pair)}
				}
				q.Also = append(q.Also, jobeffekt.Also{Observed: names[0], Expected: names[1], Difference: names[2]})
			}
			t, err := ingest.ReadFile(cmd.Context(), args[0], ingest.DefaultLimits())
			if err != nil {
				return err
			}
			ranked, err := jobeffekt.RankTable(t, q)
			if err != nil {
				return err
			}
			if err := p.write(cmd, ranked); err != nil {
				return err
			}
			if ranked.Column("rank_low") == nil {
				fmt.Fprintln(cmd.ErrOrStderr(), "No intervals: nothing says how uncertain the differences are. --n names the population that the shares are of.")
			}
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(&q.Municipality, "municipality", "", "column of the municipality")
	f.StringVar(&q.Observed, "observed", "", "column of the observed share")
	f.StringVar(&q.Expected, "expected", "", "column of the expected share")
	f.StringSliceVar(&q.Conditions, "conditions", nil, "columns of framework conditions to expect the share by, in place of --expected")
	f.StringVar(&q.Weight, "weight", "", "with --conditions: column of the population that municipalities count by; left out: each counts the same")
	f.StringVar(&better, "better", "", "which difference has rank 1: low or high")
	f.StringVar(&q.Year, "year", "", "year or period of the rows that are ranked")
	f.StringVar(&q.YearColumn, "year-column", q.YearColumn, "column of the year")
	f.StringVar(&q.N, "n", "", "column of the population that the share is of; with --expected it gives the intervals")
	f.StringVar(&unit, "unit", "", "unit of the shares, for --n: percent or share; left out: percent if any is above 1")
	f.StringArrayVar(&also, "also", nil, "a further difference, as OBSERVED:EXPECTED or OBSERVED:EXPECTED:DIFFERENCE; may be repeated")
	f.StringVar(&q.Difference, "difference", q.Difference, "name of the difference in the result")
	f.StringArrayVar(&q.Without, "without", nil, "row that is not ranked, as a total for the country; may be repeated")
	f.Float64Var(&q.Confidence, "confidence", q.Confidence, "confidence of the intervals")
	p.add(c)
	return c
}
