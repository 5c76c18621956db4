// Command arrows checks that the parts of a package refer to each other in one direction.
//
// The package says in its doc.go what its parts are, under the heading "# Parts": a line
// for each, from the top down, with a name and the files that it is of.
//
//	//	crew     crew, admission
//
// A file may refer to what its own part declares and to what parts below it do. A field
// or a method counts for the file that declares it; so does one of an interface, so that
// a part below calls one above by an interface that it declares itself.
//
//	go run ./scripts/arrows ./executor
package main

import (
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	failed := false
	for _, dir := range os.Args[1:] {
		wrong, err := check(dir)
		if err != nil {
			fmt.Fprintln(os.Stderr, "arrows:", err)
			os.Exit(1)
		}
		for _, w := range wrong {
			fmt.Println("arrows:", w)
			failed = true
		}
	}
	if failed {
		os.Exit(1)
	}
	fmt.Println("arrows run one way")
}

// part is one of a package's parts.
type part struct {
	name  string
	level int // 0 at the top
}

// check returns what is wrong with the arrows of the package in dir.
func check(dir string) (wrong []string, err error) {
	fset := token.NewFileSet()
	files, err := parse(fset, dir)
	if err != nil {
		return nil, err
	}
	parts, err := partsOf(files["doc"])
	if err != nil {
		return nil, err
	}
	for name := range files {
		if _, known := parts[name]; !known && name != "doc" {
			wrong = append(wrong, fmt.Sprintf("%s/%s.go is of no part", dir, name))
		}
	}
	for name := range parts {
		if files[name] == nil {
			wrong = append(wrong, fmt.Sprintf("%s/%s.go is not there", dir, name))
		}
	}
	uses, err := resolve(fset, dir, files)
	if err != nil {
		return nil, err
	}
	for id, object := range uses {
		at := fset.Position(id.Pos())
		from, to := parts[base(at.Filename)], parts[base(fset.Position(object.Pos()).Filename)]
		if from.level > to.level {
			wrong = append(wrong, fmt.Sprintf("%s:%d: %s refers to %s of %s, which is above it", at.Filename, at.Line, from.name, id.Name, to.name))
		}
	}
	slices.Sort(wrong)
	return wrong, nil
}

// parse returns the files of a package by name.
func parse(fset *token.FileSet, dir string) (map[string]*ast.File, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	files := map[string]*ast.File{}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(fset, name, nil, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		files[base(name)] = file
	}
	if files["doc"] == nil {
		return nil, fmt.Errorf("%s has no doc.go", dir)
	}
	return files, nil
}

func base(path string) string { return strings.TrimSuffix(filepath.Base(path), ".go") }

// partsOf returns the part of each file, by the list in a package's documentation.
func partsOf(doc *ast.File) (map[string]part, error) {
	_, list, found := strings.Cut(doc.Doc.Text(), "# Parts")
	if !found {
		return nil, fmt.Errorf("doc.go lists no parts")
	}
	list, _, _ = strings.Cut(list, "\n# ")
	parts := map[string]part{}
	level := 0
	for line := range strings.Lines(list) {
		fields := strings.Fields(strings.ReplaceAll(line, ",", " "))
		if !strings.HasPrefix(line, "\t") || len(fields) < 2 {
			continue
		}
		for _, file := range fields[1:] {
			parts[file] = part{fields[0], level}
		}
		level++
	}
	return parts, nil
}

// resolve returns what the identifiers of a package refer to, as far as it is declared in
// the package, but not in a function.
func resolve(fset *token.FileSet, dir string, files map[string]*ast.File) (map[*ast.Ident]types.Object, error) {
	all := make([]*ast.File, 0, len(files))
	for _, f := range files {
		all = append(all, f)
	}
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}, Selections: map[*ast.SelectorExpr]*types.Selection{}}
	config := types.Config{Importer: importer.ForCompiler(fset, "source", nil)}
	pkg, err := config.Check(dir, fset, all, info)
	if err != nil {
		return nil, err
	}
	uses := map[*ast.Ident]types.Object{}
	for id, object := range info.Uses {
		if object.Pkg() == pkg && object.Pos().IsValid() && declared(object, pkg) {
			uses[id] = object
		}
	}
	return uses, nil
}

// declared reports whether an object is a field, a method, or of the package's scope.
func declared(object types.Object, pkg *types.Package) bool {
	switch o := object.(type) {
	case *types.Var:
		return o.IsField() || o.Parent() == pkg.Scope()
	case *types.Func:
		return true
	}
	return object.Parent() == pkg.Scope()
}
