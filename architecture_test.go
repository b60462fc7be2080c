package jobeffekt_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// These tests hold the house to its plan: who imports whom, who may touch the
// world, no hidden state, every exported name documented. They read the source
// files themselves, so a rule holds for every platform's files.

const module = "github.com/jobeffekt/jobeffekt"

// rooms says which rooms of this module each room may import, itself aside. A
// room is a folder with all below it; the innermost one counts. "" is the root.
var rooms = map[string][]string{
	"cmd":               {"", "bonus", "bonus/ledger", "bonus/spec", "effect", "ingest", "ingest/dream", "internal/plain", "internal/whole"},
	"examples":          {"", "bonus", "bonus/ledger", "effect", "ingest"},
	"":                  {"bonus", "bonus/ledger", "bonus/spec", "effect", "ingest", "ingest/dream", "internal/plain", "internal/strict", "internal/whole"},
	"ingest":            {"effect", "internal/nearest"},
	"ingest/dream":      {"effect", "ingest", "internal/nearest", "internal/strict"},
	"bonus":             {"effect", "internal/nearest", "internal/strict"},
	"bonus/ledger":      {"bonus", "effect"},
	"bonus/spec":        {"bonus", "effect", "internal/strict"},
	"internal/nearest":  {},
	"internal/plain":    {},
	"internal/strict":   {"internal/nearest"},
	"internal/whole":    {},
	"effect":            {},
	"effect/effecttest": {"effect"}, // for tests, and so with their libraries
}

// keepers says where an outside package may be imported: in rooms or single
// files. A package covers those below it, so that "net" is net/http too.
var keepers = []struct {
	packages []string
	in       []string
	why      string
}{
	{[]string{"github.com/parquet-go/parquet-go"}, []string{"ingest"}, "only ingest knows Parquet; hand over tables of ingest"},
	{[]string{"github.com/apache/arrow"}, []string{"ingest/arrow.go"}, "this Arrow release is frozen and stays behind one file; put the conversion there"},
	{[]string{"database/sql"}, []string{"bonus/ledger"}, "only the ledger knows SQL"},
	{[]string{"modernc.org/sqlite"}, []string{"cmd"}, "the command imports the driver"},
	{[]string{"os", "io/fs", "io/ioutil"}, []string{"", "cmd", "examples", "ingest", "internal/whole"}, "arithmetic knows no files; take an io.Reader or the values"},
	{[]string{"github.com/gofrs/flock"}, []string{"internal/whole"}, "locks are taken in one place; use internal/whole"},
	{[]string{"net", "os/exec", "github.com/spf13"}, []string{"cmd", "examples/service/main.go"}, "a library neither dials, starts programs nor reads a command line; do it in the command"},
	{[]string{"github.com/jedib0t/go-pretty", "github.com/schollz/progressbar", "github.com/dustin/go-humanize", "golang.org/x/term"}, []string{"cmd"}, "only the command prints; hand over a table of ingest"},
	{[]string{"github.com/xuri/excelize", "gonum.org/v1/plot", "golang.org/x/image", "html", "text/template"}, []string{"cmd"}, "only the command makes pages, pictures and workbooks; hand over a Publication"},
	{[]string{"github.com/prometheus"}, []string{"cmd"}, "only the command tells monitors of a run; return what it is to tell"},
	{[]string{"golang.org/x/text"}, []string{"", "cmd"}, "the order of names is the root package's, and the report's in its language; take a comparison as an argument"},
	{[]string{"log"}, []string{"cmd", "examples"}, "library code does not log; return an error, or a warning in the result"},
	{[]string{"time"}, []string{"", "cmd", "examples", "ingest", "effect/date.go", "bonus/ledger"}, "arithmetic knows days, not a clock; use effect.Date"},
	{[]string{"math/rand", "crypto/rand"}, []string{}, "the same input gives the same result; draw from a seeded stream as effect/world does"},
}

// selectors says where names of a package may be used.
var selectors = []struct {
	pkg   string
	names []string
	in    []string
	why   string
}{
	{"fmt", []string{"Print", "Printf", "Println"}, []string{"cmd", "examples"}, "library code does not print; return the text or take an io.Writer"},
	{"os", []string{"Stdin", "Stdout", "Stderr", "Exit", "Args", "Getenv"}, []string{"cmd", "examples"}, "the process belongs to the command; take it as an argument"},
	{"os", []string{"LookupEnv"}, []string{"", "cmd", "examples"}, "only a key that a run file names by its variable is read there"},
	{
		"os",
		[]string{"Create", "CreateTemp", "WriteFile", "OpenFile", "Mkdir", "MkdirAll", "MkdirTemp", "Rename", "Remove", "RemoveAll", "Truncate", "Chmod"},
		[]string{"", "cmd", "examples", "internal/whole"},
		"only the root package and the command write files; take an io.Writer",
	},
	{"time", []string{"Now", "Since", "Until"}, []string{"cmd", "examples"}, "results do not depend on the day of the run; take as_of as an argument"},
}

