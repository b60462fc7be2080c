package command

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/beforeafter"
	"github.com/jobeffekt/jobeffekt/ingest"
	"github.com/jobeffekt/jobeffekt/internal/plain"
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
  jobeffekt before-after counties.csv --unit county --period year --outcome lemp --since first_treat \
    --controls not_yet --covariates lpop --out effects.csv`,
		Args: cobra.ExactArgs(1),
	}
	var complete bool
	var backdate int
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if filepath.Ext(p.out) != "" { // else a folder
			if err := p.check(args[0]); err != nil {
				return err
			}
		} else if info, err := os.Stat(p.out); p.out != "" && err == nil && !info.IsDir() {
			return usageError{fmt.Errorf("--out: %s is a file whose name ends neither in .parquet nor in .csv, and no folder", p.out)}
		}
		of := map[string]string{"backdate": string(jobeffekt.MethodSynthetic)}
		for _, name := range []string{"weight", "controls", "base", "anticipation", "through", "min-units"} {
			of[name] = string(jobeffekt.MethodDiD)
		}
		for _, name := range slices.Sorted(maps.Keys(of)) {
			if cmd.Flags().Changed(name) && method != of[name] {
				return usageError{fmt.Errorf("--%s is for --method %s", name, of[name])}
			}
		}
		if !confident(o.Confidence) {
			return usageError{errConfidence}
		}
		if columns.Unit == "" || columns.Period == "" || columns.Outcome == "" || (columns.Since == "") == (columns.Treated == "") {
			return usageError{errors.New("--unit, --period, --outcome and --since (or --treated in its place) name the columns of the table")}
		}
		if covariates != "" {
			columns.Covariates = strings.Split(covariates, ",")
		}
		t, err := ingest.ReadFile(cmd.Context(), args[0], ingest.DefaultLimits())
		if err != nil {
			return err
		}
		panel, err := jobeffekt.PanelOf(t, columns)
		if err != nil {
			return err
		}
		if complete {
			var left []string
			if panel, left = panel.Complete(); len(left) > 0 {
				fmt.Fprintf(cmd.OutOrStdout(), "Left out for missing outcomes: %s.\n", plain.Line(strings.Join(left, ", ")))
			}
		}
		var words []string
		var tables []*ingest.Table
		table := func(t *ingest.Table, err error) error {
			tables = append(tables, t)
			return err
		}
		switch method {
		case string(jobeffekt.MethodDiD):
			o.Controls, o.Base = beforeafter.Controls(controls), beforeafter.Base(base)
			d, err := o.Estimate(cmd.Context(), panel)
			if err != nil {
				return options(err)
			}
			words = d.Words(panel.Calendar, effect.UnitNumber)
			if err := table(ingest.FromRows(jobeffekt.TableBeforeAfter, d.Rows(panel.Calendar))); err != nil {
				return err
			}
		case string(jobeffekt.MethodSynthetic):
			s := beforeafter.DefaultSynthetic()
			s.Confidence, s.Backdate = o.Confidence, backdate
			for _, name := range columns.Covariates {
				s.Predictors = append(s.Predictors, beforeafter.Predictor{Covariate: name, Weight: 1})
			}
			found, err := s.Estimate(cmd.Context(), panel)
			if err != nil {
				return options(err)
			}
			words = found.Words(panel.Calendar, effect.UnitNumber)
			if err := errors.Join(
				table(ingest.FromRows(jobeffekt.TableSynthetic, found.Units)), table(ingest.FromRows(jobeffekt.TableGaps, found.Gaps)),
				table(ingest.FromRows(jobeffekt.TableDonors, found.Donors)), table(ingest.FromRows(jobeffekt.TablePlacebos, found.Placebos)),
			); err != nil {
				return err
			}
		default:
			return usageError{fmt.Errorf("--method is did or synthetic, not %q", method)}
		}
		out := cmd.OutOrStdout()
		for _, s := range words {
			fmt.Fprintln(out, plain.Line(s))
		}
		fmt.Fprintln(out)
		for _, t := range tables {
			jobeffekt.PeriodNames(t, panel.Calendar)
		}
		if filepath.Ext(p.out) != "" {
			return p.write(cmd, tables[0])
		}
		if p.out != "" {
			if err := jobeffekt.WriteTables(cmd.Context(), p.out, nil, tables...); err != nil {
				return err
			}
		}
		for _, t := range tables {
			if p.out != "" {
				fmt.Fprintf(out, "%d rows are in %s\n", t.Rows(), filepath.Join(p.out, t.Name+".parquet"))
				continue
			} else if len(tables) > 1 {
				fmt.Fprintf(out, "%s\n", t.Name)
			}
			if err := p.write(cmd, t); err != nil {
				return err
			}
		}
		return nil
	}
	f := c.Flags()
	f.StringVar(&p.out, "out", "", "file for the first table (.parquet or .csv), or folder for all of them as Parquet, in place of printing them")
	f.IntVar(&backdate, "backdate", 0, "synthetic: look at the change as if it had come so many periods earlier too")
	f.StringVar(&columns.Unit, "unit", "", "column of the units")
	f.StringVar(&columns.Period, "period", "", "column of the periods")
	f.StringVar(&columns.Outcome, "outcome", "", "column of the outcome")
	f.StringVar(&columns.Since, "since", "", "column of each unit's first period with the change")
	f.StringVar(&columns.Treated, "treated", "", "in place of --since: column that is 1 in the periods with the change, and 0 before and elsewhere")
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

// options marks options that make no sense as a fault of the command line.
func options(err error) error {
	if errors.Is(err, beforeafter.ErrOptions) {
		return usageError{err}
	}
	return err
}
