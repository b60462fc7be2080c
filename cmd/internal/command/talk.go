package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/ingest"
	"github.com/jobeffekt/jobeffekt/internal/plain"
)

// talk is what a command line says beside its results: log lines, how far it is, and
// why it failed. The flags --log and --quiet are its own, of every command.
type talk struct {
	out, err io.Writer
	told     *output
	format   string
	quiet    bool
	log      *slog.Logger // made anew once the flags are known
	meter    *effect.Meter
	screen   *screen // nil where the errors go to no terminal
}

// The formats of log lines.
const (
	logText = "text"
	logJSON = "json"
)

func newTalk(stdout, stderr io.Writer) *talk {
	t := &talk{out: stdout, err: stderr, format: logText, told: &output{}}
	if isTerminal(stderr) {
		t.meter = &effect.Meter{}
		t.screen = &screen{w: stderr, meter: t.meter}
		t.err = t.screen.over(stderr)
		if isTerminal(stdout) {
			t.out = t.screen.over(stdout)
		}
	}
	t.told.to = t.out
	t.out = t.told
	t.log = slog.New(t.handler())
	return t
}

// output is standard output, and remembers that it could not be written to. Whoever writes is
// not told: the work is done whether or not anybody can read what came of it.
type output struct {
	to     io.Writer
	failed error
}

func (t *output) Write(b []byte) (int, error) {
	if t.failed == nil {
		_, t.failed = t.to.Write(b)
	}
	return len(b), nil
}

// errOutput is a command whose work was done, and whose output was lost.
type errOutput struct{ err error }

func (e errOutput) Error() string {
	return fmt.Sprintf("what was asked for was done, and standard output could not be written to: %v", e.err)
}

func (e errOutput) Unwrap() error { return e.err }

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// handler writes log lines as the flags say: of --quiet, errors alone.
func (t *talk) handler() slog.Handler {
	o := &slog.HandlerOptions{Level: slog.LevelInfo}
	if t.quiet {
		o.Level = slog.LevelError
	}
	if t.format == logJSON {
		return slog.NewJSONHandler(t.err, o)
	}
	return slog.NewTextHandler(t.err, o)
}

// add adds the flags.
func (t *talk) add(root *cobra.Command) {
	f := root.PersistentFlags()
	f.StringVar(&t.format, "log", logText, "log lines, and why a command failed, as `text|json`")
	f.BoolVarP(&t.quiet, "quiet", "q", false, "no log lines and no progress; results and errors are still told")
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		if !slices.Contains([]string{logText, logJSON}, t.format) {
			given := t.format
			t.format = logText
			return usageError{fmt.Errorf("--log is text or json, not %q", given)}
		}
		*t.log = *slog.New(t.handler())
		if t.screen != nil && !t.quiet {
			cmd.SetContext(effect.WithMeter(cmd.Context(), t.meter))
			t.screen.start()
		}
		return nil
	}
}

// end ends a command line: it says why it failed, and gives the exit code.
func (t *talk) end(ctx context.Context, err error) int {
	if t.screen != nil {
		t.screen.stop()
	}
	if t.told.failed != nil && (err == nil || errors.Is(err, errGate)) {
		err = errOutput{t.told.failed}
	}
	code := exitCode(ctx, err)
	if err == nil || code == exitSignal+int(syscall.SIGPIPE) {
		return code // who went away wants to hear no more
	}
	why := plain.Lines(err.Error())
	var done doneError
	switch {
	case stopped(err) && errors.As(err, &done):
		why = "stopped; " + done.what
	case stopped(err):
		why = "stopped; no result was written"
	}
	if t.format == logJSON {
		t.log.Error(why, "exit", code)
	} else {
		fmt.Fprintf(t.err, "jobeffekt: %s\n", why)
	}
	return code
}

// doneError is an error after a part of the work was done, which stays.
type doneError struct {
	error
	what string
}

func (e doneError) Error() string { return e.what + ": " + e.error.Error() }
func (e doneError) Unwrap() error { return e.error }

// stopped says whether somebody ended the work.
func stopped(err error) bool { return errors.Is(err, context.Canceled) }

// exitCode is the exit code of a command that ended with err.
func exitCode(ctx context.Context, err error) int {
	var usage usageError
	switch {
	case err == nil:
		return exitDone
	case stopped(err):
		// As shells give it: 128 and the number of the signal.
		for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
			if cause := context.Cause(ctx); cause != nil && cause.Error() == s.String()+" signal received" {
				return exitSignal + int(s)
			}
		}
	case errors.Is(err, syscall.EPIPE) && errors.As(err, new(errOutput)):
		return exitSignal + int(syscall.SIGPIPE)
	case errors.As(err, &usage):
		return exitUsage
	case errors.Is(err, errGate):
		return exitGate
	case errors.Is(err, ingest.ErrTooManyRejects):
		return exitRejects
	}
	return exitFailed
}

// asksJSON looks for --log json where the flags were never read to their end.
func asksJSON(args []string) bool {
	for i, a := range args {
		if a == "--" {
			return false
		}
		if a == "--log="+logJSON || a == "--log" && i+1 < len(args) && args[i+1] == logJSON {
			return true
		}
	}
	return false
}

// name is the name of the program.
func name(ctx context.Context) string { return cmp.Or(optionsOf(ctx).Name, "jobeffekt") }
