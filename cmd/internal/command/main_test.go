package command

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/jobeffekt/jobeffekt"
	"github.com/jobeffekt/jobeffekt/cmd/jobeffekt/demo"
	"github.com/jobeffekt/jobeffekt/effect/world"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"jobeffekt": func() { Main(Options{}) }, "sqlite": sqlite, "early": early, "pagetext": pageText})
}

// The scripts in testdata/script read like a manual: what is typed, what comes
// back and with which exit code.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		Cmds:                map[string]func(*testscript.TestScript, bool, []string){"capture": capture},
	})
}

// pageText prints the text of a page, a line an element, up to its manifest: what is behind
// it differs from build to build.
func pageText() {
	page, err := os.Open(os.Args[1])
	if err != nil {
		panic(err)
	}
	d := xml.NewDecoder(page)
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	var line strings.Builder
	flush := func() {
		if s := strings.Join(strings.Fields(line.String()), " "); s != "" {
			fmt.Println(s)
		}
		line.Reset()
	}
	defer flush()
	style := false
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			panic(err)
		}
		switch e := token.(type) {
		case xml.StartElement:
			name := e.Name.Local
			style = name == "style"
			switch {
			case slices.Contains(e.Attr, xml.Attr{Name: xml.Name{Local: "id"}, Value: "manifest"}):
				return
			case name == "td" || name == "th":
				line.WriteString(" | ")
			case !slices.Contains([]string{"span", "strong", "a", "br", "code", "text", "tspan"}, name):
				flush()
			default:
				line.WriteString(" ")
			}
		case xml.CharData:
			if !style {
				line.Write(e)
			}
		}
	}
}

// The embedded dataset is the world named demo, to the byte.
func TestDemoData(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "data")
	require.NoError(t, jobeffekt.Synth(context.Background(), folder, world.Demo(), "751"))
	made := 0
	err := fs.WalkDir(os.DirFS(folder), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		made++
		want, err := fs.ReadFile(demo.Files, "data/"+path)
		require.NoError(t, err, "run go generate ./cmd/...")
		got, err := os.ReadFile(filepath.Join(folder, path))
		require.NoError(t, err)
		assert.True(t, bytes.Equal(want, got), "%s differs: run go generate ./cmd/...", path)
		return nil
	})
	require.NoError(t, err)
	assert.Equal(t, 10, made)
}
