// Package command is the command line of jobeffekt: flags, files and printing,
// each command a few lines over the package jobeffekt. The programs that are made
// of it differ in where their data may lie.
package command

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/jobeffekt/jobeffekt"
)

// Exit codes.
const (
	exitDone    = 0
	exitFailed  = 1
	exitUsage   = 2
	exitRejects = 3   // more rejects than the run file allows
	exitGate    = 4   // --fail-on-gate: a gate stopped a payment
	exitSignal  = 128 // and the number of the signal that ended the work: 129 SIGHUP, 130 SIGINT, 143 SIGTERM; 141: who read the output went away
)

// Options are what the programs made of this command line differ in.
type Options struct {
	// Name is the program's name, "" for jobeffekt.
	Name string
	// Open opens data that are a URL; nil: data are folders.
	Open jobeffekt.Opener
}

type optionsKey struct{}

// optionsOf are the options of the program that a command belongs to. They come with
// the context, as most commands have no use for them.
func optionsOf(ctx context.Context) Options {
	o, _ := ctx.Value(optionsKey{}).(Options)
	return o
}

// Main runs the command line of the process and ends it with the exit code.
func Main(o Options) {
	// The first interrupt ends the work cleanly; a second one ends the program. A terminal
	// that closes is one, but for what nohup started.
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	context.AfterFunc(ctx, stop)
	// Who reads the output may go away, as head does: the work is done all the same, and
	// the exit code says it.
	signal.Ignore(syscall.SIGPIPE)
	os.Exit(execute(context.WithValue(ctx, optionsKey{}, o), os.Args[1:], os.Stdout, os.Stderr))
}

// usageError marks an error of the command line.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// errGate ends a run whose gate stopped a payment, when that is asked for.
var errGate = errors.New("a gate stopped a payment")

// execute runs one command line and returns its exit code.
func execute(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	t := newTalk(stdout, stderr)
	root := newRoot(t)
	root.Use = name(ctx)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err != nil && strings.HasPrefix(err.Error(), "unknown command") {
		err = usageError{err} // the library has no type for it
	}
	if err != nil && asksJSON(args) {
		t.format = logJSON
		*t.log = *slog.New(t.handler())
	}
	return t.end(ctx, err)
}
