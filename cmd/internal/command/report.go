package command

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/cmd/internal/report"
	"github.com/jobeffekt/jobeffekt/cmd/internal/report/words"
)

func newReport() *cobra.Command {
	o := report.Default()
	var out string
	var only []string
	var count int64
	c := &cobra.Command{
		Use:   "report FOLDER",
		Short: "Publish what a run found: report, providers' pages, tables, workbook",
		Long: `Reads a results folder and writes what may leave the house of it into a new folder: the
committee's report, a page for each provider, every table about groups of citizens as CSV
and Parquet with a dictionary, and a workbook. Figures about few citizens, and those they
could be worked out from, are withheld. The folder is written whole or not at all; an
earlier publication in its place is replaced, anything else is refused.`,
		Example: "  jobeffekt report results --out publication\n  jobeffekt report results --out publication --lang da,en --yearly\n  jobeffekt report results --out publication --only report",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if out == "" {
				return usageError{errors.New("--out says into which folder")}
			}
			if cmd.Flags().Changed("min-count") && count < 1 {
				return usageError{fmt.Errorf("--min-count %d: give 1 or more", count)}
			}
			for _, p := range only {
				o.Only = append(o.Only, report.Part(p))
			}
			if err := o.Check(); err != nil {
				return usageError{err}
			}
			p, err := publish(cmd.Context(), args[0], out, count, o)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "The publication is in %s\n", filepath.Clean(out))
			if p.Recorded {
				fmt.Fprintf(cmd.OutOrStdout(), "It is remembered; publications that it was protected beside: %d\n", p.Earlier)
			}
			return nil
		},
	}
	c.Flags().StringVar(&out, "out", "", "folder of the publication")
	c.Flags().StringSliceVar(&o.Languages, "lang", o.Languages, "languages of the pages: "+strings.Join(words.Tags(), ", "))
	c.Flags().BoolVar(&o.Yearly, "yearly", false, "add the yearly parts: the providers' own experience, what is left of the agreement")
	c.Flags().StringSliceVar(&only, "only", nil, "parts to write: report, providers, csv, parquet, xlsx; all if left out")
	c.Flags().StringSliceVar(&o.Providers, "provider", nil, "providers whose pages are written, by id; all if left out")
	c.Flags().StringSliceVar(&o.Municipalities, "municipality", nil, "municipalities that the report is about; those whose agreements are settled if left out, or all")
	c.Flags().Int64Var(&count, "min-count", count, "count of citizens under which nothing is shown; what the run file says if left out, or 5")
	return c
}

// publish writes the publication of a results folder and remembers what went out. minCount 0
// stands for what the run file says.
func publish(ctx context.Context, results, out string, minCount int64, o report.Options) (*jobeffekt.Publication, error) {
	p, err := jobeffekt.ReadPublication(ctx, results, minCount)
	if err != nil {
		return nil, err
	}
	return p, report.Write(ctx, p, out, o)
}
