// Command supply makes what is handed out: the archives of a release with their SBOM, and
// the list of licences. It also says how far the figures of two results folders differ.
// It is called by .ci/release, .ci/machines and .ci/run; it needs the go command, git for
// releases, and no network where the module cache holds the modules.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

const usage = `usage:
  supply licences              writes docs/licences.md, of the folder above tools
  supply release VERSION OUT   writes the archives of the commit that is checked out
  supply figures NAME A B      compares the result tables of two folders, all as CSV; NAME heads the line`

func main() {
	root := flag.String("root", ".", "folder of the repository")
	targets := flag.String("targets", strings.Join(platforms(), ","), "systems to make archives for")
	flag.Usage = func() { fmt.Fprintln(os.Stderr, usage); flag.PrintDefaults() }
	flag.Parse()
	if err := do(os.Stdout, *root, strings.Split(*targets, ","), flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "supply:", err)
		if errors.Is(err, errUsage) {
			os.Exit(2)
		}
		os.Exit(1)
	}
}

var errUsage = errors.New(usage)

func do(w io.Writer, root string, targets, args []string) error {
	switch {
	case len(args) == 1 && args[0] == "licences":
		text, err := licences(root)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(root, licencesFile), []byte(text), 0o644)
	case len(args) == 3 && args[0] == "release":
		return release(w, root, targets, args[1], args[2])
	case len(args) == 4 && args[0] == "figures":
		return figures(w, args[1], args[2], args[3])
	}
	return errUsage
}
