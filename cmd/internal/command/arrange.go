package command

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/jobeffekt/jobeffekt"
)

// newArrange writes a dataset anew for narrow questions.
func newArrange(log *slog.Logger) *cobra.Command {
	var out string
	c := &cobra.Command{
		Use:   "arrange RUNFILE|DATA",
		Short: "Write a dataset anew, so that one municipality is read quickly",
		Long: `Writes the dataset of a run file, or of a folder whose columns have the names of the
data contract, into a new folder: citizens' rows sorted by municipality in small pages
with an index, every column as it was, and a column cluster beside them. A run with
cohort.municipalities then reads only the pages that can hold what it asks for; its
results are the same. The other tables are copied. Do it again when the data change.`,
		Example: `  jobeffekt arrange jobeffekt.yaml --out arranged
  jobeffekt measure jobeffekt.yaml --data arranged`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if out == "" {
				return usageError{errors.New("--out names the folder of the new dataset")}
			}
			config := &jobeffekt.Config{Data: args[0]}
			if info, err := os.Stat(args[0]); err == nil && !info.IsDir() {
				if config, err = jobeffekt.LoadConfig(args[0]); err != nil {
					return err
				}
			}
			began := time.Now()
			tables, err := jobeffekt.Arrange(cmd.Context(), config, out)
			if err != nil {
				return err
			}
			log.Info("arrange done", "took", time.Since(began).Round(time.Millisecond))
			t := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', tabwriter.AlignRight)
			for _, table := range tables {
				if table.Files > 0 {
					fmt.Fprintf(t, "%s\tcopied\t%d bytes\t\n", table.Name, table.Bytes)
				} else {
					fmt.Fprintf(t, "%s\t%d rows\t%d bytes\t\n", table.Name, table.Rows, table.Bytes)
				}
			}
			if err := t.Flush(); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "The dataset is in %s\n", out)
			return err
		},
	}
	c.Flags().StringVar(&out, "out", "", "folder of the new dataset, which must not exist or be empty")
	return c
}
