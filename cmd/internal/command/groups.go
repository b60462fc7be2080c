package command

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/jobeffekt/jobeffekt"
)

// group puts commands under headings, in the order in which --help lists them. A command
// under none comes last, under another heading.
func group(root *cobra.Command) {
	for _, g := range []struct{ id, title, commands string }{
		{"begin", "Begin:", "demo init check schema"},
		{"job", "The job, whole or step by step:", "run measure map reduce estimate benchmark settle peers"},
		{"read", "What came of it:", "report explain verify compare"},
		{"money", "Terms and money:", "seal accept simulate reconcile ledger"},
		{"table", "Figures from one table:", "rank before-after"},
		{"data", "Data:", "arrange dream pseudonym synth"},
		{"program", "This program:", "completion man help"},
	} {
		root.AddGroup(&cobra.Group{ID: g.id, Title: g.title})
		names := strings.Fields(g.commands)
		for _, c := range root.Commands() {
			if slices.Contains(names, c.Name()) {
				c.GroupID = g.id
			}
		}
		if g.id == "program" {
			root.SetCompletionCommandGroupID(g.id)
			root.SetHelpCommandGroupID(g.id)
		}
	}
}

// complete lets a shell complete the arguments of a command by what its usage line calls
// them: run files and terms, folders, tables, the lines of a settlement. Nothing completes
// to the identifier of a participation.
func complete(c *cobra.Command) {
	for _, under := range c.Commands() {
		complete(under)
	}
	if c.ValidArgsFunction != nil || len(c.ValidArgs) > 0 {
		return
	}
	_, usage, _ := strings.Cut(c.Use, " ")
	words := strings.Fields(usage)
	c.ValidArgsFunction = func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		word := ""
		switch {
		case len(args) < len(words):
			word = words[len(args)]
		case len(words) > 0 && strings.HasSuffix(words[len(words)-1], "..."):
			word = words[len(words)-1]
		}
		switch {
		case strings.Contains(word, ".yaml"), strings.Contains(word, "RUNFILE"):
			return []string{"yaml", "yml"}, cobra.ShellCompDirectiveFilterFileExt
		case strings.HasPrefix(word, "FOLDER"), strings.HasPrefix(word, "DATA"):
			return nil, cobra.ShellCompDirectiveFilterDirs
		case strings.HasPrefix(word, "TABLE"):
			return []string{"parquet", "csv"}, cobra.ShellCompDirectiveFilterFileExt
		case strings.HasPrefix(word, "[LINE") && !cmd.Flags().Changed("case"):
			return linesOf(cmd, args[0]), cobra.ShellCompDirectiveNoFileComp
		case word == "", strings.HasPrefix(word, "["):
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return nil, cobra.ShellCompDirectiveDefault
	}
}

// linesOf are the ids of the lines and decisions of a settlement, none where it cannot be read.
func linesOf(cmd *cobra.Command, folder string) (ids []string) {
	s, err := jobeffekt.ReadSettlement(cmd.Context(), filepath.Clean(folder))
	if err != nil {
		return nil
	}
	for i := range s.Lines {
		ids = append(ids, s.Lines[i].ID)
	}
	for i := range s.Decisions {
		ids = append(ids, s.Decisions[i].ID)
	}
	return ids
}
