package command

import (
	"os"
	"path/filepath"

	"github.com/jobeffekt/jobeffekt/internal/whole"
	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// newMan writes the manual pages, made from what --help says.
func newMan() *cobra.Command {
	return &cobra.Command{
		Use:   "man FOLDER",
		Short: "Write the manual pages of all commands",
		Long: `Writes a manual page for each command to a folder, in section 1. The day on them is that of
SOURCE_DATE_EPOCH where it is set, and else today.`,
		Example: "  jobeffekt man /usr/local/share/man/man1\n  jobeffekt man . && man ./jobeffekt-run.1",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return err
			}
			made, drop, err := whole.Scratch("jobeffekt-man")
			if err != nil {
				return err
			}
			defer drop()
			if err := doc.GenManTree(cmd.Root(), &doc.GenManHeader{Section: "1", Source: "jobeffekt", Manual: "jobeffekt"}, made); err != nil {
				return err
			}
			pages, err := filepath.Glob(filepath.Join(made, "*.1"))
			if err != nil {
				return err
			}
			for _, page := range pages {
				text, err := os.ReadFile(page)
				if err != nil {
					return err
				}
				if err := whole.Write(filepath.Join(args[0], filepath.Base(page)), 0o644, text); err != nil {
					return err
				}
			}
			return nil
		},
	}
}
