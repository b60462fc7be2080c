package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/bonus"
	"github.com/jobeffekt/jobeffekt/bonus/spec"
	"github.com/jobeffekt/jobeffekt/cmd/internal/report"
	"github.com/jobeffekt/jobeffekt/cmd/internal/report/words"
	"github.com/jobeffekt/jobeffekt/cmd/jobeffekt/demo"
	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/effect/world"
	"github.com/jobeffekt/jobeffekt/internal/whole"
)

func newRoot(t *talk) *cobra.Command {
	root := &cobra.Command{
		Use:   "jobeffekt",
		Short: "Measure employment effects, benchmark them and settle results bonuses",
		Long: `jobeffekt reads case histories from Parquet, measures what became of each
participation, sets every provider's citizens against similar citizens elsewhere,
and works out what the terms of the agreements pay.

Start with:  jobeffekt demo`,
		SilenceUsage: true, SilenceErrors: true,
	}
	root.Version = jobeffekt.ThisProgram().String()
	root.SetVersionTemplate("{{.Name}} {{.Version}}\n")
	root.SetOut(t.out)
	root.SetErr(t.err)
	t.add(root)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	log := t.log
	root.AddCommand(
		newDemo(), newCheck(), newRun(log),
		newMeasure(log), newMap(log), newReduce(log),
		newStep(log, jobeffekt.StepEstimate, "Choose peers and estimate every cell, from the tables of measure"),
		newStep(log, jobeffekt.StepBenchmark, "Split differences into municipality and provider, from the tables of estimate"),
		newStep(log, jobeffekt.StepSettle, "Work out what the terms pay, from the tables of benchmark"),
		newSeal(), newAccept(), newExplain(), newVerify(), newLedger(), newReconcile(),
		newCompare(), newPeers(), newBeforeAfter(), newRank(), newArrange(log), newDream(log), newPseudonym(), newSynth(log), newSimulate(log),
		newSchema(), newMan(), newInit(), newReport(),
	)
	for _, c := range root.Commands() {
		usage(c)
		complete(c)
	}
	group(root)
	return root
}

// usage makes wrong arguments of a command errors of the command line.
func usage(c *cobra.Command) {
	args := c.Args
	c.Args = func(cmd *cobra.Command, a []string) error {
		if err := args(cmd, a); err != nil {
			return usageError{fmt.Errorf("%w\nusage: %s", err, cmd.UseLine())}
		}
		return nil
	}
}

// runFlags are the flags of every command that reads a run file.
type runFlags struct {
	asOf, data, out     string
	failOnGate, blinded bool
	timings             bool
	again, dryRun       bool
	after               afterRun
	metrics             metrics
	command             *cobra.Command
}

// addData adds those of commands that read the data.
func (f *runFlags) addData(c *cobra.Command, dated bool) {
	f.command = c
	if dated {
		c.Flags().StringVar(&f.asOf, "as-of", "", "last day that counts, in place of the run file's")
	}
	c.Flags().StringVar(&f.data, "data", "", "folder of the dataset, or its URL, in place of the run file's")
}

// addTimings adds that of commands that log what they do.
func (f *runFlags) addTimings(c *cobra.Command) {
	c.Flags().BoolVar(&f.timings, "timings", false, "log how long the parts of each step took, too")
}

func (f *runFlags) add(c *cobra.Command, dated, settles bool) {
	f.addData(c, dated)
	c.Flags().StringVar(&f.out, "out", "", "folder of the results, in place of the run file's")
	if settles {
		c.Flags().BoolVar(&f.failOnGate, "fail-on-gate", false, "exit with 4 when a gate stops a payment")
	}
}

// load reads the run file with what the flags replace.
func (f *runFlags) load(path string) (*jobeffekt.Config, error) {
	c, err := jobeffekt.LoadConfig(path)
	if err != nil {
		return nil, err
	}
	if f.asOf != "" {
		if c.AsOf, err = effect.ParseDate(f.asOf); err != nil {
			return nil, usageError{fmt.Errorf("--as-of: %w", err)}
		}
	}
	c.Blinded = c.Blinded || f.blinded
	c.Open = optionsOf(f.command.Context()).Open
	for _, p := range []struct {
		given string
		field *string
	}{{f.data, &c.Data}, {f.out, &c.Out}} {
		if strings.Contains(p.given, "://") {
			*p.field = p.given
		} else if p.given != "" {
			if *p.field, err = filepath.Abs(p.given); err != nil {
				return nil, err
			}
		}
	}
	return c, nil
}

// finish prints what a run made and where it is.
func (f *runFlags) finish(cmd *cobra.Command, r *jobeffekt.Result, c *jobeffekt.Config) error {
	fmt.Fprint(cmd.OutOrStdout(), r.Summary())
	fmt.Fprintf(cmd.OutOrStdout(), "\nResults are in %s\n", c.ResultsFolder())
	if f.failOnGate && r.Settlement != nil {
		for _, l := range r.Settlement.Lines {
			if l.Gated() {
				return errGate
			}
		}
	}
	return nil
}

