package command

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/ingest/dream"
)

// newDream turns a DREAM panel into spells.
func newDream(log *slog.Logger) *cobra.Command {
	var out, codes string
	var show bool
	var key pseudonymFlags
	opt := dream.DefaultOptions()
	c := &cobra.Command{
		Use:   "dream PANEL",
		Short: "Turn a DREAM panel into the table spells of a dataset",
		Long: `Reads a panel with a row for each person, a benefit code for each week (y_YYWW)
and the industry and employment degree of each month (branche_YYYY_MM, grad_YYYY_MM),
as one Parquet file or a folder of parts, and writes FOLDER/spells. What the codes
mean stands in a code map; the standard one is believed rather than checked: print it with
--codes-template, hold it against the list that came with the data, and give it with
--codes. A code that is not in the map stops the conversion.`,
		Example: `  jobeffekt dream --codes-template > codes.yaml
  jobeffekt dream panel.parquet --out data --codes codes.yaml --person pnr`,
		Args: cobra.RangeArgs(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if show {
				_, err := cmd.OutOrStdout().Write(dream.Template())
				return err
			}
			if len(args) == 0 || out == "" {
				return usageError{errors.New("give the panel and --out FOLDER, or --codes-template alone")}
			}
			m := dream.DefaultMap()
			if codes != "" {
				src, err := os.ReadFile(codes)
				if err != nil {
					return fmt.Errorf("code map: %w", err)
				}
				if m, err = dream.ParseMap(codes, src); err != nil {
					return err
				}
			}
			var err error
			if opt.Pseudonyms, err = key.key(); err != nil {
				return err
			}
			began := time.Now()
			r, err := jobeffekt.ConvertDream(cmd.Context(), args[0], out, m, opt)
			if err != nil {
				return err
			}
			took := time.Since(began)
			log.Info("dream done", "took", took.Round(time.Millisecond), "persons", r.Count(dream.CountPersons), "spells", r.Count(dream.CountSpells))
			return printDream(cmd.OutOrStdout(), r)
		},
	}
	c.Flags().StringVar(&out, "out", "", "folder of the dataset, which must not have spells yet")
	c.Flags().StringVar(&codes, "codes", "", "code map to use in place of the standard one")
	c.Flags().StringVar(&opt.Person, "person", opt.Person, "column of persons")
	key.add(c)
	c.Flags().BoolVar(&show, "codes-template", false, "print the standard code map, for editing")
	return c
}

// printDream prints what was counted.
func printDream(out io.Writer, r *dream.Report) error {
	fmt.Fprintf(out, "Weeks from %s up to %s.\n\n", r.First, r.End)
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	line := func(n int64, format string, args ...any) {
		fmt.Fprintf(t, "%d\t  %s\n", n, fmt.Sprintf(format, args...))
	}
	for _, c := range r.Counts {
		line(c.N, "%s: %s", c.Name, c.Rule)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprint(out, "\nWeeks in the spells of each state:\n\n")
	for _, s := range r.States {
		line(s.Weeks, "%s", s.State)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprint(out, "\nWeeks of each code:\n\n")
	for _, c := range r.Codes {
		note := c.Is
		if c.Believed {
			note = strings.TrimPrefix(note+", believed", ", ")
		}
		line(c.Weeks, "%s: %s (%s)", c.Code, c.State, note)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if n := len(r.Unread); n > 0 {
		fmt.Fprintf(out, "\nColumns that were not read: %d (%s)\n", n, strings.Join(r.Unread[:min(n, 20)], ", "))
	}
	return nil
}
