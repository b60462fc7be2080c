package command

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/jobeffekt/jobeffekt"
)

func newMap(log *slog.Logger) *cobra.Command {
	var f runFlags
	var names []string
	var to string
	var list bool
	var groups int
	c := &cobra.Command{
		Use:   "map jobeffekt.yaml",
		Short: "Observe parts of the spells, for a reduce",
		Long: `Observes parts of the table spells and writes what they hold to one file, a partial:
whole, or not at all, and the same bytes when it is done again. Any number of machines
can each do some of the parts; reduce then does the step measure from their partials.

A part is row groups of one file, named from the dataset's folder and counted from 0:
spells/p-0003.parquet#0-40 are the first 40, spells/p-0003.parquet is all of the
file. With --list the parts that there are are printed, one on a line, and nothing is mapped.
A partial holds days of persons: keep it as the data themselves.`,
		Example: `  jobeffekt map jobeffekt.yaml --list --groups 40
  jobeffekt map jobeffekt.yaml --part spells.parquet#0-40 --to a.partial
  jobeffekt map jobeffekt.yaml --part spells.parquet#40- --to b.partial
  jobeffekt reduce jobeffekt.yaml a.partial b.partial`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if list == (len(names) > 0) || list == (to != "") {
				return usageError{errors.New("give --list, or --part and --to")}
			}
			if groups < 0 || groups > 0 && !list {
				return usageError{errors.New("--groups is how many row groups a part of --list has at most")}
			}
			var parts []jobeffekt.Part
			for _, name := range names {
				p, err := jobeffekt.ParsePart(name)
				if err != nil {
					return usageError{fmt.Errorf("--part: %w", err)}
				}
				parts = append(parts, p)
			}
			config, err := f.load(args[0])
			if err != nil {
				return err
			}
			if list {
				if parts, err = jobeffekt.Parts(cmd.Context(), config, groups); err != nil {
					return err
				}
				for _, p := range parts {
					fmt.Fprintln(cmd.OutOrStdout(), p)
				}
				return nil
			}
			began := time.Now()
			m, err := jobeffekt.MapParts(cmd.Context(), f.logged(log, config), parts, to)
			if err != nil {
				return err
			}
			log.Info("map done", "took", time.Since(began).Round(time.Millisecond), "rows", m.Rows, "used", m.Used, "bytes", m.Bytes)
			return nil
		},
	}
	f.addData(c, true)
	f.addTimings(c)
	c.Flags().StringArrayVar(&names, "part", nil, "row groups of a file of spells, as spells.parquet#0-40; give it once for each part")
	c.Flags().StringVar(&to, "to", "", "file that the partial goes to")
	c.Flags().BoolVar(&list, "list", false, "print the parts that there are")
	c.Flags().IntVar(&groups, "groups", 0, "with --list: row groups of a part at most; whole files if left out")
	return c
}

func newReduce(log *slog.Logger) *cobra.Command {
	var f runFlags
	var to string
	c := &cobra.Command{
		Use:   "reduce jobeffekt.yaml PARTIAL...",
		Short: "Do the step measure from what maps observed",
		Long: `Does what measure does, from the partials that maps wrote in place of the table spells:
the same tables and manifest, byte for byte. Every part of the spells must be in one of
the partials, and in one only; partials of another version, run file, day or other
data are refused by name. Then go on with estimate.

With --to the partials become one, and nothing else is done: partials of partials are
reduced as any other.`,
		Example: `  jobeffekt reduce jobeffekt.yaml a.partial b.partial
  jobeffekt reduce jobeffekt.yaml a.partial b.partial --to ab.partial`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if to != "" && f.out != "" {
				return usageError{errors.New("--to makes a partial and --out results: give one of them")}
			}
			config, err := f.load(args[0])
			if err != nil {
				return err
			}
			began := time.Now()
			do := func(ctx context.Context, c *jobeffekt.Config) error {
				m, err := jobeffekt.MergePartials(ctx, c, args[1:], to)
				if err == nil {
					log.Info("reduce done", "took", time.Since(began).Round(time.Millisecond), "rows", m.Rows, "used", m.Used, "bytes", m.Bytes)
				}
				return err
			}
			if to == "" {
				do = func(ctx context.Context, c *jobeffekt.Config) error {
					r, err := jobeffekt.Reduce(ctx, c, args[1:])
					if err != nil {
						return err
					}
					log.Info("reduce done", "took", time.Since(began).Round(time.Millisecond), "participations", r.Observations.Cases.Len(), "rejected", len(r.Rejects))
					return f.finish(cmd, r, config)
				}
			}
			return do(cmd.Context(), f.logged(log, config))
		},
	}
	f.add(c, true, false)
	f.addTimings(c)
	c.Flags().StringVar(&to, "to", "", "file that one partial of all goes to, in place of results")
	return c
}