// newJob is a command that reads a run file, does something with it and shows
// what came of it.
func newJob(log *slog.Logger, name, short string, dated, settles, blinds bool, do func(context.Context, *jobeffekt.Config) (*jobeffekt.Result, error)) *cobra.Command {
	var f runFlags
	c := &cobra.Command{
		Use:   name + " jobeffekt.yaml",
		Short: short,
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.dryRun {
				config, err := f.load(args[0])
				if err != nil {
					return err
				}
				config.Keep = !f.again
				return dryRun(cmd, config)
			}
			if err := f.metrics.check(); err != nil {
				return err
			}
			var config *jobeffekt.Config
			err := func() (err error) {
				if config, err = f.load(args[0]); err != nil {
					return err
				}
				config.Keep = blinds && !f.again
				if err := f.after.check(config.Blinded); err != nil {
					return err
				}
				began := time.Now()
				r, err := do(cmd.Context(), f.logged(log, config))
				if err != nil {
					return err
				}
				took := []any{"took", time.Since(began).Round(time.Millisecond)}
				if r.Observations != nil {
					took = append(took, "participations", r.Observations.Cases.Len(), "rejected", len(r.Rejects))
				}
				log.Info(name+" done", took...)
				gated := f.finish(cmd, r, config)
				after := f.after.do(cmd.Context(), cmd.OutOrStdout(), config.ResultsFolder())
				if stopped(after) {
					after = doneError{after, "the results were written, and nothing went into the ledger"}
				}
				return errors.Join(after, gated)
			}()
			return f.metrics.write(cmd.Context(), config, err)
		},
	}
	f.metrics.add(c)
	f.add(c, dated, settles)
	f.addTimings(c)
	if settles {
		f.after.add(c, !blinds)
	}
	if blinds {
		c.Flags().BoolVar(&f.blinded, "blinded", false, "write no effects, only what a payment depends on")
		c.Flags().BoolVar(&f.again, "again", false, "do every step, even if its tables stand there already, made by this program of the same inputs")
		c.Flags().BoolVar(&f.dryRun, "dry-run", false, "say what would be done, or what is wrong, and write nothing")
	}
	return c
}

// logged logs a line for each step as it is done, and for what it is made of where that is
// asked for.
func (f *runFlags) logged(log *slog.Logger, c *jobeffekt.Config) *jobeffekt.Config {
	step := time.Now()
	part := step
	c.Progress = func(p jobeffekt.Progress) {
		now := time.Now()
		took := now.Sub(part)
		if part = now; !p.Within {
			took, step = now.Sub(step), now
			f.metrics.did(p, took)
		} else if !f.timings {
			return
		}
		line := []any{"took", took.Round(time.Millisecond)}
		switch {
		case p.Kept:
			line = append(line, "kept", true)
		case !p.Within && p.Did != jobeffekt.DidInputs:
			line = append(line, "rows", p.Rows)
		}
		if p.Cells > 0 {
			line = append(line, "comparisons", p.Cells, "refused", p.Refusals)
		}
		log.Info(p.Did, line...)
	}
	return c
}

func newRun(log *slog.Logger) *cobra.Command {
	c := newJob(log, "run", "Do all steps into one folder, but those that stand there already", true, true, true, jobeffekt.Run)
	c.Long = `Does the whole job that a run file describes: measure, estimate, benchmark and settle, into
one folder, whole or not at all. A step is kept whose tables stand there as this program
would make them of the same inputs. With --dry-run nothing is done or written: it says what
is wrong with the run file, the terms, the columns and state codes of the dataset, the folder
and its disk, and which steps would be done. docs/operate.md says how to run it every night.`
	c.Example = `  jobeffekt run jobeffekt.yaml --as-of 2010-06-30
  jobeffekt run jobeffekt.yaml --dry-run
  jobeffekt run jobeffekt.yaml --quiet --log json --metrics /var/lib/node_exporter/jobeffekt.prom
  jobeffekt run jobeffekt.yaml --blinded --out blinded-results`
	return c
}

func newStep(log *slog.Logger, s jobeffekt.Step, short string) *cobra.Command {
	return newJob(log, string(s), short, s == jobeffekt.StepMeasure, s == jobeffekt.StepSettle, false, func(ctx context.Context, c *jobeffekt.Config) (*jobeffekt.Result, error) {
		return jobeffekt.RunStep(ctx, c, s)
	})
}

