package command

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt/effect"
	"github.com/jobeffekt/jobeffekt/ingest"
)

// What a terminal of one line would show of what was written to it: each line, and
// after it what stands on the last.
func seen(written string) []string {
	var out []string
	for _, line := range strings.Split(written, "\n") {
		at := max(strings.LastIndex(line, "\r"), strings.LastIndex(line, "\x1b[2K"))
		out = append(out, strings.TrimLeft(line[at+1:], "\r"))
	}
	return out
}

func TestProgressStandsBelowLogLines(t *testing.T) {
	var to bytes.Buffer
	m := &effect.Meter{}
	s := &screen{w: &to, meter: m}
	out := s.over(&to)
	ctx := effect.WithMeter(context.Background(), m)
	now := time.Now()
	s.draw(now)
	assert.Empty(t, to.String(), "nothing is done yet")

	c := effect.Count(ctx, "reading spells", "rows", 1000)
	s.draw(now)
	c.Add(100)
	s.draw(now.Add(drawFrom / 2))
	assert.NotContains(t, to.String(), "reading", "a part that may be over at once has no line")
	c.Add(150)
	s.draw(now.Add(drawFrom))
	assert.Regexp(t, `reading spells +25% .*\(250/1000, [0-9]+ rows/s\) \[0s:[0-9]+s\]`, to.String())

	fmt.Fprintln(out, "level=INFO msg=inputs")
	assert.Equal(t, []string{"level=INFO msg=inputs", ""}, seen(to.String()), "the line of progress is gone")
	s.draw(now.Add(2 * drawFrom))
	lines := seen(to.String())
	assert.Contains(t, lines[len(lines)-1], "250/1000", "and comes back below")

	c.Add(750)
	s.draw(now.Add(3 * drawFrom))
	lines = seen(to.String())
	assert.Empty(t, lines[len(lines)-1], "what is done has no line")
	s.stop()
}

// Nothing but a terminal has progress.
func TestNoProgressWithoutTerminal(t *testing.T) {
	var out, err bytes.Buffer
	talk := newTalk(&out, &err)
	assert.Nil(t, talk.screen)
	assert.Nil(t, talk.meter)
}

func TestLogFormats(t *testing.T) {
	run := func(args ...string) (code int, stdout, stderr string) {
		var out, err bytes.Buffer
		code = execute(context.Background(), args, &out, &err)
		return code, out.String(), err.String()
	}
	world := t.TempDir() + "/world"
	synth := []string{"synth", world, "--persons", "50", "--municipalities", "3", "--providers", "1"}
	code, _, text := run(synth...)
	require.Equal(t, exitDone, code, text)
	assert.Regexp(t, `^time=\S+ level=INFO msg="synth done" persons=50 took=\S+\n$`, text)

	// Why it failed is a log line too, one and no more.
	type line struct {
		Level, Msg string
		Exit       int
	}
	for _, c := range []struct {
		args []string
		code int
		msg  string
	}{
		{append(synth, "--log", "json"), exitFailed, "folder is not empty"},
		{append(synth, "--log=json", "--quiet"), exitFailed, "folder is not empty"},
		{append(synth, "--nonsense", "--log", "json"), exitUsage, "unknown flag: --nonsense"},
		{[]string{"nonsense", "--log", "json"}, exitUsage, "unknown command"},
	} {
		code, _, text := run(c.args...)
		assert.Equal(t, c.code, code)
		var l line
		require.NoError(t, json.Unmarshal([]byte(text), &l), text)
		assert.Equal(t, "ERROR", l.Level)
		assert.Equal(t, c.code, l.Exit)
		assert.Contains(t, l.Msg, c.msg)
	}
	code, _, text = run(append(synth, "--log", "xml")...)
	assert.Equal(t, exitUsage, code)
	assert.Equal(t, "jobeffekt: --log is text or json, not \"xml\"\n", text)

	synth[1] = t.TempDir() + "/other"
	code, _, text = run(append(synth, "--quiet")...)
	assert.Equal(t, exitDone, code)
	assert.Empty(t, text)
}

func TestExitCodes(t *testing.T) {
	for code, err := range map[int]error{
		exitDone: nil, exitFailed: errors.New("x"), exitUsage: usageError{errors.New("x")},
		exitRejects: fmt.Errorf("x: %w", ingest.ErrTooManyRejects), exitGate: errors.Join(errGate, errors.New("x")),
	} {
		assert.Equal(t, code, exitCode(context.Background(), err))
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(errors.New("terminated signal received")) // what signal.NotifyContext says
	assert.Equal(t, 143, exitCode(ctx, context.Canceled))
	assert.Equal(t, "terminated", syscall.SIGTERM.String())
	assert.Equal(t, "interrupt", syscall.SIGINT.String())
	assert.Equal(t, exitFailed, exitCode(context.Background(), context.Canceled))
}
