package command

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"

	"github.com/jobeffekt/jobeffekt"
)

// onlyCells is what --only can name.
const onlyCells = "cells"

func newMeasure(log *slog.Logger) *cobra.Command {
	c := newStep(log, jobeffekt.StepMeasure, "Read the dataset and observe outcomes: cells, cases, outcomes, attrition")
	c.Long = `Reads the dataset and observes what became of every participation. With --only cells,
only the table of cells is written, with counts and rejects: how many of each provider's
participations reached each outcome, and the means of outcomes and of history. That takes less
time and memory, and no step can go on from it.`
	c.Example = "  jobeffekt measure jobeffekt.yaml\n  jobeffekt measure jobeffekt.yaml --only cells --out cells"
	var only string
	c.Flags().StringVar(&only, "only", "", "write one table alone: cells")
	all := c.RunE
	c.RunE = func(cmd *cobra.Command, args []string) error {
		switch only {
		case "":
			return all(cmd, args)
		case onlyCells:
			if cmd.Flags().Changed("metrics") {
				return usageError{errors.New("--metrics is about results that can be published, which the cells alone are not")}
			}
			return measureCells(cmd, log, args[0])
		}
		return usageError{fmt.Errorf("--only %s: cells is the one table that can be had alone", only)}
	}
	return c
}

func measureCells(cmd *cobra.Command, log *slog.Logger, path string) error {
	f := runFlags{command: cmd}
	for _, p := range []struct {
		name string
		to   *string
	}{{"as-of", &f.asOf}, {"data", &f.data}, {"out", &f.out}} {
		*p.to = cmd.Flag(p.name).Value.String()
	}
	f.timings = cmd.Flag("timings").Value.String() == "true" // as it was given, --timings=false too
	config, err := f.load(path)
	if err != nil {
		return err
	}
	// What is held are columns without pointers, which cost nothing to collect often:
	// memory stays near what is needed.
	if os.Getenv("GOGC") == "" {
		defer debug.SetGCPercent(debug.SetGCPercent(25))
	}
	began := time.Now()
	t, err := jobeffekt.RunCells(cmd.Context(), f.logged(log, config))
	if err != nil {
		return err
	}
	log.Info("cells done", "took", time.Since(began).Round(time.Millisecond), "participations", t.Participations, "rejected", len(t.Rejects))
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d figures of cells, as of %s\n\nResults are in %s\n", len(t.Cells), t.AsOf, config.ResultsFolder())
	return err
}
