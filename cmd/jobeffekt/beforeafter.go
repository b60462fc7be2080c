package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/effect/beforeafter"
	"github.com/jobeffekt/jobeffekt/ingest"
)

// newBeforeAfter compares units before and after a change with others, from a
// table of one row a unit and period.
func newBeforeAfter() *cobra.Command {
	var p printing
	var columns jobeffekt.PanelColumns
	var covariates, controls, base, method string
	o := beforeafter.DefaultDiD()
	c := &cobra.Command{
		Use:   "before-after TABLE",
		Short: "Compare units before and after a change with units that did not change",
		Long: `Reads a Parquet or CSV table with one row for each unit (municipality, county) and
period, and compares how the outcome moved where the change came with how it moved
elsewhere: difference-in-differences by group and time, doubly robust, with event
study and a test of the time before the change (--method did), or a synthetic
control for each unit with the change (--method synthetic).

Periods are whole numbers, or as in 2008, 2008H1, 2008Q3, 2008-09. --since names the
column of a unit's first period with the change; empty, 0 or never for none. Units
with missing outcomes stop the command unless --complete leaves them out and says so.`,
		Example: `  jobeffekt before-after counties.csv --unit county --period year --outcome lemp --since first_treat
  jobeffekt before-after counties.csv --unit county --period year --outcome lemp --since first_treat --controls not_yet --covariates lpop --out effects.csv`,
		Args: cobra.ExactArgs(1),
	}
	var complete bool
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if err := p.check(); err != nil {
			return err
		}
		if columns.Unit == "" || columns.Period == "" || columns.Outcome == "" || columns.Since == "" {
			return usageError{errors.New("--unit, --period, --outcome and --since name the columns of the table")}
		}
		if covariates != "" {
			columns.Covariates = strings.Split(covariates, ",")
		}
		t, err := ingest.ReadFile(cmd.Context(), args[0], ingest.DefaultLimits())
		if err != nil {
			return err
		}
		panel, calendar, err := jobeffekt.PanelOf(t, columns)
		if err != nil {
			return err
		}
		if complete {
			var left []string
			if panel, left = panel.Complete(); len(left) > 0 {
				fmt.Fprintf(cmd.OutOrStdout(), "Left out for missing outcomes: %s.\n", strings.Join(left, ", "))
			}
		}
		switch method {
		case "did":
			o.Controls, o.Base = beforeafter.Controls(controls), beforeafter.Base(base)
			d, err := o.Estimate(cmd.Context(), panel)
			if errors.Is(err, beforeafter.ErrOptions) {
				return usageError{err}
			} else if err != nil {
				return err
			}
			for _, s := range d.Words(calendar) {
				fmt.Fprintln(cmd.OutOrStdout(), s)
			}
			fmt.Fprintln(cmd.OutOrStdout())
			rows, err := ingest.FromRows("before_after", d.Rows(calendar))
			if err != nil {
				return err
			}
			return p.write(cmd, rows)
		default:
			return usageError{fmt.Errorf("--method is did or synthetic, not %q", method)}
		}
	}
	p.add(c)
	f := c.Flags()
	f.StringVar(&columns.Unit, "unit", "", "column of the units")
	f.StringVar(&columns.Period, "period", "", "column of the periods")
	f.StringVar(&columns.Outcome, "outcome", "", "column of the outcome")
	f.StringVar(&columns.Since, "since", "", "column of each unit's first period with the change")
	f.StringVar(&columns.Weight, "weight", "", "column of the units' weights; none if left out")
	f.StringVar(&covariates, "covariates", "", "columns to adjust for, constant over time, separated by commas")
	f.StringVar(&method, "method", "did", "did or synthetic")
	f.StringVar(&controls, "controls", string(o.Controls), "did: units to compare with: never (changing) or not_yet (changed)")
	f.StringVar(&base, "base", string(o.Base), "did: periods before the change are compared with: varying (the one before) or universal (the last before the change)")
	f.IntVar(&o.Anticipation, "anticipation", 0, "did: periods before the change in which it may show already")
	f.IntVar(&o.Through, "through", o.Through, "did: event study of the groups that are seen for so many periods after the change; -1 for all")
	f.IntVar(&o.MinTreated, "min-units", o.MinTreated, "did: units that a group needs")
	f.Float64Var(&o.Confidence, "confidence", o.Confidence, "confidence of the intervals")
	f.BoolVar(&complete, "complete", false, "leave out units with missing outcomes, and name them")
	return c
}
