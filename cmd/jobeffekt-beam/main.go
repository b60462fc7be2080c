// Command jobeffekt-beam does the step measure of a run file on Apache Beam: each
// part of the table spells is observed by some worker, which writes its partial to
// a folder that all workers share; one worker then makes the tables of the step
// from the partials. They are those of jobeffekt measure, byte for byte. The steps
// after it follow with jobeffekt, from the same results folder.
//
//	jobeffekt-beam --partials FOLDER [flags] jobeffekt.yaml
//
// Without --runner it runs within itself, on Beam's own runner, Prism. docs/beam.md
// has the commands for Flink, Spark and Dataflow.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/options/jobopts"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/runners"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/x/beamx"
)

// Exit codes, as those of jobeffekt.
const (
	exitFailed = 1
	exitUsage  = 2
)

// usageError marks an error of the command line.
type usageError struct{ error }

func main() {
	var j Job
	groups := j.flags(flag.CommandLine)
	provision := flag.String("provision_endpoint", "", "given by a runner that starts this program as its worker process")
	flag.Parse() // Beam's flags stand beside ours
	register()
	beam.Init() // does not return in the worker of a container
	if *provision != "" {
		if err := work(context.Background(), flag.Lookup("id").Value.String(), *provision); err != nil {
			fail(err)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second interrupt ends the program
	if err := run(ctx, j, *groups, flag.Args(), os.Stdout); err != nil {
		fail(err)
	}
}

// fail ends the program with what went wrong.
func fail(err error) {
	fmt.Fprintf(os.Stderr, "jobeffekt-beam: %v\n", err)
	if errors.As(err, new(usageError)) {
		os.Exit(exitUsage)
	}
	os.Exit(exitFailed)
}

// flags adds what a job is told on the command line, beside its run file.
func (j *Job) flags(f *flag.FlagSet) (groups *int) {
	f.StringVar(&j.Partials, "partials", "", "folder that every worker shares, where partials are written; they hold days of persons (required)")
	f.StringVar(&j.AsOf, "as-of", "", "last day that counts, in place of the run file's")
	f.StringVar(&j.Data, "data", "", "folder of the dataset, in place of the run file's")
	f.StringVar(&j.Out, "out", "", "folder of the results, in place of the run file's")
	return f.Int("groups", 0, "row groups in a part at most; 0: a part is a file")
}

// run submits one job, waits for its end and says where the results are.
func run(ctx context.Context, j Job, groups int, args []string, stdout io.Writer) error {
	switch {
	case len(args) != 1:
		return usageError{errors.New("one run file, after the flags\nusage: jobeffekt-beam --partials FOLDER [flags] jobeffekt.yaml")}
	case j.Partials == "":
		return usageError{errors.New("--partials is missing: a folder that every worker shares")}
	case groups < 0:
		return usageError{errors.New("--groups is negative: give row groups in a part, or 0 for whole files")}
	}
	j.RunFile = args[0]
	if err := j.absolute(); err != nil {
		return err
	}
	c, parts, err := j.plan(ctx, groups)
	if err != nil {
		return err
	}
	if err := stageSelf(); err != nil {
		return err
	}
	if err := beamx.Run(ctx, j.pipeline(parts)); err != nil {
		return err
	}
	if *jobopts.Async || flag.Lookup("dry_run").Value.String() == "true" {
		fmt.Fprintf(stdout, "Parts of spells: %d; the end of the job was not waited for\n", len(parts))
		return nil
	}
	fmt.Fprintf(stdout, "Parts of spells measured: %d\n\nResults are in %s\n", len(parts), c.ResultsFolder())
	return nil
}

// stageSelf hands this program to the workers of a runner elsewhere, unless the
// command line names another one. Beam would compile it again, from source.
func stageSelf() error {
	if *jobopts.WorkerBinary != "" || *runners.Runner == "" {
		return nil
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	*jobopts.WorkerBinary = self
	return nil
}