func newSeal() *cobra.Command {
	var name, role, on, version string
	var show bool
	c := &cobra.Command{
		Use:   "seal terms.yaml",
		Short: "Seal terms, so that what they pay is not retrospective",
		Long: `Adds an entry to the file beside the terms (terms.seal.yaml) that says who sealed
which version, in which role, on which day, with the hash of everything that decides
what the version pays. Without --version, every version is sealed that has no seal
that holds and whose first referral lies after the day. The day is taken as given:
the program knows no clock. With --show nothing is sealed, and the text that is
hashed is printed, as in: jobeffekt seal terms.yaml --show --version 2008-01-01 | sha256sum`,
		Example: `  jobeffekt seal terms.yaml --name "N. N." --role "head of finance" --on 2007-12-14`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			days := [2]effect.Date{effect.NoDate, effect.NoDate}
			for i, d := range [2]struct{ flag, text string }{{"version", version}, {"on", on}} {
				var err error
				if d.text == "" {
					continue
				}
				if days[i], err = effect.ParseDate(d.text); err != nil {
					return usageError{fmt.Errorf("--%s: %w", d.flag, err)}
				}
			}
			if show {
				return showSealed(cmd.OutOrStdout(), args[0], days[0])
			}
			if name == "" || role == "" || on == "" {
				return usageError{errors.New("--name, --role and --on say who seals and when")}
			}
			added, err := jobeffekt.SealTerms(args[0], days[0], days[1], name, role)
			if err != nil {
				return err
			}
			for _, s := range added {
				fmt.Fprintf(cmd.OutOrStdout(), "Sealed the version valid from %s up to %s: sha256 %s\n", s.Version, s.Until, s.SHA256)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "Keep %s beside the terms.\n", jobeffekt.SealsName(args[0]))
			return nil
		},
	}
	c.Flags().StringVar(&name, "name", "", "who seals")
	c.Flags().StringVar(&role, "role", "", "in which role")
	c.Flags().StringVar(&on, "on", "", "day of the seal")
	c.Flags().StringVar(&version, "version", "", "valid_from of the version; every one that can be sealed if left out")
	c.Flags().BoolVar(&show, "show", false, "print the text that is hashed, and seal nothing")
	return c
}

// showSealed prints the canonical text of a version, or of the only one.
func showSealed(out io.Writer, path string, version effect.Date) error {
	t, err := jobeffekt.ReadTerms(path)
	if err != nil {
		return err
	}
	for i, v := range t.Versions {
		if v.ValidFrom == version || version == effect.NoDate && len(t.Versions) == 1 {
			_, err := out.Write(t.Canonical(i, t.Until(i)))
			return err
		}
	}
	return usageError{errors.New("--version: name one of the versions of the terms by its valid_from")}
}

func newAccept() *cobra.Command {
	var d bonus.Decision
	var on, decision string
	c := &cobra.Command{
		Use:   "accept FOLDER",
		Short: "Record what was decided on the diagnostics of a blinded run",
		Long: `Adds an entry to acceptance.yaml in the folder of a blinded run: who decided, in
which role, when, what and why, with the hash of the diagnostics. Refusals are recorded
too. The last decision of a role counts. Terms whose gate asks for an acceptance pay
only in a run whose run file names the folder under accepted.`,
		Example: `  jobeffekt accept blinded-results --name "N. N." --role controller --on 2010-07-15 --decision accepted`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if d.Name == "" || d.Role == "" || on == "" || decision == "" {
				return usageError{errors.New("--name, --role, --on and --decision say who decided what, and when")}
			}
			var err error
			if d.On, err = effect.ParseDate(on); err != nil {
				return usageError{fmt.Errorf("--on: %w", err)}
			}
			d.Decision = bonus.Answer(decision)
			if err := jobeffekt.Accept(args[0], d); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "Recorded as %s in %s\n", d.Decision, filepath.Join(args[0], jobeffekt.AcceptanceName))
			return nil
		},
	}
	c.Flags().StringVar(&d.Name, "name", "", "who decides")
	c.Flags().StringVar(&d.Role, "role", "", "in which role")
	c.Flags().StringVar(&on, "on", "", "day of the decision")
	c.Flags().StringVar(&decision, "decision", "", "accepted or refused")
	c.Flags().StringVar(&d.Note, "note", "", "why")
	return c
}

