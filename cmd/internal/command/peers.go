package command

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/effect"
)

func newPeers() *cobra.Command {
	var f runFlags
	var name, role, on string
	var record, show bool
	c := &cobra.Command{
		Use:   "peers jobeffekt.yaml",
		Short: "Choose the comparable municipalities, look at them and record them; no outcome is read",
		Long: `Chooses the peers as a run does, from the framework conditions and from who has
participations in the cohort, and shows them. Spells and outcomes are not read.

With --record an entry is added to the file that the run file names under
peers.recorded, or to peers.choice.yaml beside the run file: who recorded the choice, in
which role, on which day, how the peers were chosen, all of them, and a hash. A run whose
run file names the file stops where its peers are others. The day is taken as given: the
program knows no clock. With --show the text that is hashed is printed, as in:
jobeffekt peers jobeffekt.yaml --show | sha256sum`,
		Example: "  jobeffekt peers jobeffekt.yaml\n  jobeffekt peers jobeffekt.yaml --record --name \"N. N.\" --role controller --on 2010-06-01",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if record && (name == "" || role == "" || on == "") {
				return usageError{errors.New("--name, --role and --on say who records the choice and when")}
			}
			if !record && (name != "" || role != "" || on != "") {
				return usageError{errors.New("--name, --role and --on are for --record")}
			}
			if record && show {
				return usageError{errors.New("--show prints the text alone, and records nothing")}
			}
			day := effect.NoDate
			var err error
			if record {
				if day, err = effect.ParseDate(on); err != nil {
					return usageError{fmt.Errorf("--on: %w", err)}
				}
			}
			config, err := f.load(args[0])
			if err != nil {
				return err
			}
			chosen, err := jobeffekt.ChoosePeers(cmd.Context(), config)
			if err != nil {
				return err
			}
			out := cmd.OutOrStdout()
			if show {
				_, err := out.Write(chosen.Choice(config).Canonical())
				return err
			}
			var entry *jobeffekt.Choice
			var path string
			if record {
				if entry, path, err = jobeffekt.RecordPeers(config, chosen, name, role, day); err != nil {
					return err
				}
				chosen.Recorded = entry
			}
			fmt.Fprint(out, chosen.Text(config))
			if record {
				fmt.Fprintf(out, "Added to %s: sha256 %s\n", path, entry.SHA256)
			}
			return nil
		},
	}
	f.command = c
	c.Flags().StringVar(&f.data, "data", "", "folder of the dataset, or its URL, in place of the run file's")
	c.Flags().BoolVar(&record, "record", false, "record the choice")
	c.Flags().StringVar(&name, "name", "", "who records it")
	c.Flags().StringVar(&role, "role", "", "in which role")
	c.Flags().StringVar(&on, "on", "", "day of the record")
	c.Flags().BoolVar(&show, "show", false, "print the text that is hashed, and nothing else")
	return c
}
