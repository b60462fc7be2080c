package command

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"
)

// docs/committee.md is run as it stands: its files are saved under the names behind their
// language, its commands typed into a shell, and what they print must be what the page
// shows. A line ... stands for any lines. UPDATE_SCRIPTS=1 writes the page anew, but for
// blocks with such lines.
func TestCommitteeExample(t *testing.T) {
	for _, tool := range []string{"sh", "awk", "sed", "grep"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not there, with which the page is typed", tool)
		}
	}
	page := filepath.Join("..", "..", "..", "docs", "committee.md")
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	var script strings.Builder
	var saved []string
	updated := string(text)
	for k, block := range blocks(string(text)) {
		switch {
		case block.name != "":
			saved = append(saved, "-- "+block.name+" --\n"+block.text)
		case block.language == "console":
			for i, typed := range typedIn(block.text) {
				name := fmt.Sprintf("typed-%d-%d.sh", k, i)
				fmt.Fprintf(&script, "exec sh %s\nprinted %s\n", name, name+".out")
				saved = append(saved, "-- "+name+" --\n"+typed.command+"\n", "-- "+name+".out --\n"+typed.output)
			}
		}
	}
	require.NotEmpty(t, saved)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "committee.txtar"), []byte(script.String()+strings.Join(saved, "")), 0o600))
	update := os.Getenv("UPDATE_SCRIPTS") != ""
	if update {
		t.Cleanup(func() { require.NoError(t, os.WriteFile(page, []byte(updated), 0o644)) })
	}
	testscript.Run(t, testscript.Params{
		Dir: dir, RequireExplicitExec: true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"printed": func(ts *testscript.TestScript, _ bool, args []string) {
				// Lines of CSV end in a carriage return, which a page does not show.
				got, want := strings.ReplaceAll(ts.ReadFile("stdout"), "\r\n", "\n"), ts.ReadFile(args[0])
				switch {
				case like(got, want):
				case update && want != "" && !strings.Contains(want, "...\n"):
					updated = strings.Replace(updated, want, got, 1)
				default:
					ts.Fatalf("%s: printed\n%s\nand the page shows\n%s", ts.ReadFile(strings.TrimSuffix(args[0], ".out")), got, want)
				}
			},
		},
	})
}

type block struct{ language, name, text string }

// blocks are the fenced blocks of a page; a name stands behind the language.
func blocks(page string) (out []block) {
	in, b := false, block{}
	for line := range strings.Lines(page) {
		switch mark, ok := strings.CutPrefix(line, "```"); {
		case ok && !in:
			b.language, b.name, _ = strings.Cut(strings.TrimSpace(mark), " ")
			in = true
		case ok:
			out = append(out, b)
			in, b = false, block{}
		case in:
			b.text += line
		}
	}
	return out
}

type typed struct{ command, output string }

// typedIn are the commands of a block, which begin with "$ " and go on with "> ", each with
// what it prints.
func typedIn(text string) (out []typed) {
	for line := range strings.Lines(text) {
		switch command, ok := strings.CutPrefix(line, "$ "); {
		case ok:
			out = append(out, typed{command: command})
		case strings.HasPrefix(line, "> "):
			out[len(out)-1].command += line[2:]
		default:
			out[len(out)-1].output += line
		}
	}
	return out
}

// like says whether a text is as another, in which a line ... stands for any lines.
func like(got, want string) bool {
	parts := strings.Split("\n"+want, "\n...\n")
	got = "\n" + got
	if !strings.HasPrefix(got, parts[0]) {
		return false
	}
	if len(parts) == 1 {
		return got == parts[0]
	}
	got = got[len(parts[0]):]
	for i, part := range parts[1:] {
		if i == len(parts)-2 {
			return strings.HasSuffix(got, part)
		}
		_, rest, found := strings.Cut(got, "\n"+part)
		if !found {
			return false
		}
		got = rest
	}
	return true
}