func newSynth(log *slog.Logger) *cobra.Command {
	o := world.Default()
	var named, truthFor string
	c := &cobra.Command{
		Use:   "synth FOLDER",
		Short: "Write a simulated dataset with known true effects",
		Long: `Writes a world of any size as a dataset of the data contract: municipalities with
framework conditions, providers, selection into providers by history, late register
data, dropouts, no-shows, renamed and consortium providers, spending, surveys, inspections
and what providers write. truth.parquet beside the tables holds the true effect of every
cell. Municipalities are real, their conditions and everything about providers is invented.`,
		Example: "  jobeffekt synth world --persons 100000 --seed 7",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch named {
			case "":
			case "demo":
				if cmd.Flags().Changed("persons") || cmd.Flags().Changed("municipalities") || cmd.Flags().Changed("seed") {
					return usageError{errors.New("--world demo is a fixed world: it takes no persons, municipalities or seed")}
				}
				o = world.Demo()
			default:
				return usageError{fmt.Errorf("--world %q: the only named world is demo", named)}
			}
			began := time.Now()
			if err := jobeffekt.Synth(cmd.Context(), args[0], o, truthFor); err != nil {
				return err
			}
			log.Info("synth done", "persons", o.Persons, "took", time.Since(began).Round(time.Millisecond))
			return nil
		},
	}
	c.Flags().Uint64Var(&o.Seed, "seed", o.Seed, "seed of the world")
	c.Flags().IntVar(&o.Persons, "persons", o.Persons, "citizens, each referred at least once")
	c.Flags().IntVar(&o.Municipalities, "municipalities", o.Municipalities, "municipalities")
	c.Flags().IntVar(&o.ProvidersPerMunicipality, "providers", o.ProvidersPerMunicipality, "providers in each municipality")
	c.Flags().Float64Var(&o.ProviderSD, "provider-sd", o.ProviderSD, "standard deviation of the providers' true effects, in log-odds of finding a job in a week")
	c.Flags().Float64Var(&o.MunicipalitySD, "municipality-sd", o.MunicipalitySD, "standard deviation of the municipalities' true effects, in log-odds of finding a job in a week")
	c.Flags().Float64Var(&o.Selection, "selection", o.Selection, "how strongly providers differ in their case mix")
	c.Flags().StringVar(&named, "world", "", "a named world in place of the flags: demo")
	c.Flags().StringVar(&truthFor, "truth-for", "", "municipality whose true effects are written; all if left out")
	return c
}

func newSchema() *cobra.Command {
	return &cobra.Command{
		Use:       "schema run|terms|spec",
		Short:     "Print the JSON Schema of run files, terms or their specs, for editors",
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"run", "terms", "spec"},
		RunE: func(cmd *cobra.Command, args []string) error {
			b, err := map[string]func() ([]byte, error){"run": jobeffekt.ConfigSchema, "terms": bonus.Schema, "spec": spec.Schema}[args[0]]()
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(b)
			return err
		},
	}
}

// newDemo unpacks the embedded dataset, run file and terms and does the job.
func newDemo() *cobra.Command {
	var folder string
	c := &cobra.Command{
		Use:   "demo",
		Short: "Run the whole job on a small embedded dataset",
		Long: `Unpacks a simulated dataset (twelve real municipalities, invented providers and
citizens) with its run file and terms, and does the whole job on it.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runDemo(cmd.Context(), cmd.OutOrStdout(), folder)
		},
	}
	c.Flags().StringVar(&folder, "folder", "jobeffekt-demo", "folder to unpack and work in")
	return c
}

func runDemo(ctx context.Context, stdout io.Writer, folder string) error {
	if err := unpackDemo(folder); err != nil {
		return err
	}
	config, err := jobeffekt.LoadConfig(filepath.Join(folder, "jobeffekt.yaml"))
	if err != nil {
		return err
	}
	r, err := jobeffekt.Run(ctx, config)
	if err != nil {
		return err
	}
	fmt.Fprint(stdout, r.Summary())
	results, published := config.ResultsFolder(), filepath.Join(folder, "report")
	if _, err := publish(ctx, results, published, 0, report.Options{Languages: words.Tags(), Yearly: true, Only: []report.Part{report.Committee, report.Providers}}); err != nil {
		if stopped(err) {
			err = doneError{err, "the results are in " + results + ", and no report was written"}
		}
		return err
	}
	fmt.Fprintf(stdout, "\nResults are in %s, and what they were made of in %s.\nThe committee's report is %s\n", results, folder, filepath.Join(published, "report.da.html"))
	fmt.Fprintf(stdout, "Next:\n  go run ./cmd/jobeffekt explain %s\n  go run ./cmd/jobeffekt verify %s\n  go run ./cmd/jobeffekt report %s --out publication   (every table and a workbook too)\n", results, results, results)
	return nil
}

// unpackDemo writes the embedded files to the folder. A file that is there
// already is kept, so that one can change the run file and look what happens.
func unpackDemo(folder string) error {
	files := demo.Files
	return fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		to := filepath.Join(folder, filepath.FromSlash(path))
		if d.IsDir() {
			return os.MkdirAll(to, 0o700)
		}
		if _, err := os.Stat(to); err == nil {
			return nil
		}
		b, err := fs.ReadFile(files, path)
		if err != nil {
			return err
		}
		return whole.Write(to, 0o600, b) // as what is there is kept
	})
}
