package main

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// mutant is one change of the source.
type mutant struct {
	id   int
	file string // from the root of the module
	line int
	key  string // file, function, and what becomes of what; stands when lines move
}

// support is added to the package: which change is on, and what is said when the
// tests are watched. mutOn is 0, and no change is on, when the variable is not set.
const support = `package %s

import (
	"os"
	"strconv"
	"sync/atomic"
)

var mutOn, _ = strconv.Atoi(os.Getenv("MUTATE_ON"))

var mutFile = func() *os.File {
	name := os.Getenv("MUTATE_REACHED")
	if name == "" {
		return nil
	}
	file, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	return file
}()

var mutSeen [1 << 17]atomic.Bool

func mutIs(id int) bool {
	if mutFile != nil && !mutSeen[id].Load() && !mutSeen[id].Swap(true) {
		mutFile.WriteString(strconv.Itoa(id) + "\n")
	}
	return id == mutOn
}

type mutWhole interface {
	~int | ~int8 | ~int16 | ~int32 | ~int64 | ~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64
}

type mutNumber interface {
	mutWhole | ~float32 | ~float64
}

func mutAdd[T mutNumber](id int, a, b T) T {
	if mutIs(id) {
		return a - b
	}
	return a + b
}

func mutSub[T mutNumber](id int, a, b T) T {
	if mutIs(id) {
		return a + b
	}
	return a - b
}

func mutMul[T mutNumber](id int, a, b T) T {
	if mutIs(id) {
		return a / b
	}
	return a * b
}

func mutQuo[T mutNumber](id int, a, b T) T {
	if mutIs(id) {
		return a * b
	}
	return a / b
}

func mutRem[T mutWhole](id int, a, b T) T {
	if mutIs(id) {
		return a * b
	}
	return a %% b
}

func mutNeg[T mutNumber](id int, a T) T {
	if mutIs(id) {
		return a
	}
	return -a
}

func mutConst[T mutNumber](id int, a T) T {
	if mutIs(id) {
		return a + 1
	}
	if mutIs(id + 1) {
		return a - 1
	}
	return a
}

func mutErr(id int, err error) error {
	if err != nil && mutIs(id) {
		return nil
	}
	return err
}

func mutPick[T any](id int, a, b T) T {
	if mutIs(id) {
		return b
	}
	return a
}

func mutMin[T mutNumber](id int, a T, more ...T) T {
	on := mutIs(id)
	for _, x := range more {
		if on {
			a = max(a, x)
		} else {
			a = min(a, x)
		}
	}
	return a
}

func mutMax[T mutNumber](id int, a T, more ...T) T {
	on := mutIs(id)
	for _, x := range more {
		if on {
			a = min(a, x)
		} else {
			a = max(a, x)
		}
	}
	return a
}
`

// edit puts text in the place of bytes [from, to) of a file.
type edit struct {
	from, to int
	text     string
	closing  bool // stands after what it wraps
	depth    int  // of two at one place the outer one is nearer to the outside
}

// instrument is the work on one file. What is put in beside the changed text is
// the text as it stood: of the changes only one is ever on.
type instrument struct {
	fset  *token.FileSet
	info  *types.Info
	pkg   *types.Package
	name  string // of the file, from the root of the module
	text  string
	next  *int
	used  map[string]int
	keep  func(id int) bool
	fn    string
	where string // the calculation that a constant stands in
	edits []edit
	out   []*mutant
	done  map[ast.Node]bool // conditions that have been negated
	names map[string]string // packages the file imports, by path
}