// goFile is one source file and where it stands in the house.
type goFile struct {
	path string // from the root, with slashes
	set  *token.FileSet
	ast  *ast.File
}

func parse(name string, src []byte) (*goFile, error) {
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, name, src, parser.ParseComments)
	return &goFile{name, set, f}, err
}

// fault is a message that begins with the place.
func (f *goFile) fault(n ast.Node, format string, args ...any) string {
	return fmt.Sprintf("%s:%d: ", f.path, f.set.Position(n.Pos()).Line) + fmt.Sprintf(format, args...)
}

// roomOf returns the innermost room that a folder lies in.
func roomOf(folder string) string {
	for ; folder != "" && folder != "."; folder = path.Dir(folder) {
		if _, ok := rooms[folder]; ok {
			return folder
		}
	}
	return ""
}

// stands says whether a file is, or lies in a room that is, in the list.
func (f *goFile) stands(in []string) bool {
	return slices.Contains(in, f.path) || slices.Contains(in, roomOf(path.Dir(f.path)))
}

// covers says whether a package is another or lies below it.
func covers(pkg, other string) bool { return other == pkg || strings.HasPrefix(other, pkg+"/") }

// house finds what is wrong with the imports and uses of a file. Tests may
// import what they like.
func house(f *goFile) (faults []string) {
	room := roomOf(path.Dir(f.path))
	if room == "" && path.Dir(f.path) != "." {
		faults = append(faults, f.fault(f.ast.Name, "folder %s is no room: say in rooms of architecture_test.go what it may import", path.Dir(f.path)))
	}
	named := map[string]string{} // local name of an import: its path
	for _, spec := range f.ast.Imports {
		pkg, _ := strconv.Unquote(spec.Path.Value)
		named[path.Base(pkg)] = pkg
		if spec.Name != nil {
			named[spec.Name.Name] = pkg
		}
		if covers(module, pkg) {
			other := roomOf(strings.TrimPrefix(strings.TrimPrefix(pkg, module), "/"))
			if other != room && !slices.Contains(rooms[room], other) {
				faults = append(faults, f.fault(spec, "imports %s: imports go cmd -> root -> ingest, bonus -> effect; move what is needed down, or pass it in from above", pkg))
			}
			continue
		}
		if room == "effect" && strings.Contains(strings.Split(pkg, "/")[0], ".") && !covers("gonum.org/v1/gonum", pkg) {
			faults = append(faults, f.fault(spec, "imports %s: effect rests on the standard library and gonum alone; do without, or do it in another room", pkg))
		}
		for _, k := range keepers {
			if slices.ContainsFunc(k.packages, func(p string) bool { return covers(p, pkg) }) && !f.stands(k.in) {
				faults = append(faults, f.fault(spec, "imports %s, which may be imported only in %s: %s", pkg, places(k.in), k.why))
			}
		}
	}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			x, ok := n.X.(*ast.Ident)
			if !ok {
				break
			}
			for _, s := range selectors {
				if named[x.Name] == s.pkg && slices.Contains(s.names, n.Sel.Name) && !f.stands(s.in) {
					faults = append(faults, f.fault(n, "uses %s.%s, which may be used only in %s: %s", s.pkg, n.Sel.Name, places(s.in), s.why))
				}
			}
		case *ast.CallExpr:
			if x, ok := n.Fun.(*ast.Ident); ok && (x.Name == "print" || x.Name == "println") {
				faults = append(faults, f.fault(n, "calls the builtin %s: return the text or take an io.Writer", x.Name))
			}
		}
		return true
	})
	return faults
}

func places(in []string) string {
	if len(in) == 0 {
		return "no room"
	}
	names := slices.Clone(in)
	for i := range names {
		if names[i] == "" {
			names[i] = "the root package"
		}
	}
	return strings.Join(names, ", ")
}

