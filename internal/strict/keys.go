package strict

import "github.com/goccy/go-yaml/ast"

// Keys lists the keys at the top of a YAML file, nil where it is none: enough to
// tell which kind of file somebody gave.
func Keys(src []byte) []string {
	_, root, faults := read("", src)
	m, ok := root.(ast.MapNode)
	if len(faults) > 0 || !ok {
		return nil
	}
	var out []string
	for it := m.MapRange(); it.Next(); {
		out = append(out, it.Key().GetToken().Value)
	}
	return out
}