// instrumented rewrites one parsed file. Changes that keep refuses keep their
// numbers and are left out.
func instrumented(fset *token.FileSet, file *ast.File, name string, info *types.Info, pkg *types.Package, next *int, used map[string]int,
	keep func(int) bool,
) (string, []*mutant, error) {
	text, err := os.ReadFile(fset.Position(file.FileStart).Filename)
	if err != nil {
		return "", nil, err
	}
	in := &instrument{
		fset: fset, info: info, pkg: pkg, name: name, text: string(text), next: next, used: used, keep: keep, done: map[ast.Node]bool{},
		names: map[string]string{},
	}
	for _, spec := range file.Imports {
		p := strings.Trim(spec.Path.Value, `"`)
		in.names[p] = path.Base(p)
		if spec.Name != nil {
			in.names[p] = spec.Name.Name
		}
	}
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Body != nil {
			in.fn = f.Name.Name
			if f.Recv != nil {
				in.fn = strings.Trim(in.source(f.Recv.List[0].Type), "*") + "." + in.fn
			}
			signature, _ := info.Defs[f.Name].Type().(*types.Signature)
			in.block(f.Body.List, signature, false)
		}
	}
	return in.apply(), in.out, nil
}

func (in *instrument) offset(p token.Pos) int { return in.fset.Position(p).Offset }

func (in *instrument) source(n ast.Node) string {
	return in.text[in.offset(n.Pos()):in.offset(n.End())]
}

// add makes room for a change and says whether it is wanted.
func (in *instrument) add(at ast.Node, what string) (id int, wanted bool) {
	*in.next++
	id = *in.next
	key := in.name + ": " + in.fn + ": " + strings.Join(strings.Fields(what), " ")
	in.used[key]++
	if n := in.used[key]; n > 1 {
		key += fmt.Sprintf(" #%d", n)
	}
	if !in.keep(id) {
		return id, false
	}
	in.out = append(in.out, &mutant{id: id, file: in.name, line: in.fset.Position(at.Pos()).Line, key: key})
	return id, true
}

// wrap puts text around a node. A later wrap of the same node goes inside.
func (in *instrument) wrap(n ast.Node, before, after string) {
	depth := len(in.edits)
	in.edits = append(in.edits,
		edit{from: in.offset(n.Pos()), to: in.offset(n.Pos()), text: before, depth: depth},
		edit{from: in.offset(n.End()), to: in.offset(n.End()), text: after, closing: true, depth: depth})
}

func (in *instrument) replace(from, to token.Pos, text string) {
	in.edits = append(in.edits, edit{from: in.offset(from), to: in.offset(to), text: text, depth: len(in.edits)})
}

func (in *instrument) apply() string {
	slices.SortFunc(in.edits, func(a, b edit) int {
		side := func(e edit) int { // what closes, what opens, what replaces
			switch {
			case e.closing:
				return 0
			case e.from == e.to:
				return 1
			}
			return 2
		}
		depth := a.depth - b.depth
		if a.closing {
			depth = -depth
		}
		return cmp.Or(a.from-b.from, side(a)-side(b), depth)
	})
	var b strings.Builder
	at := 0
	for _, e := range in.edits {
		b.WriteString(in.text[at:e.from])
		b.WriteString(e.text)
		at = e.to
	}
	b.WriteString(in.text[at:])
	return b.String()
}

// block walks a list of statements of a function with this signature, in a loop of
// it or not.
func (in *instrument) block(list []ast.Stmt, results *types.Signature, loop bool) {
	for _, s := range list {
		in.statement(s, results, loop, true)
	}
}