// state finds registration and package variables. Those that stay are errors,
// embedded files, NaN and infinities, assertions that a type has an interface,
// and unexported arrays, which are constants in all but name.
func state(f *goFile) (faults []string) {
	tables := map[string]bool{}
	for _, d := range f.ast.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Name.Name == "init" && d.Recv == nil {
				faults = append(faults, f.fault(d, "func init: nothing happens on import; make a constructor or call it where it is needed"))
			}
		case *ast.GenDecl:
			if d.Tok != token.VAR {
				continue
			}
			for _, spec := range d.Specs {
				v := spec.(*ast.ValueSpec)
				doc := v.Doc
				if doc == nil {
					doc = d.Doc
				}
				for i, name := range v.Names {
					var value ast.Expr
					if i < len(v.Values) {
						value = v.Values[i]
					}
					array := isArray(value) && !name.IsExported()
					tables[name.Name] = tables[name.Name] || array
					if name.Name != "_" && !array && !isConstant(value) && !isEmbed(doc) {
						faults = append(faults, f.fault(name, "package variable %s: no globals; make it a constant, an error (errors.New), an unexported array of constants, or a field or argument", name.Name))
					}
				}
			}
		}
	}
	// The tables above must be read only: in their own file at least.
	written := func(e ast.Expr) {
		at := ast.Node(e)
		for {
			switch x := e.(type) {
			case *ast.IndexExpr:
				e = x.X
				continue
			case *ast.SelectorExpr:
				e = x.X
				continue
			case *ast.Ident:
				if tables[x.Name] {
					faults = append(faults, f.fault(at, "writes to %s: an array of the package is read only; copy it first", x.Name))
				}
			}
			return
		}
	}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			if n.Tok != token.DEFINE {
				for _, e := range n.Lhs {
					written(e)
				}
			}
		case *ast.IncDecStmt:
			written(n.X)
		}
		return true
	})
	return faults
}

// isConstant says whether an expression makes an error, NaN or an infinity.
func isConstant(e ast.Expr) bool {
	call, ok := e.(*ast.CallExpr)
	if !ok {
		return false
	}
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	x, ok := sel.X.(*ast.Ident)
	return ok && slices.Contains([]string{"errors.New", "math.NaN", "math.Inf"}, x.Name+"."+sel.Sel.Name)
}

func isArray(e ast.Expr) bool {
	lit, ok := e.(*ast.CompositeLit)
	if !ok {
		return false
	}
	t, ok := lit.Type.(*ast.ArrayType)
	return ok && t.Len != nil
}

func isEmbed(doc *ast.CommentGroup) bool {
	return doc != nil && slices.ContainsFunc(doc.List, func(c *ast.Comment) bool { return strings.HasPrefix(c.Text, "//go:embed ") })
}

// documented finds exported names without a doc comment. In a group of
// constants or variables the comment of the group will do, or one on the line;
// the methods Error and Unwrap mean what package errors says.
func documented(f *goFile) (faults []string) {
	missing := func(name *ast.Ident, docs ...*ast.CommentGroup) {
		if name.IsExported() && !slices.ContainsFunc(docs, func(c *ast.CommentGroup) bool { return strings.TrimSpace(c.Text()) != "" }) {
			faults = append(faults, f.fault(name, "%s has no doc comment: say what it is and what a caller can rely on", name.Name))
		}
	}
	// What go doc shows in one line begins with the name, so that it reads as a sentence.
	begins := func(name *ast.Ident, docs ...*ast.CommentGroup) {
		missing(name, docs...)
		for _, c := range docs {
			text := c.Text()
			for _, article := range []string{"A ", "An ", "The "} {
				text = strings.TrimPrefix(text, article)
			}
			if rest, ok := strings.CutPrefix(text, name.Name); name.IsExported() && text != "" && (!ok || rest == "" || !strings.Contains(" ,.:'\n", rest[:1])) {
				faults = append(faults, f.fault(name, "the doc comment of %s does not begin with its name, as go doc needs it", name.Name))
			}
		}
	}
	for _, d := range f.ast.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil || receiver(d).IsExported() && d.Name.Name != "Error" && d.Name.Name != "Unwrap" {
				begins(d.Name, d.Doc)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch s := spec.(type) {
				case *ast.TypeSpec:
					if d.Lparen == 0 {
						begins(s.Name, s.Doc, d.Doc)
					} else {
						missing(s.Name, s.Doc, d.Doc)
					}
				case *ast.ValueSpec:
					for _, name := range s.Names {
						missing(name, s.Doc, s.Comment, d.Doc)
					}
				}
			}
		}
	}
	return faults
}

// receiver is the name of the type that a method belongs to.
func receiver(d *ast.FuncDecl) *ast.Ident {
	t := d.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			return x
		default:
			return ast.NewIdent("_")
		}
	}
}

