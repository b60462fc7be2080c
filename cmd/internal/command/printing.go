package command

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/ingest"
	"github.com/jobeffekt/jobeffekt/internal/plain"
)

// printing is where the result table of a command goes: to its standard output as
// text that lines up, or to a file.
type printing struct{ out string }

// confident says whether a confidence is one that run files allow too: nearer to 1
// the limits of an interval are no numbers.
func confident(c float64) bool { return c > 0 && c <= 0.9999 }

var errConfidence = errors.New("--confidence lies above 0 and is at most 0.9999")

// add adds the flag --out.
func (p *printing) add(c *cobra.Command) {
	c.Flags().StringVar(&p.out, "out", "", "file for the result, by the ending of its name Parquet or CSV, in place of printing it")
}

// check is to be called before any work: it is a usage error when the file's name
// does not say what to write, or is that of the table which is read.
func (p *printing) check(read string) error {
	if p.out == "" {
		return nil
	}
	if err := jobeffekt.CheckTablePath(p.out); err != nil {
		return usageError{fmt.Errorf("--out: %w", err)}
	}
	in, err := os.Stat(read)
	if err != nil {
		return nil // who reads it says so
	}
	if out, err := os.Stat(p.out); err == nil && os.SameFile(in, out) {
		return usageError{fmt.Errorf("--out: %s is the table that is read, which would be lost; give another name", p.out)}
	}
	return nil
}

// write prints the table or writes the file, whole or not at all, and then says
// where it is.
func (p *printing) write(c *cobra.Command, t *ingest.Table) error {
	if p.out == "" {
		_, err := fmt.Fprint(c.OutOrStdout(), tableText(t))
		return err
	}
	if err := jobeffekt.WriteTable(p.out, t); err != nil {
		return err
	}
	fmt.Fprintf(c.OutOrStdout(), "%d rows are in %s\n", t.Rows(), p.out)
	return nil
}

// tableText is a table as text: a line of names, a line a row, columns that line
// up, numbers by their decimal mark. The values are those that the CSV has. What
// could move a terminal's cursor is shown as a question mark.
func tableText(t *ingest.Table) string {
	w := table.NewWriter()
	style := table.StyleDefault
	style.Options = table.OptionsNoBordersAndSeparators
	style.Box.PaddingLeft, style.Box.PaddingRight = "", "  "
	style.Format.Header, style.Format.HeaderAlign = text.FormatDefault, text.AlignDefault
	w.SetStyle(style)
	names, rows := make(table.Row, len(t.Columns)), make([]table.Row, t.Rows())
	for i := range rows {
		rows[i] = make(table.Row, len(t.Columns))
	}
	configs := make([]table.ColumnConfig, len(t.Columns))
	for k := range t.Columns {
		c := &t.Columns[k]
		cells := make([]string, t.Rows())
		for i := range cells {
			cells[i] = plain.Line(c.Cell(i))
		}
		configs[k] = table.ColumnConfig{Number: k + 1, Align: text.AlignLeft, AlignHeader: text.AlignLeft}
		if c.Ints != nil || c.Floats != nil {
			configs[k].Align, configs[k].AlignHeader = text.AlignRight, text.AlignRight
			marks(cells)
		}
		names[k] = plain.Line(c.Name)
		for i, s := range cells {
			rows[i][k] = s
		}
	}
	w.SetColumnConfigs(configs)
	w.AppendHeader(names)
	w.AppendRows(rows)
	var b strings.Builder
	for line := range strings.Lines(w.Render() + "\n") {
		b.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	return b.String()
}

// marks puts spaces behind numbers until their decimal marks stand in one column,
// when they are set flush right.
func marks(cells []string) {
	digits := func(s string) int {
		if at := strings.IndexByte(s, '.'); at >= 0 {
			return len(s) - at
		}
		return 0
	}
	most := 0
	for _, s := range cells {
		most = max(most, digits(s))
	}
	for i, s := range cells {
		cells[i] = s + strings.Repeat(" ", most-digits(s))
	}
}
