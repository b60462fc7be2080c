package command

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"text/tabwriter"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/jobeffekt/jobeffekt"
)

// dryRun says what a run would do, or why it would fail before it begins.
func dryRun(cmd *cobra.Command, config *jobeffekt.Config) error {
	room, roomErr := roomFor(config.ResultsFolder())
	p, err := jobeffekt.Plan(cmd.Context(), config)
	if err == nil && roomErr == nil && room.known && room.free < uint64(p.Replaces) {
		roomErr = fmt.Errorf("out: %s are free for %s, and results like those that stand there need %s beside them until the run is done: make room, or name another folder under out",
			humanize.Bytes(room.free), config.ResultsFolder(), humanize.Bytes(uint64(p.Replaces)))
	}
	if err := errors.Join(err, roomErr); err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	fmt.Fprintln(out, "The run file, the terms, the dataset's columns and its state codes are in order.")
	fmt.Fprintln(out)
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, table := range p.Tables {
		fmt.Fprintf(t, "%s\t%s rows\t%s\t%s\n", table.Name, humanize.Comma(table.Rows), files(table.Files), humanize.Bytes(uint64(table.Bytes)))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(out)
	for _, s := range p.Steps {
		if s.Kept {
			fmt.Fprintf(t, "%s\tkept\n", s.Step)
		} else {
			fmt.Fprintf(t, "%s\tto be done: %s\n", s.Step, s.Why)
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(out, "\nResults would go to %s.", p.Out)
	if room.known {
		fmt.Fprintf(out, " %s are free there", humanize.Bytes(room.free))
		if p.Replaces > 0 {
			fmt.Fprintf(out, ", and what stands there has %s", humanize.Bytes(uint64(p.Replaces)))
		}
		fmt.Fprint(out, ".")
	}
	_, err = fmt.Fprintln(out, " Nothing was written.")
	return err
}

func files(n int) string {
	if n == 1 {
		return "1 file"
	}
	return fmt.Sprintf("%d files", n)
}

// room is what a folder has.
type room struct {
	known bool
	free  uint64 // bytes
}

// roomFor looks whether a folder can be written to, or made, and how much is free there.
func roomFor(folder string) (room, error) {
	at, err := filepath.Abs(folder)
	if err != nil {
		return room{}, err
	}
	for {
		info, err := os.Stat(at)
		switch {
		case err == nil && !info.IsDir():
			return room{}, fmt.Errorf("out: %s is no folder; name another under out", at)
		case err == nil:
			return freeAt(at)
		case !errors.Is(err, fs.ErrNotExist), filepath.Dir(at) == at:
			return room{}, fmt.Errorf("out: %w", err)
		}
		at = filepath.Dir(at)
	}
}
