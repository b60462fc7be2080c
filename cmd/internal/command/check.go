package command

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/internal/plain"
)

func newCheck() *cobra.Command {
	var f runFlags
	c := &cobra.Command{
		Use:   "check jobeffekt.yaml | terms.yaml | terms.spec.yaml",
		Short: "Validate the run file, the terms and the dataset's columns; run the specs of terms",
		Long: `Of a run file, everything is validated that can be without computing: its keys, the
terms, and the columns of the dataset. Of terms alone, the terms. In both cases the
spec beside each terms file (terms.spec.yaml beside terms.yaml) is run: scenarios
with what the terms are to pay. A scenario that fails is printed as a table of what
was expected and what came.`,
		Example: "  jobeffekt check jobeffekt.yaml\n  jobeffekt check terms.yaml",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return check(cmd.Context(), cmd.OutOrStdout(), args[0], &f)
		},
	}
	f.add(c, true, false)
	return c
}

func check(ctx context.Context, out io.Writer, path string, f *runFlags) error {
	if (jobeffekt.IsSpec(path) || jobeffekt.IsTerms(path)) && (f.asOf != "" || f.data != "" || f.out != "") {
		return usageError{fmt.Errorf("--as-of, --data and --out belong to a run file, and %s is none", path)}
	}
	switch {
	case jobeffekt.IsSpec(path):
		n, err := jobeffekt.CheckSpec(ctx, path)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "The terms do what the spec says: %s.\n", holding(n))
		return nil
	case jobeffekt.IsTerms(path):
		n, err := jobeffekt.CheckTerms(ctx, path)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "The terms are in order%s.\n", andHolding(n))
		return open(out, path)
	}
	config, err := f.load(path)
	if err != nil {
		return err
	}
	if err := jobeffekt.Check(ctx, config); err != nil {
		return err
	}
	n, err := config.CheckSpecs(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "The run file, the terms and the dataset's columns are in order%s.\n", andHolding(n))
	files := []string{path}
	for _, t := range config.Terms {
		if !filepath.IsAbs(t) {
			t = filepath.Join(filepath.Dir(path), t)
		}
		files = append(files, t)
	}
	return open(out, files...)
}

// open lists the questions of init that stand in files, where nobody has answered them.
func open(out io.Writer, files ...string) error {
	var found []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		for i, line := range strings.Split(string(text), "\n") {
			if strings.Contains(line, question) {
				found = append(found, fmt.Sprintf("  %s:%d: %s", file, i+1, plain.Line(strings.TrimSpace(line))))
			}
		}
	}
	if len(found) == 0 {
		return nil
	}
	_, err := fmt.Fprintf(out, "\nQuestions that nobody has answered: %d (take the mark %s out of a line once it is):\n%s\n", len(found), question, strings.Join(found, "\n"))
	return err
}

// holding says how many scenarios of specs hold.
func holding(n int) string {
	if n == 1 {
		return "1 scenario holds"
	}
	return fmt.Sprintf("all %d scenarios hold", n)
}

// andHolding ends a sentence; there may be no spec.
func andHolding(n int) string {
	if n == 0 {
		return ""
	}
	return ", and " + holding(n) + " of the specs beside the terms"
}
