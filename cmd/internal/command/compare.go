package command

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/jobeffekt/jobeffekt"
)

func newCompare() *cobra.Command {
	var p printing
	c := &cobra.Command{
		Use:   "compare BEFORE AFTER",
		Short: "Show what changed between two results folders, and why",
		Long: `Compares two results folders, or two publications with Parquet tables: first what they
were made of (program, last day, files of the data, keys of the run file and of terms),
then every table row by row. Prints a summary, which names no citizen: cases that moved
from one status to another, verdicts, amounts and diagnostics that changed, and the step
in which the tables first differ. --out writes every difference to a file; it holds what
the results folders hold, and is as internal.`,
		Example: "  jobeffekt compare results-june results\n  jobeffekt compare results-june results --out changes.csv",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := p.check(args[0]); err != nil {
				return err
			}
			changed, err := jobeffekt.Changes(cmd.Context(), args[0], args[1])
			if err != nil {
				return err
			}
			fmt.Fprint(cmd.OutOrStdout(), changed.Summary())
			if p.out == "" {
				return nil
			}
			return p.write(cmd, changed.Table())
		},
	}
	c.Flags().StringVar(&p.out, "out", "", "file for every difference, by the ending of its name Parquet or CSV")
	return c
}
