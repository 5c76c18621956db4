package amorsize_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What is public is declared where it can be read: no exported declaration names a type of an internal package.
func TestNothingPublicPointsIntoInternal(t *testing.T) {
	seen := 0
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		name := entry.Name()
		switch {
		case err != nil:
			return err
		case entry.IsDir():
			if name == "internal" || name == "cmd" || name == "scripts" || name == "examples" || name == "testdata" || path != "." && strings.HasPrefix(name, ".") {
				return filepath.SkipDir
			}
		case strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go"):
			seen++
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			require.NoError(t, err)
			if file.Name.Name != "main" {
				assert.Empty(t, internals(file), path)
			}
		}
		return nil
	})
	require.NoError(t, err)
	require.Greater(t, seen, 100)
}

// internals are the names of internal packages in a file's exported declarations.
func internals(file *ast.File) (found []string) {
	internal := map[string]bool{}
	for _, imported := range file.Imports {
		path := strings.Trim(imported.Path.Value, `"`)
		if strings.Contains(path, "/internal/") {
			internal[path[strings.LastIndex(path, "/")+1:]] = true
		}
	}
	var look func(n ast.Node)
	fields := func(list *ast.FieldList) {
		for _, field := range list.List {
			if len(field.Names) == 0 || field.Names[0].IsExported() {
				look(field.Type)
			}
		}
	}
	look = func(n ast.Node) {
		ast.Inspect(n, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.StructType:
				fields(n.Fields)
				return false
			case *ast.InterfaceType:
				fields(n.Methods)
				return false
			case *ast.SelectorExpr:
				if of, ok := n.X.(*ast.Ident); ok && internal[of.Name] {
					found = append(found, of.Name+"."+n.Sel.Name)
				}
			}
			return true
		})
	}
	for _, declaration := range file.Decls {
		switch d := declaration.(type) {
		case *ast.FuncDecl:
			if d.Name.IsExported() && (d.Recv == nil || ast.IsExported(receiver(d.Recv.List[0].Type))) {
				look(d.Type)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				if s, ok := spec.(*ast.TypeSpec); ok && s.Name.IsExported() {
					look(s.Type)
				}
			}
		}
	}
	return found
}

// receiver is the name of a method's type.
func receiver(of ast.Expr) (name string) {
	ast.Inspect(of, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && name == "" {
			name = id.Name
		}
		return true
	})
	return name
}