// statement walks a statement; whole says that it stands in a list, where it can
// be left out.
func (in *instrument) statement(s ast.Stmt, results *types.Signature, loop, whole bool) {
	switch s := s.(type) {
	case *ast.BlockStmt:
		in.block(s.List, results, loop)
	case *ast.LabeledStmt:
		in.statement(s.Stmt, results, loop, false)
	case *ast.IfStmt:
		in.simple(s.Init, results)
		in.condition(s.Cond)
		in.expr(s.Cond)
		in.block(s.Body.List, results, loop)
		if s.Else != nil {
			in.statement(s.Else, results, loop, false)
		}
	case *ast.ForStmt:
		in.simple(s.Init, results)
		if s.Cond != nil {
			in.condition(s.Cond)
			in.expr(s.Cond)
		}
		in.block(s.Body.List, results, true)
	case *ast.RangeStmt:
		in.expr(s.X)
		in.block(s.Body.List, results, true)
	case *ast.SwitchStmt:
		in.simple(s.Init, results)
		if s.Tag != nil {
			in.expr(s.Tag)
		}
		for _, c := range s.Body.List {
			c := c.(*ast.CaseClause)
			for _, e := range c.List {
				if s.Tag == nil {
					in.condition(e)
				}
				in.expr(e)
			}
			in.block(c.Body, results, loop)
		}
	case *ast.TypeSwitchStmt:
		in.simple(s.Init, results)
		for _, c := range s.Body.List {
			in.block(c.(*ast.CaseClause).Body, results, loop)
		}
	case *ast.SelectStmt:
		for _, c := range s.Body.List {
			in.block(c.(*ast.CommClause).Body, results, loop)
		}
	case *ast.ReturnStmt:
		defer in.within(s)()
		for i, e := range s.Results {
			if results != nil && len(s.Results) == results.Results().Len() {
				in.returned(e, results.Results().At(i).Type())
			}
			in.expr(e)
		}
	case *ast.BranchStmt:
		if !loop || s.Label != nil {
			return
		}
		if other, ok := map[token.Token]string{token.BREAK: "continue", token.CONTINUE: "break"}[s.Tok]; ok {
			if id, wanted := in.add(s, s.Tok.String()+" -> "+other); wanted {
				in.wrap(s, fmt.Sprintf("if mutIs(%d) { %s }; ", id, other), "")
			}
		}
	case *ast.ExprStmt:
		if call, ok := s.X.(*ast.CallExpr); ok && whole && in.source(call.Fun) != "panic" {
			in.leaveOut(s)
		}
		in.expr(s.X)
	case *ast.DeferStmt:
		if whole {
			in.leaveOut(s)
		}
		in.expr(s.Call)
	case *ast.GoStmt:
		in.expr(s.Call)
	case *ast.IncDecStmt:
		if whole {
			in.leaveOut(s)
			other := map[token.Token]string{token.INC: "--", token.DEC: "++"}[s.Tok]
			if id, wanted := in.add(s, in.source(s)+" -> "+other); wanted {
				in.wrap(s, fmt.Sprintf("if mutIs(%d) { %s%s } else { ", id, in.source(s.X), other), " }")
			}
		}
		in.expr(s.X)
	case *ast.AssignStmt:
		if whole && s.Tok != token.DEFINE {
			in.leaveOut(s)
			in.assigned(s)
		}
		in.simple(s, results)
	case *ast.SendStmt:
		in.expr(s.Value)
	case *ast.DeclStmt:
		if d, ok := s.Decl.(*ast.GenDecl); ok && d.Tok == token.VAR {
			for _, spec := range d.Specs {
				for _, e := range spec.(*ast.ValueSpec).Values {
					in.expr(e)
				}
			}
		}
	}
}

// simple walks the expressions of a statement that stays where it is.
func (in *instrument) simple(s ast.Stmt, results *types.Signature) {
	switch s := s.(type) {
	case *ast.AssignStmt:
		defer in.within(s)()
		for _, e := range s.Lhs {
			if _, ok := e.(*ast.Ident); !ok {
				in.expr(e)
			}
		}
		for _, e := range s.Rhs {
			in.expr(e)
		}
	case *ast.ExprStmt:
		in.expr(s.X)
	}
}

func (in *instrument) leaveOut(s ast.Stmt) {
	if id, wanted := in.add(s, "without "+in.source(s)); wanted {
		in.wrap(s, fmt.Sprintf("if !mutIs(%d) { ", id), " }")
	}
}

func (in *instrument) assigned(s *ast.AssignStmt) {
	other, ok := map[token.Token]string{
		token.ADD_ASSIGN: "-=", token.SUB_ASSIGN: "+=", token.MUL_ASSIGN: "/=", token.QUO_ASSIGN: "*=", token.REM_ASSIGN: "*=",
	}[s.Tok]
	if !ok || !isNumber(in.info.TypeOf(s.Lhs[0])) {
		return
	}
	if id, wanted := in.add(s, in.source(s)+" -> "+other); wanted {
		in.wrap(s, fmt.Sprintf("if mutIs(%d) { %s %s %s } else { ", id, in.source(s.Lhs[0]), other, in.source(s.Rhs[0])), " }")
	}
}

