package command

import (
	"bufio"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/ingest"
)

// longestID is how long a line with an identifier may be.
const longestID = 64 << 10

// newPseudonym makes the pseudonyms of identifiers on the standard input.
func newPseudonym() *cobra.Command {
	var column string
	c := &cobra.Command{
		Use:   "pseudonym jobeffekt.yaml",
		Short: "Make the pseudonyms of identifiers, one on each line of the standard input",
		Long: `Reads identifiers from the standard input, one on each line, and writes to the standard
output what stands for each in the results of the run file, in the same order: so
somebody who has the key and may know who a person is can find its rows. An identifier
is never an argument, as arguments are seen by everybody on the machine, and no mapping is
kept. The way back does not exist.`,
		Example: `  jobeffekt pseudonym jobeffekt.yaml < ids.txt
  jobeffekt pseudonym jobeffekt.yaml --column participation_id < ids.txt`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			config, err := jobeffekt.LoadConfig(args[0])
			if err != nil {
				return err
			}
			pseudonym, err := config.Pseudonym(column)
			if err != nil {
				return err
			}
			in := bufio.NewScanner(cmd.InOrStdin())
			in.Buffer(nil, longestID)
			out := bufio.NewWriter(cmd.OutOrStdout())
			line := 0
			for in.Scan() {
				if line++; len(in.Bytes()) == 0 {
					return errors.Join(fmt.Errorf("line %d of the standard input is empty: give one identifier on each", line), out.Flush())
				}
				fmt.Fprintln(out, pseudonym(in.Text()))
			}
			if errors.Is(in.Err(), bufio.ErrTooLong) {
				return errors.Join(fmt.Errorf("line %d of the standard input is longer than an identifier can be (%d bytes)", line+1, longestID), out.Flush())
			}
			return errors.Join(in.Err(), out.Flush())
		},
	}
	c.Flags().StringVar(&column, "column", "person_id", "column of the contract that the identifiers are of")
	return c
}

// pseudonymFlags say where the key of pseudonyms lies, for commands without a run file.
type pseudonymFlags struct{ file, env string }

func (f *pseudonymFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.file, "pseudonym-key-file", "", "file with the key by which persons become pseudonyms (64 hexadecimal digits)")
	c.Flags().StringVar(&f.env, "pseudonym-key-env", "", "variable of the environment with the key, in place of a file")
}

// key is the key, nil where none is asked for.
func (f *pseudonymFlags) key() (*ingest.PseudonymKey, error) {
	switch {
	case f.file == "" && f.env == "":
		return nil, nil
	case f.file != "" && f.env != "":
		return nil, usageError{errors.New("--pseudonym-key-file and --pseudonym-key-env: the key lies in one place; give one of them")}
	}
	return jobeffekt.ReadPseudonymKey(f.file, f.env)
}
