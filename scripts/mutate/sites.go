package main

import (
	"bufio"
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// site is a place in a file where a mistake can be made.
type site struct {
	id         int // from 1; the switch of the mistake
	file       string
	line       int
	what       string // the mistake, as "< to <="
	text       string // the line that has it, without indentation
	start, end int    // what is switched, in bytes of the file
	by         change
}

// change is how a mistake is switched on and off in the text of a file.
type change struct {
	kind kind
	// of an operator: where it stands; of an assignment: what is assigned
	from, to int
	name     string // of the function for an operator; the type of a number
}

type kind int

const (
	negated  kind = iota // a condition, or == and !=
	operator             // another operator
	either               // && and ||: the right side may not be evaluated
	number               // one more
	dropped              // a statement
	unstored             // an assignment: its right side is evaluated all the same
)

// key names a mistake independently of where its line stands.
func (s site) key() string { return filepath.Base(s.file) + ": " + s.text + ": " + s.what }

func (s site) String() string { return fmt.Sprintf("%s:%d: %s", s.file, s.line, s.what) }

// finder collects the sites of a file, those that stand in others behind them.
type finder struct {
	files *token.FileSet
	types *types.Info
	of    *types.Package
	src   []byte
	name  string
	bare  map[ast.Stmt]bool // which can't stand in braces: of the head of an if, for, switch or case
	found []site
}

func (f *finder) file(parsed *ast.File) {
	f.bare = map[ast.Stmt]bool{}
	for _, decl := range parsed.Decls {
		if fn, ok := decl.(*ast.FuncDecl); ok && fn.Body != nil {
			ast.Inspect(fn.Body, f.visit)
		}
	}
}

var swapped = map[token.Token]token.Token{
	token.LSS: token.LEQ, token.LEQ: token.LSS, token.GTR: token.GEQ, token.GEQ: token.GTR,
	token.EQL: token.NEQ, token.NEQ: token.EQL, token.LAND: token.LOR, token.LOR: token.LAND,
	token.ADD: token.SUB, token.SUB: token.ADD, token.MUL: token.QUO, token.QUO: token.MUL,
}

func (f *finder) visit(node ast.Node) bool {
	f.head(node)
	switch n := node.(type) {
	case *ast.GenDecl:
		return n.Tok != token.CONST
	case *ast.BinaryExpr:
		f.swap(n)
		return n.Op != token.SHL // the size of a buffer, or a bound: one more bit is hardly a mistake
	case *ast.ReturnStmt:
		return f.returned(n)
	case *ast.BasicLit:
		f.miscount(n)
	case *ast.ExprStmt:
		f.drop(n, "statement dropped")
	case *ast.IncDecStmt:
		f.drop(n, "statement dropped")
	case *ast.DeferStmt:
		f.drop(n, "defer dropped")
	case *ast.AssignStmt:
		f.forget(n)
	}
	return true
}

// head negates the condition of a statement, and notes what stands beside it.
func (f *finder) head(node ast.Node) {
	switch n := node.(type) {
	case *ast.IfStmt:
		f.bare[n.Init] = true
		f.negate(n.Cond)
	case *ast.ForStmt:
		f.bare[n.Init], f.bare[n.Post] = true, true
		if n.Cond != nil {
			f.negate(n.Cond)
		}
	case *ast.SwitchStmt:
		f.bare[n.Init] = true
	case *ast.TypeSwitchStmt:
		f.bare[n.Init], f.bare[n.Assign] = true, true
	case *ast.CommClause:
		f.bare[n.Comm] = true
	}
}

// swap puts another operator in the place of one.
func (f *finder) swap(n *ast.BinaryExpr) {
	other, ok := swapped[n.Op]
	if !ok {
		return
	}
	by := change{kind: operator, from: f.at(n.OpPos), to: f.at(n.OpPos) + len(n.Op.String()), name: operators[n.Op]}
	switch n.Op {
	case token.EQL, token.NEQ:
		by.kind = negated
	case token.LAND, token.LOR:
		by.kind = either
	case token.ADD, token.SUB, token.MUL, token.QUO:
		if basic, ok := f.types.TypeOf(n).Underlying().(*types.Basic); ok && basic.Info()&types.IsString != 0 {
			return // there is no difference of strings
		}
		name, ok := f.typeOf(n)
		if !ok {
			return
		}
		by.name += "[" + name + "]" // which constants alone don't tell
	}
	f.add(n, by, n.Op.String()+" to "+other.String())
}

// miscount makes a number one larger.
func (f *finder) miscount(n *ast.BasicLit) {
	v, err := strconv.Atoi(n.Value)
	if err != nil || n.Kind != token.INT {
		return
	}
	if name, ok := f.typeOf(n); ok {
		f.add(n, change{kind: number, name: name}, fmt.Sprintf("%d to %d", v, v+1))
	}
}

// typeOf returns how a type is written in the file. A part of a constant may have none: ok is false.
func (f *finder) typeOf(n ast.Expr) (name string, ok bool) {
	name = types.TypeString(f.types.TypeOf(n), func(p *types.Package) string {
		if p == f.of {
			return ""
		}
		return p.Name()
	})
	return name, !strings.HasPrefix(name, "untyped")
}

func (f *finder) drop(n ast.Stmt, what string) {
	if !f.bare[n] {
		f.add(n, change{kind: dropped}, what)
	}
}

// forget drops an assignment to what there is already.
func (f *finder) forget(n *ast.AssignStmt) {
	if n.Tok == token.DEFINE || len(n.Lhs) != 1 || isName(n.Lhs[0], "_") || f.bare[n] {
		return
	}
	if isName(n.Rhs[0], "nil") {
		f.add(n, change{kind: dropped}, "assignment dropped")
		return
	}
	f.add(n, change{kind: unstored, from: f.at(n.Rhs[0].Pos()), to: f.at(n.Rhs[0].End())}, "assignment dropped")
}

func isName(e ast.Expr, names ...string) bool {
	id, ok := e.(*ast.Ident)
	for _, name := range names {
		if ok && id.Name == name {
			return true
		}
	}
	return false
}

// returned visits what is returned, but for plain values beside an error: those are of no
// use to anybody.
func (f *finder) returned(n *ast.ReturnStmt) bool {
	last := len(n.Results) - 1
	if last < 1 || isName(n.Results[last], "nil", "true", "false") {
		return true
	}
	for _, result := range n.Results {
		if _, plain := result.(*ast.BasicLit); !plain {
			ast.Inspect(result, f.visit)
		}
	}
	return false
}

// negate turns a condition round, unless its own operator does it.
func (f *finder) negate(cond ast.Expr) {
	if b, ok := cond.(*ast.BinaryExpr); ok && (b.Op == token.EQL || b.Op == token.NEQ) {
		return
	}
	f.add(cond, change{kind: negated}, "condition negated")
}

func (f *finder) add(n ast.Node, by change, what string) {
	at := f.files.Position(n.Pos())
	if by.kind == operator || by.kind == either || by.kind == negated && by.to > 0 {
		at = f.files.Position(n.Pos() + token.Pos(by.from-at.Offset)) // of the operator
	}
	line, _, _ := strings.Cut(string(f.src[at.Offset-at.Column+1:]), "\n")
	f.found = append(f.found, site{
		file: f.name, line: at.Line, what: what, text: strings.TrimSpace(line),
		start: f.at(n.Pos()), end: f.at(n.End()), by: by,
	})
}

func (f *finder) at(pos token.Pos) int { return f.files.Position(pos).Offset }

// readEquivalent reads the keys of mistakes that no test can notice. A line is a key;
// the lines before it that begin with "#" say why.
func readEquivalent(path string) (map[string]bool, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	known := map[string]bool{}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if line := strings.TrimSpace(lines.Text()); line != "" && !strings.HasPrefix(line, "#") {
			known[line] = true
		}
	}
	return known, lines.Err()
}