// returned makes an error that is returned nil.
func (in *instrument) returned(e ast.Expr, want types.Type) {
	if b, ok := want.Underlying().(*types.Basic); ok && b.Info()&types.IsBoolean != 0 {
		in.condition(e)
		return
	}
	if want.String() != "error" || in.source(e) == "nil" {
		return
	}
	if _, tuple := in.info.TypeOf(e).(*types.Tuple); tuple {
		return
	}
	if id, wanted := in.add(e, "return "+in.source(e)+" -> nil"); wanted {
		in.wrap(e, fmt.Sprintf("mutErr(%d, ", id), ")")
	}
}

// condition negates what a decision hangs on. Comparisons are negated by expr.
func (in *instrument) condition(e ast.Expr) {
	switch x := e.(type) {
	case *ast.ParenExpr:
		in.condition(x.X)
		return
	case *ast.UnaryExpr:
		if x.Op == token.NOT {
			in.condition(x.X)
		}
		return
	case *ast.BinaryExpr:
		return
	}
	if in.done[e] || !isBool(in.info.TypeOf(e)) || in.info.Types[e].Value != nil {
		return
	}
	in.done[e] = true
	if id, wanted := in.add(e, "not "+in.source(e)); wanted {
		in.wrap(e, "((", fmt.Sprintf(") != mutIs(%d))", id))
	}
}

func isBool(t types.Type) bool {
	if t == nil {
		return false
	}
	b, ok := t.Underlying().(*types.Basic)
	return ok && b.Info()&types.IsBoolean != 0
}

func isNumber(t types.Type) bool {
	if t == nil {
		return false
	}
	b, ok := t.Underlying().(*types.Basic)
	return ok && b.Info()&(types.IsInteger|types.IsFloat) != 0
}

// pure says that working out e twice is working it out once.
func (in *instrument) pure(e ast.Expr) bool {
	ok := true
	ast.Inspect(e, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			if in.info.Types[n.Fun].IsType() {
				return true
			}
			if id, is := n.Fun.(*ast.Ident); !is || !in.info.Types[id].IsBuiltin() {
				ok = false
			}
		case *ast.FuncLit:
			ok = false
		}
		return ok
	})
	return ok
}

// expr walks an expression.
func (in *instrument) expr(e ast.Expr) {
	if e == nil {
		return
	}
	tv := in.info.Types[e]
	if tv.IsType() {
		return
	}
	if tv.Value != nil {
		in.constant(e, tv)
		return
	}
	switch e := e.(type) {
	case *ast.ParenExpr:
		in.expr(e.X)
	case *ast.UnaryExpr:
		if e.Op == token.SUB && isNumber(tv.Type) {
			if id, wanted := in.add(e, in.source(e)+" -> "+in.source(e.X)); wanted {
				in.wrap(e, fmt.Sprintf("mutNeg(%d, ", id), ")")
				in.replace(e.OpPos, e.X.Pos(), "")
			}
		}
		in.expr(e.X)
	case *ast.BinaryExpr:
		in.binary(e, tv)
	case *ast.CallExpr:
		in.call(e)
	case *ast.StarExpr:
		in.expr(e.X)
	case *ast.SelectorExpr:
		in.expr(e.X)
	case *ast.IndexExpr:
		if !in.info.Types[e.Index].IsType() {
			in.expr(e.X)
			in.expr(e.Index)
		}
	case *ast.SliceExpr:
		in.expr(e.X)
		for _, x := range []ast.Expr{e.Low, e.High, e.Max} {
			if x != nil {
				in.expr(x)
			}
		}
	case *ast.TypeAssertExpr:
		in.expr(e.X)
	case *ast.CompositeLit:
		for _, x := range e.Elts {
			if kv, ok := x.(*ast.KeyValueExpr); ok {
				x = kv.Value
			}
			in.expr(x)
		}
	case *ast.FuncLit:
		before := in.where
		in.where = ""
		defer func() { in.where = before }()
		signature, _ := in.info.TypeOf(e).(*types.Signature)
		in.block(e.Body.List, signature, false)
	}
}