// traces finds what only the machine of whoever wrote a file knows. The words
// are put together here so that this file does not hold them itself.
func traces(name string, text []byte) (faults []string) {
	for _, word := range []string{
		"/" + "root/", "/" + "work/main", "/" + "work/shared",
		"proxy." + "golang.org", "sum." + "golang.org", "registry." + "npmjs.org", "py" + "pi.org", "files." + "pythonhosted.org",
		"repo." + "maven.apache.org", "repo1." + "maven.org", "static." + "crates.io", "index." + "crates.io",
	} {
		if !bytes.Contains(text, []byte(word)) {
			continue
		}
		// Not where it ends a longer path or name.
		if at := regexp.MustCompile(`(?m)(^|[^\w.-])` + regexp.QuoteMeta(word)).FindIndex(text); at != nil {
			line := 1 + bytes.Count(text[:at[1]], []byte("\n"))
			faults = append(faults, fmt.Sprintf("%s:%d: holds %q: no paths of a machine and no registry hosts; use a relative path, or leave it out", name, line, word))
		}
	}
	return faults
}

// eachFile calls visit with every file of the repository, without what is
// never committed.
func eachFile(t *testing.T, visit func(name string, content []byte)) {
	t.Helper()
	never := []string{"tools", ".git", "node_modules", "jobeffekt-demo", "bench/data", "bench/shuffled", "bench/results"} // as in .gitignore
	require.NoError(t, filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		if d.IsDir() {
			if slices.Contains(never, d.Name()) || slices.Contains(never, name) {
				return fs.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() || name == ".git" { // a file in a worktree
			return nil
		}
		content, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		visit(name, content)
		return nil
	}))
}

// isText says whether a file holds no zero byte where binary files have one.
func isText(content []byte) bool {
	return !bytes.Contains(content[:min(len(content), 8000)], []byte{0})
}

func report(t *testing.T, faults []string) {
	t.Helper()
	for _, f := range faults {
		t.Error(f)
	}
}

func TestArchitecture(t *testing.T) {
	arrow := []string{}
	eachFile(t, func(name string, content []byte) {
		if path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") || strings.Contains(name, "testdata/") || strings.HasPrefix(name, "tools/") { // programs of their own
			return
		}
		f, err := parse(name, content)
		if err != nil {
			t.Error(err)
			return
		}
		report(t, house(f))
		report(t, state(f))
		report(t, documented(f))
		if bytes.Contains(content, []byte(`"github.com/apache/arrow`)) {
			arrow = append(arrow, name)
		}
	})
	// The walk found the house: a rule that sees no file holds nothing.
	require.Equal(t, []string{"ingest/arrow.go"}, arrow, "files that import Arrow")
}

func TestNoTracesOfAMachine(t *testing.T) {
	eachFile(t, func(name string, content []byte) {
		if isText(content) {
			report(t, traces(name, content))
		}
	})
}

