package main

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
	var provider string
	c := &cobra.Command{
		Use:   "explain FOLDER [LINE | --case PARTICIPATION | --provider PROVIDER]",
		Short: "Say where a line of a settlement comes from, or why a case counted or not",
		Long: `Without a line, the lines and decisions of the settlement are listed. With one, it is followed
down to counts, clause and section. With --case, a participation's fate under each
clause is told, and what would have made it count. With --provider, where a provider
stands: how far each line is from its thresholds, what is needed, what more citizens
would bring, and what the limits leave.`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) == 1 && byCase:
				return usageError{errors.New("--case needs a participation id after the folder")}
			case len(args) == 2 && provider != "":
				return usageError{errors.New("--provider explains all lines of a provider: leave the line out")}
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
			e, err := s.Explain(args[1])
			if err != nil {
				return err
			}
			fmt.Fprint(out, e)
			return nil
		},
	}
	c.Flags().BoolVar(&byCase, "case", false, "explain a participation instead of a line")
	c.Flags().StringVar(&provider, "provider", "", "explain where a provider stands")
	return c
}

func explainCase(ctx context.Context, out io.Writer, s *bonus.Settlement, folder, participation string) error {
	e, err := s.ExplainCase(participation)
	if err != nil {
		return err
	}
	b, err := jobeffekt.ReadBackground(ctx, folder)
	if err == nil {
		e = e.Why(b.Terms, b.Facts)
	}
	fmt.Fprint(out, e)
	if err != nil {
		fmt.Fprintf(out, "What would have made it count cannot be told: %s\n", err)
	}
	return nil
}