var boundaries = map[token.Token]string{token.LSS: "<=", token.LEQ: "<", token.GTR: ">=", token.GEQ: ">"}

func (in *instrument) binary(e *ast.BinaryExpr, tv types.TypeAndValue) {
	defer in.within(e)()
	x, y := in.source(e.X), in.source(e.Y)
	switch e.Op {
	case token.LAND, token.LOR:
		other := map[token.Token]string{token.LAND: "||", token.LOR: "&&"}[e.Op]
		if id, wanted := in.add(e, in.source(e)+" -> "+x+" "+other+" "+y); wanted {
			if e.Op == token.LAND {
				in.wrap(e, "((", fmt.Sprintf(") || mutIs(%d) && ((%s) || (%s)))", id, x, y))
			} else {
				in.wrap(e, "((", fmt.Sprintf(") && (!mutIs(%d) || (%s) && (%s)))", id, x, y))
			}
		}
		in.condition(e.X)
		in.condition(e.Y)
	case token.LSS, token.LEQ, token.GTR, token.GEQ, token.EQL, token.NEQ:
		if id, wanted := in.add(e, "not "+in.source(e)); wanted {
			in.wrap(e, "((", fmt.Sprintf(") != mutIs(%d))", id))
		}
		other, ok := boundaries[e.Op]
		if !ok {
			break
		}
		if id, wanted := in.add(e, in.source(e)+" -> "+x+" "+other+" "+y); wanted {
			// Asked last where that is allowed, so that only tests at the boundary count as reaching it.
			equal, is := fmt.Sprintf("(%s) == (%s)", x, y), fmt.Sprintf("mutIs(%d)", id)
			if !in.pure(e.X) || !in.pure(e.Y) {
				equal, is = is, equal
			}
			if e.Op == token.LSS || e.Op == token.GTR {
				in.wrap(e, "((", fmt.Sprintf(") || %s && %s)", equal, is))
			} else {
				in.wrap(e, "((", fmt.Sprintf(") && !(%s && %s))", equal, is))
			}
		}
	case token.ADD, token.SUB, token.MUL, token.QUO, token.REM:
		if !isNumber(tv.Type) {
			break
		}
		swap := map[token.Token][2]string{
			token.ADD: {"mutAdd", "-"}, token.SUB: {"mutSub", "+"}, token.MUL: {"mutMul", "/"}, token.QUO: {"mutQuo", "*"}, token.REM: {"mutRem", "*"},
		}[e.Op]
		if id, wanted := in.add(e, in.source(e)+" -> "+x+" "+swap[1]+" "+y); wanted {
			in.wrap(e, fmt.Sprintf("%s(%d, ", swap[0], id), ")")
			in.replace(e.OpPos, e.OpPos+token.Pos(len(e.Op.String())), ",")
		}
	}
	in.expr(e.X)
	in.expr(e.Y)
}

// others are methods that take and give the same and mean something else.
var others = map[string]string{"Add": "Sub", "Sub": "Add", "Mul": "Quo", "Quo": "Mul", "Neg": "Set", "plus": "times", "times": "plus"}

// within names the calculation that constants stand in, until it is called off.
func (in *instrument) within(n ast.Node) (leave func()) {
	before := in.where
	in.where = "in " + in.source(n) + ": "
	return func() { in.where = before }
}

func (in *instrument) call(e *ast.CallExpr) {
	defer in.within(e)()
	name, isName := e.Fun.(*ast.Ident)
	switch {
	case isName && in.info.Types[name].IsBuiltin():
		swap, ok := map[string][2]string{"min": {"mutMin", "max"}, "max": {"mutMax", "min"}}[name.Name]
		if ok && isNumber(in.info.TypeOf(e)) {
			if id, wanted := in.add(e, in.source(e)+" -> "+swap[1]); wanted {
				typed := ""
				if t, ok := in.typeName(in.info.TypeOf(e)); ok {
					typed = "[" + t + "]"
				}
				in.replace(name.Pos(), e.Lparen+1, fmt.Sprintf("%s%s(%d, ", swap[0], typed, id))
			}
		}
		if name.Name == "new" || name.Name == "make" {
			for _, x := range e.Args[1:] {
				in.expr(x)
			}
			return
		}
	case !isName:
		sel, ok := e.Fun.(*ast.SelectorExpr)
		if ok && in.method(e, sel) {
			in.expr(sel.X)
		} else if !in.info.Types[e.Fun].IsType() {
			in.expr(e.Fun)
		}
	}
	for _, x := range e.Args {
		in.expr(x)
	}
}

