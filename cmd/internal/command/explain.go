package command

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/bonus"
)

func newExplain() *cobra.Command {
	var byCase bool
	var provider, pack string
	var minCount int64
	c := &cobra.Command{
		Use:   "explain FOLDER [LINE | --case PARTICIPATION | --provider PROVIDER]",
		Short: "Say where a line of a settlement comes from, or why a case counted or not",
		Long: `Without a line, the lines and decisions of the settlement are listed. With one, it is followed
down to counts, clause and section. With --case, a participation's fate under each
clause is told, and what would have made it count. With --provider, where a provider
stands: how far each line is from its thresholds, what is needed, what more citizens
would bring, and what the limits leave. With --pack too, what its bonus was worked out
from is written to a folder or zip file, so that the provider can work it out again
without seeing others' citizens.`,
		Example: "  jobeffekt explain results --case 3\n  jobeffekt explain results --provider north --pack north.zip",
		Args:    cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) == 1 && byCase:
				return usageError{errors.New("--case needs a participation id after the folder")}
			case len(args) == 2 && provider != "":
				return usageError{errors.New("--provider explains all lines of a provider: leave the line out")}
			case pack != "" && provider == "":
				return usageError{errors.New("--pack is of a provider: give --provider too")}
			case cmd.Flags().Changed("min-count") && minCount < 1:
				return usageError{fmt.Errorf("--min-count %d: give 1 or more", minCount)}
			case pack != "":
				if err := jobeffekt.WritePack(cmd.Context(), args[0], provider, pack, minCount); err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "Wrote the pack of %s to %s.\nCheck it with: jobeffekt verify --pack %[2]s\n", provider, pack)
				return nil
			}
			s, err := jobeffekt.ReadSettlement(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			switch {
			case provider != "":
				b, err := jobeffekt.ReadBackground(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				e, err := s.ExplainProvider(cmd.Context(), provider, b.Terms, b.Facts)
				if err != nil {
					return err
				}
				fmt.Fprint(out, e)
				return nil
			case len(args) == 1:
				for _, l := range s.Lines {
					fmt.Fprintf(out, "%14s  %s\n", l.Amount, l.ID)
				}
				for _, d := range s.Decisions {
					fmt.Fprintf(out, "%14s  %s\n", d.State, d.ID)
				}
				return nil
			case byCase:
				return explainCase(cmd.Context(), out, s, args[0], args[1])
			}
			return explainLine(cmd.Context(), out, s, args[0], args[1])
		},
	}
	c.Flags().BoolVar(&byCase, "case", false, "explain a participation instead of a line")
	c.Flags().StringVar(&pack, "pack", "", "of a provider: write all that its bonus was worked out from to this new folder or .zip")
	c.Flags().Int64Var(&minCount, "min-count", minCount, "of a pack: withhold classes with fewer citizens than this; what the run file says if left out, or 5")
	c.Flags().StringVar(&provider, "provider", "", "explain where a provider stands")
	return c
}

func explainCase(ctx context.Context, out io.Writer, s *bonus.Settlement, folder, participation string) error {
	e, err := s.ExplainCase(participation)
	if err != nil {
		return err
	}
	b, err := jobeffekt.ReadBackground(ctx, folder)
	if err != nil {
		fmt.Fprintf(out, "%sWhat would have made it count cannot be told: %s\n", e, err)
		return nil
	}
	fmt.Fprint(out, bonus.NewReasons(b.Terms, b.Facts).Why(e))
	for _, o := range b.Facts.Observations.Results {
		if text := b.OutcomeText(o.Outcome); text != "" && e.About(o.Outcome, b.Terms) {
			fmt.Fprintf(out, "  %s: %s\n", o.Outcome, text)
		}
	}
	return nil
}

func explainLine(ctx context.Context, out io.Writer, s *bonus.Settlement, folder, line string) error {
	e, err := s.Explain(line)
	if err != nil {
		return err
	}
	b, err := jobeffekt.ReadBackground(ctx, folder)
	if err != nil {
		fmt.Fprintf(out, "%sWhat lies behind an effect cannot be told: %s\n", e, err)
		return nil
	}
	if e, err = b.ExplainLine(s, line); err != nil {
		return err
	}
	fmt.Fprint(out, e)
	return nil
}
