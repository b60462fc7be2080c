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

func newVerify() *cobra.Command {
	var pack bool
	c := &cobra.Command{
		Use:   "verify FOLDER | --pack PACK",
		Short: "Make a folder's results again from its manifest and compare every byte",
		Long: `Makes the results of a folder again from what its manifest names and compares every
byte. With --pack, works every line of a provider's pack out again, from the cases,
figures and terms in it.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if pack {
				return verifyPack(cmd.Context(), cmd.OutOrStdout(), args[0])
			}
			differences, err := jobeffekt.VerifyFrom(cmd.Context(), args[0], optionsOf(cmd.Context()).Open)
			if err != nil {
				return err
			}
			for _, d := range differences {
				fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\n", d.Path, d.What)
			}
			if len(differences) > 0 {
				return errors.New("the folder is not as its manifest says; what differs is listed above")
			}
			fmt.Fprintln(cmd.OutOrStdout(), "Inputs are unchanged, and every result came out again with the same bytes.")
			return nil
		},
	}
	c.Flags().BoolVar(&pack, "pack", false, "verify a provider's pack, a folder or a zip file")
	return c
}

func verifyPack(ctx context.Context, out io.Writer, from string) error {
	v, err := jobeffekt.VerifyPack(ctx, from)
	if err != nil {
		return err
	}
	for _, d := range v.Differences {
		fmt.Fprintf(out, "%s: %s\n", d.Path, d.What)
	}
	count := map[string]int{}
	for _, l := range v.Lines {
		count[l.From]++
		if l.Differs != "" {
			fmt.Fprintf(out, "%s: %s\n", l.Line, l.Differs)
		}
	}
	if !v.Holds() {
		return errors.New("the pack does not hold; what differs is listed above")
	}
	fmt.Fprintf(out, "Every file is as it was, and all %d lines of %s came out again: %s kr. as of %s (%s).\n", len(v.Lines), v.Provider, v.Total, v.AsOf, v.Standing)
	for _, from := range []struct{ from, text string }{
		{bonus.FromEntries, "from their cases and the terms"},
		{bonus.FromFigures, "from measured figures and the terms"},
		{bonus.FromLines, "from the lines they limit and the terms"},
		{bonus.FromSteps, "from their last steps: what comes before them rests on other providers too"},
	} {
		if n := count[from.from]; n > 0 {
			fmt.Fprintf(out, "  %d %s\n", n, from.text)
		}
	}
	fmt.Fprintf(out, "sha256 of %s: %s\n", jobeffekt.PackName, v.SHA256)
	return nil
}