// method puts the method with the other meaning beside one that has one.
func (in *instrument) method(e *ast.CallExpr, sel *ast.SelectorExpr) bool {
	other, ok := others[sel.Sel.Name]
	s := in.info.Selections[sel]
	if !ok || s == nil || s.Kind() != types.MethodVal || len(s.Index()) != 1 {
		return false
	}
	recv := s.Obj().Type().(*types.Signature).Recv().Type()
	obj, _, _ := types.LookupFieldOrMethod(recv, true, in.pkg, other)
	if obj == nil || !types.Identical(obj.Type(), s.Obj().Type()) {
		return false
	}
	t, ok := in.typeName(recv)
	if !ok {
		return false
	}
	before := ""
	if _, p := recv.(*types.Pointer); p {
		if _, isP := in.info.TypeOf(sel.X).(*types.Pointer); !isP {
			before = "&"
		}
	} else if _, isP := in.info.TypeOf(sel.X).(*types.Pointer); isP {
		before = "*"
	}
	id, wanted := in.add(e, in.source(e)+" -> "+other)
	if !wanted {
		return true
	}
	in.wrap(sel.X, fmt.Sprintf("mutPick(%d, (%s).%s, (%s).%s)(%s", id, t, sel.Sel.Name, t, other, before), "")
	comma := ""
	if len(e.Args) > 0 {
		comma = ", "
	}
	in.replace(sel.X.End(), e.Lparen+1, comma)
	return true
}

// constant changes a number by one, up and down, and truth to its opposite.
func (in *instrument) constant(e ast.Expr, tv types.TypeAndValue) {
	switch {
	case tv.Value.Kind() == constant.Bool:
		if id, wanted := in.add(e, in.where+"not "+in.source(e)); wanted {
			in.wrap(e, "((", fmt.Sprintf(") != mutIs(%d))", id))
		}
	case isNumber(tv.Type):
		t, ok := in.typeName(types.Default(tv.Type))
		if !ok {
			return
		}
		what := in.where + in.source(e) + " -> " + in.source(e)
		up, wanted := in.add(e, what+" + 1")
		if _, also := in.add(e, what+" - 1"); wanted && also {
			in.wrap(e, fmt.Sprintf("mutConst[%s](%d, ", t, up), ")")
		}
	}
}

// typeName is how the file writes a type, if it can.
func (in *instrument) typeName(t types.Type) (string, bool) {
	ok := true
	text := types.TypeString(t, func(p *types.Package) string {
		if p == in.pkg {
			return ""
		}
		name, known := in.names[p.Path()]
		ok = ok && known
		return name
	})
	if _, param := t.(*types.TypeParam); param {
		return "", false
	}
	return text, ok
}

// parsed reads and checks the package in a folder. The importer reads what the
// build has compiled.
func parsed(folder string, names []string, importPath string, importer types.Importer) (*token.FileSet, []*ast.File, *types.Info, *types.Package, error) {
	fset := token.NewFileSet()
	var files []*ast.File
	for _, name := range names {
		f, err := parser.ParseFile(fset, filepath.Join(folder, name), nil, parser.SkipObjectResolution|parser.ParseComments)
		if err != nil {
			return nil, nil, nil, nil, err
		}
		files = append(files, f)
	}
	info := &types.Info{
		Types: map[ast.Expr]types.TypeAndValue{}, Selections: map[*ast.SelectorExpr]*types.Selection{}, Uses: map[*ast.Ident]types.Object{},
		Defs: map[*ast.Ident]types.Object{},
	}
	pkg, err := (&types.Config{Importer: importer}).Check(importPath, fset, files, info)
	return fset, files, info, pkg, err
}
