package command

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/bonus"
)

// newSimulate tries terms out on a run's data before they are agreed on.
func newSimulate(log *slog.Logger) *cobra.Command {
	var f runFlags
	o := jobeffekt.DefaultSimulation()
	var others, volumes, relevant []string
	var instead, budget string
	var months int
	c := &cobra.Command{
		Use:   "simulate jobeffekt.yaml",
		Short: "Try terms out on the data before they are agreed on: what would they pay, and for no effect?",
		Long: `Does the job of a run file in memory, draws its citizens and figures again and again,
and settles the terms on each draw: what each provider would be paid in a year, how
often a provider without effect would be paid, how often a relevant effect would go
unpaid, and how that compares with a budget. It settles the past again at each
settlement date with what was known then, and says what other peers, windows and
numbers of citizens would change. With --terms, other terms are set beside those of
the run file on the same draws. With --worlds, the whole job is also done on simulated
worlds like the data whose truth is known. Nothing is booked, and nothing is written
but to --out.`,
		Example: `  jobeffekt simulate jobeffekt.yaml --draws 1000 --seed 1 --budget 1500000
  jobeffekt simulate jobeffekt.yaml --terms draft.yaml --instead-of A-751 --move-months 48 --out simulated`,
		Args: cobra.ExactArgs(1),
	}
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if (instead != "" || cmd.Flags().Changed("move-months")) && len(others) == 0 {
			return usageError{errors.New("--instead-of and --move-months are about other terms: name them with --terms")}
		}
		o.Volumes = nil
		for _, text := range volumes {
			v, err := strconv.ParseFloat(text, 64)
			if err != nil {
				return usageError{fmt.Errorf("--volumes %q: give multiples of the citizens, as in 0.5,2", text)}
			}
			o.Volumes = append(o.Volumes, v)
		}
		o.Relevant = map[string]float64{}
		for _, text := range relevant {
			name, number, ok := strings.Cut(text, "=")
			v, err := strconv.ParseFloat(number, 64)
			if _, twice := o.Relevant[name]; !ok || err != nil || twice {
				return usageError{fmt.Errorf("--relevant %q: give OUTCOME=IMPROVEMENT, each outcome once, as in employed_26w=0.05", text)}
			}
			o.Relevant[name] = v
		}
		if budget != "" {
			var err error
			if o.Budget, err = bonus.ParseOre(budget); err != nil {
				return usageError{fmt.Errorf("--budget: %w", err)}
			}
			if o.Budget == 0 {
				return usageError{errors.New("--budget: a budget is above 0; leave it out where there is none")}
			}
		}
		out := f.out
		if out != "" {
			if info, err := os.Stat(out); err == nil && !info.IsDir() {
				return usageError{fmt.Errorf("--out: %s is a file, and the result is several tables: name a folder", out)}
			}
		}
		f.out = ""
		config, err := f.load(args[0])
		if err != nil {
			return err
		}
		terms, err := config.LoadTerms()
		if err != nil {
			return err
		}
		for _, path := range others {
			t, err := jobeffekt.ReadTerms(path)
			if err != nil {
				return err
			}
			o.Others = append(o.Others, jobeffekt.OtherTerms{Terms: t, Instead: instead, Months: months})
		}
		ds, err := config.OpenData(cmd.Context())
		if err != nil {
			return err
		}
		began := time.Now()
		s, err := jobeffekt.Simulate(cmd.Context(), ds, config, terms, o)
		if errors.Is(err, jobeffekt.ErrSimulationOptions) {
			return usageError{err}
		}
		if err != nil {
			return err
		}
		log.Info("simulate done", "draws", o.Draws, "worlds", o.Worlds, "took", time.Since(began).Round(time.Millisecond))
		fmt.Fprint(cmd.OutOrStdout(), s.Summary())
		if out == "" {
			return nil
		}
		if err := jobeffekt.WriteTables(cmd.Context(), out, config.Formats, s.Tables()...); err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "\nThe tables are in %s\n", out)
		return nil
	}
	f.add(c, true, false)
	c.Flags().Lookup("out").Usage = "folder for the tables; left out: nothing is written"
	c.Flags().IntVar(&o.Draws, "draws", o.Draws, "draws of citizens and figures")
	c.Flags().Uint64Var(&o.Seed, "seed", o.Seed, "seed of the draws and worlds")
	c.Flags().StringArrayVar(&others, "terms", nil, "terms file to set beside those of the run file; may be repeated")
	c.Flags().StringVar(&instead, "instead-of", "", "agreement in the data on whose cases the --terms are tried; their own if left out")
	c.Flags().IntVar(&months, "move-months", 0, "months by which the days of the data are moved ahead for the --terms, so that terms of later years can be tried")
	c.Flags().StringSliceVar(&volumes, "volumes", []string{"0.5", "2"}, "also with so many citizens, as multiples of those in the data")
	c.Flags().StringArrayVar(&relevant, "relevant", nil, "OUTCOME=IMPROVEMENT that should be paid for, in the outcome's unit; left out: the min_detectable_effect of the gate; may be repeated")
	c.Flags().StringVar(&budget, "budget", "", "what may be paid under an agreement in a year, in kroner; left out: what the terms have under upkeep")
	c.Flags().IntVar(&o.Worlds, "worlds", 0, "simulated worlds to do the whole job on, for each of two truths")
	c.Flags().Float64Var(&o.WorldSD, "world-sd", o.WorldSD, "standard deviation of the providers' true effects in worlds, in log-odds of finding a job in a week")
	c.Flags().BoolVar(&o.Replay, "replay", true, "settle the past again at each settlement date; --replay=false saves the time")
	c.Flags().BoolVar(&o.Sensitivity, "sensitivity", true, "say what other peers and windows would change; --sensitivity=false saves the time")
	c.Flags().BoolVar(&o.KeepDraws, "keep-draws", false, "write the amounts of every draw too")
	c.Flags().IntVar(&o.Workers, "workers", 0, "draws made at a time; left out: one for each processor")
	return c
}