// TestRulesBite breaks each rule once.
func TestRulesBite(t *testing.T) {
	for _, c := range []struct {
		path, src string
		want      string // part of the only message; "" for none
	}{
		{"effect/a.go", `import "github.com/jobeffekt/jobeffekt/effect/interval"`, ""},
		{"effect/a.go", `import "gonum.org/v1/gonum/stat/distuv"`, ""},
		{"effect/a.go", `import "github.com/jobeffekt/jobeffekt"`, "imports go cmd -> root"},
		{"effect/peer/a.go", `import "github.com/jobeffekt/jobeffekt/internal/strict"`, "imports go cmd -> root"},
		{"effect/a.go", `import "github.com/goccy/go-yaml"`, "standard library and gonum"},
		{"effect/a.go", `import "time"`, "effect.Date"},
		{"effect/date.go", `import "time"`, ""},
		{"effect/a.go", `import "io/fs"`, "io.Reader"},
		{"bonus/a.go", `import "os"`, "io.Reader"},
		{"bonus/a.go", `import "net/http"`, "dials"},
		{"examples/service/main.go", `import "net/http"`, ""},
		{"examples/penn/a.go", `import "net/http"`, "dials"},
		{"a.go", `import "github.com/xuri/excelize/v2"`, "pages, pictures and workbooks"},
		{"a.go", `import "html/template"`, "pages, pictures and workbooks"},
		{"ingest/a.go", `import "github.com/prometheus/client_golang/prometheus"`, "monitors"},
		{"cmd/internal/report/chart/a.go", `import "gonum.org/v1/plot/vg"`, ""},
		{"bonus/a.go", `import "database/sql"`, "the ledger"},
		{"bonus/ledger/a.go", `import "database/sql"`, ""},
		{"effect/a.go", `import "github.com/stretchr/testify/require"`, "standard library and gonum"},
		{"effect/effecttest/a.go", `import "github.com/stretchr/testify/require"`, ""},
		{"effect/effecttest/a.go", `import "os"`, "io.Reader"},
		{"bonus/a.go", `import "github.com/jobeffekt/jobeffekt/ingest"`, "imports go cmd -> root"},
		{"ingest/a.go", `import "github.com/jobeffekt/jobeffekt/bonus"`, "imports go cmd -> root"},
		{"ingest/a.go", `import "github.com/jobeffekt/jobeffekt/effect"`, ""},
		{"ingest/a.go", `import "github.com/apache/arrow/go/v17/arrow"`, "one file"},
		{"ingest/a.go", `import "os"; var _, _ = os.Open("a")`, ""},
		{"ingest/a.go", `import "os"; func f() { os.Remove("a") }`, "write files"},
		{"a.go", `import "github.com/parquet-go/parquet-go/encoding"`, "Parquet"},
		{"a.go", `import "github.com/jobeffekt/jobeffekt/cmd/jobeffekt"`, "imports go cmd -> root"},
		{"a.go", `import "log/slog"`, "does not log"},
		{"a.go", `import "fmt"; func f() { fmt.Println() }`, "does not print"},
		{"a.go", `import say "fmt"; func f() { say.Print() }`, "does not print"},
		{"a.go", `func f() { println() }`, "builtin"},
		{"a.go", `import "time"; func f() { time.Now() }`, "as_of"},
		{"a.go", `import "os"; func f() { os.Exit(1) }`, "belongs to the command"},
		{"cmd/jobeffekt/a.go", `import ("fmt"; "log/slog"; "os"; "time"; "github.com/jobeffekt/jobeffekt"); func f() { fmt.Println(os.Args, time.Now()) }`, ""},
		{"new/a.go", ``, "is no room"},
		{"a.go", `func init() {}`, "nothing happens on import"},
		{"a.go", `var cache = map[string]int{}`, "no globals"},
		{"a.go", `var (a, b int)`, "no globals"},
		{"a.go", `var list = []int{1}`, "no globals"},
		{"a.go", `import "errors"; var errA = errors.New("a"); var table = [...]int{1}; var _ error = fault{}`, ""},
		{"a.go", "import \"embed\"\n//go:embed a\nvar files embed.FS", ""},
		{"a.go", `var table = [...]int{1}; func f() { table[0]++ }`, "read only"},
		{"a.go", `func Exported() {}`, "no doc comment"},
		{"a.go", `type T struct{}`, "no doc comment"},
		{"a.go", "// Makes a T.\nfunc New() {}", "does not begin with its name"},
		{"a.go", "// Newer is.\nfunc New() {}", "does not begin with its name"},
		{"a.go", "// A T is one.\ntype T struct{}", ""},
		{"a.go", `type t struct{}; func (t) Method() {}`, ""},
		{"a.go", "// T is.\ntype T[A any] struct{}; func (*T[A]) Method() {}", "no doc comment"},
		{"a.go", "// The kinds.\nconst (A = iota; B)", ""},
		{"a.go", "const (A = 1 // one\n)", ""},
	} {
		f, err := parse(c.path, []byte("package p\n"+c.src))
		require.NoError(t, err)
		faults := slices.Concat(house(f), state(f), documented(f))
		if c.want == "" {
			require.Empty(t, faults, c.src)
			continue
		}
		require.NotEmpty(t, faults, "%s: %s", c.path, c.src)
		for _, message := range faults {
			require.Contains(t, message, c.want, c.src)
		}
	}
	require.Len(t, traces("a.md", []byte("line\nsee /"+"root/a")), 1)
	require.Empty(t, traces("a.md", []byte("see docs/root/")))
}

// Every package says first what it is for: go doc and the map of the house read it.
func TestPackagesSayWhatTheyAreFor(t *testing.T) {
	said := map[string]bool{}
	eachFile(t, func(name string, content []byte) {
		if path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") || strings.Contains(name, "testdata/") || strings.HasPrefix(name, "tools/") { // programs of their own
			return
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, content, parser.PackageClauseOnly|parser.ParseComments)
		require.NoError(t, err)
		text := f.Doc.Text()
		if text != "" && f.Name.Name != "main" {
			require.True(t, strings.HasPrefix(text, "Package "+f.Name.Name+" "), "%s: the package's doc comment begins with Package %s", name, f.Name.Name)
		}
		said[path.Dir(name)] = said[path.Dir(name)] || text != ""
	})
	require.True(t, said["."])
	for folder, ok := range said {
		require.True(t, ok, "%s: no file says what the package is for: begin one with // Package ...", folder)
	}
}
