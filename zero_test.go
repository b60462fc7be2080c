package jobeffekt_test

import (
	"go/ast"
	"go/token"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Who makes a value of a struct by hand must know what it is to begin with: of every
// exported struct for which there is a Default function, and of every one that is named for
// what somebody asks for, the doc comment says it. What only comes back from functions has
// no zero value that anybody would use.
func TestZeroValuesAreTold(t *testing.T) {
	docs, defaults := map[string]string{}, map[string]bool{}
	eachFile(t, func(name string, content []byte) {
		if !library(name) {
			return
		}
		f, err := parse(name, content)
		require.NoError(t, err)
		room := f.ast.Name.Name + "."
		for _, d := range f.ast.Decls {
			switch d := d.(type) {
			case *ast.GenDecl:
				for _, s := range d.Specs {
					if s, ok := s.(*ast.TypeSpec); ok && d.Tok == token.TYPE && s.Name.IsExported() {
						if _, ok := s.Type.(*ast.StructType); ok {
							docs[room+s.Name.Name] = s.Doc.Text() + d.Doc.Text()
						}
					}
				}
			case *ast.FuncDecl:
				if d.Recv == nil && strings.HasPrefix(d.Name.Name, "Default") && d.Type.Results != nil {
					if id, ok := d.Type.Results.List[0].Type.(*ast.Ident); ok {
						defaults[room+id.Name] = true
					}
				}
			}
		}
	})
	require.NotEmpty(t, defaults)
	asked := regexp.MustCompile(`(Options|Query|Study|Design|Simulation|Control|History)$`)
	told := regexp.MustCompile(`(?is)zero\s+value|start\s+from|default`)
	for _, name := range slices.Sorted(maps.Keys(docs)) {
		if defaults[name] || asked.MatchString(name) {
			assert.Regexp(t, told, docs[name], "%s: say what its zero value means, or what to start from", name)
		}
	}
}
