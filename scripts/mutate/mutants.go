package main

import (
	"bufio"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// mutant is a file with one mistake in it: the bytes from start to end are replaced.
type mutant struct {
	path       string // of the file
	file       string // that, to be printed
	line       int
	what       string // the mistake, as "< to <="
	text       string // the line that has it, without indentation
	start, end int
	by         string
}

// key names a mistake independently of where its line stands.
func (m mutant) key() string { return filepath.Base(m.file) + ": " + m.text + ": " + m.what }

// source returns the file with the mistake.
func (m mutant) source() ([]byte, error) {
	src, err := os.ReadFile(m.path)
	if err != nil {
		return nil, err
	}
	return slices.Concat(src[:m.start], []byte(m.by), src[m.end:]), nil
}

// mutantsOf lists the mistakes that can be made in a file.
func mutantsOf(path, name string) ([]mutant, error) {
	src, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	files := token.NewFileSet()
	parsed, err := parser.ParseFile(files, path, src, 0)
	if err != nil {
		return nil, err
	}
	f := &finder{files: files, src: src, path: path, name: name}
	for _, decl := range parsed.Decls {
		if fn, ok := decl.(*ast.FuncDecl); ok && fn.Body != nil {
			ast.Inspect(fn.Body, f.visit)
		}
	}
	return f.found, nil
}

// finder collects the mistakes of a file.
type finder struct {
	files      *token.FileSet
	src        []byte
	path, name string
	found      []mutant
}

var swapped = map[token.Token]token.Token{
	token.LSS: token.LEQ, token.LEQ: token.LSS, token.GTR: token.GEQ, token.GEQ: token.GTR,
	token.EQL: token.NEQ, token.NEQ: token.EQL, token.LAND: token.LOR, token.LOR: token.LAND,
	token.ADD: token.SUB, token.SUB: token.ADD, token.MUL: token.QUO, token.QUO: token.MUL,
}

func (f *finder) visit(node ast.Node) bool {
	switch n := node.(type) {
	case *ast.BinaryExpr:
		f.swap(n)
		return n.Op != token.SHL // the size of a buffer, or a bound: one more bit is hardly a mistake
	case *ast.IfStmt:
		f.negate(n.Cond)
	case *ast.ForStmt:
		if n.Cond != nil {
			f.negate(n.Cond)
		}
	case *ast.ReturnStmt:
		return f.returned(n)
	case *ast.BasicLit:
		f.miscount(n)
	case *ast.ExprStmt, *ast.IncDecStmt:
		f.add(n.Pos(), n.End(), "{}", "statement dropped")
	case *ast.DeferStmt:
		f.add(n.Pos(), n.End(), "{}", "defer dropped")
	case *ast.AssignStmt:
		f.forget(n)
	}
	return true
}

// swap puts another operator in the place of one.
func (f *finder) swap(n *ast.BinaryExpr) {
	if other, ok := swapped[n.Op]; ok {
		f.add(n.OpPos, n.OpPos+token.Pos(len(n.Op.String())), other.String(), n.Op.String()+" to "+other.String())
	}
}

// miscount makes a number one larger.
func (f *finder) miscount(n *ast.BasicLit) {
	if v, err := strconv.Atoi(n.Value); err == nil && n.Kind == token.INT {
		f.add(n.Pos(), n.End(), strconv.Itoa(v+1), fmt.Sprintf("%d to %d", v, v+1))
	}
}

// forget drops an assignment to what there is already.
func (f *finder) forget(n *ast.AssignStmt) {
	if n.Tok != token.DEFINE && len(n.Lhs) == 1 && !blank(n.Lhs[0]) {
		f.add(n.Lhs[0].Pos(), n.TokPos+token.Pos(len(n.Tok.String())), "_ =", "assignment dropped")
	}
}

func blank(e ast.Expr) bool {
	name, ok := e.(*ast.Ident)
	return ok && name.Name == "_"
}

// returned visits what is returned, but for plain values beside an error: those are of no
// use to anybody.
func (f *finder) returned(n *ast.ReturnStmt) bool {
	last := len(n.Results) - 1
	if last < 1 {
		return true
	}
	if name, ok := n.Results[last].(*ast.Ident); ok && (name.Name == "nil" || name.Name == "true" || name.Name == "false") {
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
	start, end := f.files.Position(cond.Pos()).Offset, f.files.Position(cond.End()).Offset
	f.add(cond.Pos(), cond.End(), "!("+string(f.src[start:end])+")", "condition negated")
}

func (f *finder) add(from, to token.Pos, by, what string) {
	start, end := f.files.Position(from), f.files.Position(to)
	line, _, _ := strings.Cut(string(f.src[start.Offset-start.Column+1:]), "\n")
	f.found = append(f.found, mutant{
		path: f.path, file: f.name, line: start.Line, what: what, text: strings.TrimSpace(line),
		start: start.Offset, end: end.Offset, by: by,
	})
}

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
