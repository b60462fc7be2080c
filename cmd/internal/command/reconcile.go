package command

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/bonus/ledger"
	"github.com/jobeffekt/jobeffekt/ingest"
)

// maxRejectsShown is how many bad rows are named one by one.
const maxRejectsShown = 20

// newReconcile sets a settlement beside invoices, payments and the evidence.
func newReconcile() *cobra.Command {
	var p printing
	var invoices, payments, findings, booked string
	var documents bool
	var control jobeffekt.Control
	confidence := 0.95
	c := &cobra.Command{
		Use:   "reconcile FOLDER | jobeffekt.yaml",
		Short: "Hold a settlement against invoices, payments and the evidence of its cases",
		Long: `Reads a settlement (its results folder, or the run file that made it) and sets it
beside invoices and payments, which are tables of the dataset or files: for each
agreement, provider and settlement period who was referred, what was earned, invoiced
and paid, and the differences.
--documents lists the invoices and payments that match nothing, that fall outside, or
that are the same twice.

With --sample, cases that were paid for are drawn for a control of their evidence,
and listed with their ids for the controller. What the controller finds, a table with
the columns participation_id and ok, is given with --findings, beside the same --sample
and --seed: the share of errors with its exact interval, and what that implies in
kroner, for each provider and in all.`,
		Example: `  jobeffekt reconcile results
  jobeffekt reconcile results --payments paid.csv --documents --out look-at.csv
  jobeffekt reconcile results --payments paid.csv --ledger ledger.db
  jobeffekt reconcile results --sample 60 --seed 2009 --out for-the-controller.csv
  jobeffekt reconcile results --sample 60 --seed 2009 --findings found.csv`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			sampling := cmd.Flags().Changed("sample")
			switch {
			case sampling && control.N < 1:
				return usageError{errors.New("--sample is the number of cases to draw, 1 or more")}
			case !sampling && (findings != "" || cmd.Flags().Changed("seed") || control.PerProvider):
				return usageError{errors.New("--seed, --per-provider and --findings belong to --sample; with --findings give those that the sample was drawn with")}
			case sampling && (documents || invoices != "" || payments != "" || booked != ""):
				return usageError{errors.New("--documents, --invoices, --payments and --ledger belong to the reconciliation, and --sample is about cases: ask for one of the two")}
			case sampling && !cmd.Flags().Changed("seed"):
				return usageError{errors.New("--sample needs a --seed, agreed on before anybody knows whom it draws")}
			case findings == "" && cmd.Flags().Changed("confidence"):
				return usageError{errors.New("--confidence belongs to --findings")}
			case !confident(confidence):
				return usageError{errConfidence}
			}
			for _, read := range []string{findings, invoices, payments} {
				if err := p.check(read); err != nil {
					return err
				}
			}
			s, err := jobeffekt.OpenSettlementFrom(cmd.Context(), args[0], optionsOf(cmd.Context()).Open)
			if err != nil {
				return err
			}
			if !sampling {
				books, rejects, err := s.Books(cmd.Context(), invoices, payments)
				for i, r := range rejects {
					if i == maxRejectsShown {
						fmt.Fprintf(cmd.ErrOrStderr(), "and %d bad rows more\n", len(rejects)-i)
						break
					}
					fmt.Fprintf(cmd.ErrOrStderr(), "Left out as a bad row: row %d of %s, column %s: %s\n", r.Row, r.Table, r.Column, r.Cause)
				}
				if err != nil {
					return err
				}
				if booked != "" {
					if books.Settled, err = readBooked(cmd.Context(), booked, s); err != nil {
						return err
					}
				}
				r, err := jobeffekt.Reconcile(*books)
				if err != nil {
					return err
				}
				if documents {
					return writeRows(cmd, &p, "documents", r.Documents)
				}
				if len(r.Documents) > 0 {
					fmt.Fprintf(cmd.ErrOrStderr(), "Problems with invoices and payments: %d. See them with --documents.\n", len(r.Documents))
				}
				return writeRows(cmd, &p, "reconciliation", r.Rows)
			}
			paid, err := jobeffekt.PaidCases(s.Settlement)
			if err != nil {
				return err
			}
			sample, err := jobeffekt.Sample(paid, control)
			if err != nil {
				return err
			}
			if findings == "" {
				if err := p.write(cmd, jobeffekt.ControlTable(sample)); err != nil {
					return err
				}
				fmt.Fprintf(cmd.ErrOrStderr(), "Drawn: %d of %d cases that were paid for. The list names participations: it is for the controller alone.\n", len(sample), len(paid))
				return nil
			}
			t, err := ingest.ReadFile(cmd.Context(), findings, ingest.DefaultLimits())
			if err != nil {
				return err
			}
			found, err := jobeffekt.Findings(t, sample)
			if err != nil {
				return err
			}
			rows, err := jobeffekt.ErrorRates(paid, sample, found, control, confidence)
			if err != nil {
				return err
			}
			return writeRows(cmd, &p, "control", rows)
		},
	}
	f := c.Flags()
	f.StringVar(&invoices, "invoices", "", "file of invoices (Parquet or CSV), in place of the dataset's table")
	f.StringVar(&payments, "payments", "", "file of payments (Parquet or CSV), in place of the dataset's table")
	f.StringVar(&booked, "ledger", "", "file of a ledger: what it has booked is held against invoices and payments, in place of the settlement")
	f.BoolVar(&documents, "documents", false, "list invoices and payments with a problem, in place of the reconciliation")
	f.IntVar(&control.N, "sample", 0, "cases to draw for a control of their evidence")
	f.Uint64Var(&control.Seed, "seed", 0, "with --sample: another seed draws other cases")
	f.BoolVar(&control.PerProvider, "per-provider", false, "with --sample: draw so many of each provider")
	f.StringVar(&findings, "findings", "", "with --sample: table of what was found (participation_id, ok)")
	f.Float64Var(&confidence, "confidence", confidence, "with --findings: confidence of the intervals")
	p.add(c)
	return c
}

// readBooked reads what a ledger has booked under the agreements of a settlement.
func readBooked(ctx context.Context, path string, s *jobeffekt.Settlements) ([]jobeffekt.Settled, error) {
	l, err := jobeffekt.OpenLedger(ctx, path, false)
	if err != nil {
		return nil, err
	}
	defer l.Close()
	accounts, err := l.Accounts(ctx, ledger.Query{})
	if err != nil {
		return nil, err
	}
	var agreements []string
	for _, t := range s.Terms {
		agreements = append(agreements, t.Agreement)
	}
	return jobeffekt.BookedAccounts(accounts, agreements...), nil
}

// writeRows writes a table of rows.
func writeRows[T any](cmd *cobra.Command, p *printing, name string, rows []T) error {
	t, err := ingest.FromRows(name, rows)
	if err != nil {
		return err
	}
	return p.write(cmd, t)
}
