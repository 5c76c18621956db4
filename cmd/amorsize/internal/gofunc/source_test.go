package gofunc

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// imported are packages that sources may import, so that no test waits for the compiler's.
type imported map[string]string

func (i imported) Import(path string) (*types.Package, error) {
	if path == "unsafe" {
		return types.Unsafe, nil
	}
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, path+".go", i[path], 0)
	if err != nil {
		return nil, err
	}
	return new(types.Config).Check(path, fset, []*ast.File{file}, nil)
}

var someImported = imported{
	"context":       "package context\ntype Context interface{ Err() error }\ntype Other int",
	"fmt":           "package fmt\ntype Stringer interface{ String() string }",
	"own/context":   "package context\ntype Context interface{ Err() error }",
	"time":          "package time\ntype Duration int64\nfunc (d Duration) String() string { return \"\" }",
	"strings":       "package strings\nfunc ToUpper(s string) string { return s }",
	"example.com/b": "package b\ntype T struct{ N int }",
}

// source returns the package calc of one file as Load returns it, without the go command.
func source(t *testing.T, text string) *Package {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "calc")
	write(t, filepath.Join(dir, "calc.go"), text)
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, filepath.Join(dir, "calc.go"), text, parser.SkipObjectResolution)
	require.NoError(t, err)
	config := types.Config{Importer: someImported}
	checked, err := config.Check("example.com/user/calc", fset, []*ast.File{file}, nil)
	require.NoError(t, err)
	return &Package{
		listed: listed{ImportPath: "example.com/user/calc", Name: file.Name.Name, Dir: dir, GoFiles: []string{"calc.go"}},
		target: Target{Package: "./calc"}, fset: fset, types: checked,
	}
}

// function finds the function that the expression names.
func (p *Package) named(expr string, batch bool) (*Function, error) {
	p.target.Expr = expr
	return p.Function(batch)
}

// literal finds the function that an expression is.
func (p *Package) literal(expr string) (*Function, error) {
	p.target.Expr, p.target.Literal = expr, true
	defer func() { p.target.Literal = false }()
	return p.Function(false)
}

// write writes a file, with its folders.
func write(t *testing.T, path, text string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
}

// refused holds that the error says why a function can't be called, in these words.
func refused(t *testing.T, err error, text string) {
	t.Helper()
	require.ErrorIs(t, err, ErrTarget)
	require.EqualError(t, err, text)
}
