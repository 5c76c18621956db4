package gofunc

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"strings"
)

// Function is a function that can be called.
type Function struct {
	*Package
	Expr    string // in the harness, in the package's scope
	Name    string // for a person: calc.Square
	Code    string // as its caller would write it: calc.Square; "" if that can't be named from outside
	Place   string // file:line, "" of an expression
	Type    string // its signature
	Shape   string // of the harness
	Context bool
	Result  bool // it returns something besides an error
	Fails   bool // it returns an error
	Batch   bool // it takes a slice of items
	plain   bool // an exported function, known by its name
}

const wanted = "func(T) R, func(T) (R, error), func(T) error or func(T), each optionally with a context.Context first"

// Function finds the target in its package. With batch, it is to take a slice of items.
func (p *Package) Function(batch bool) (*Function, error) {
	f := &Function{Package: p, Expr: p.target.Expr, Batch: batch}
	f.Name = p.Name + "." + f.Expr
	if p.target.Literal {
		f.Name = f.Expr
	}
	expr, err := parser.ParseExpr(f.Expr)
	if err != nil {
		return nil, refuse("%q is not a Go expression: %v", f.Expr, err)
	}
	f.bind(expr)
	f.importContext()
	value, err := types.Eval(p.fset, p.types, token.NoPos, f.Expr)
	if err != nil {
		return nil, f.unknown(err)
	}
	f.locate(expr)
	sig, ok := value.Type.Underlying().(*types.Signature)
	if !ok {
		return nil, refuse("%s is of type %s, not a function", f.Name, types.TypeString(value.Type, f.qualify))
	}
	f.Type = types.TypeString(sig, f.qualify)
	if sig.TypeParams().Len() > 0 {
		return nil, refuse("%s is generic: name its type, for example %s[%s]", f.Name, p.target, example(sig.TypeParams().At(0)))
	}
	return f, f.classify(sig)
}

// example is a type that can replace a type parameter.
func example(param *types.TypeParam) string {
	for _, kind := range []types.BasicKind{types.Int, types.String, types.Float64} {
		if t := types.Typ[kind]; types.Satisfies(t, param.Constraint().Underlying().(*types.Interface)) {
			return t.Name()
		}
	}
	return "T"
}

// bind makes T.M a method of a zero T.
func (f *Function) bind(expr ast.Expr) {
	selector, ok := expr.(*ast.SelectorExpr)
	if !ok {
		return
	}
	operand := f.Expr[:int(selector.Sel.Pos())-2]
	value, err := types.Eval(f.fset, f.types, token.NoPos, operand)
	if err != nil || !value.IsType() {
		return
	}
	t := value.Type
	if pointer, ok := t.(*types.Pointer); ok {
		t = pointer.Elem()
	}
	f.Expr = fmt.Sprintf("new(%s).%s", types.TypeString(t, f.qualify), selector.Sel.Name)
}

// importContext lets an expression name context, which the harness imports for it.
func (f *Function) importContext() {
	for _, imported := range f.types.Imports() {
		if imported.Path() == "context" && f.target.Literal {
			f.types.Scope().Insert(types.NewPkgName(token.NoPos, f.types, "context", imported))
		}
	}
}

// qualify omits the name of the package itself.
func (f *Function) qualify(p *types.Package) string {
	if p.Path() == f.ImportPath {
		return ""
	}
	return p.Name()
}

func (f *Function) unknown(err error) error {
	text := err.Error()
	if at := strings.Index(text, ": "); at >= 0 {
		text = text[at+2:]
	}
	name, undefined := strings.CutPrefix(text, "undefined: ")
	if !undefined || name != f.target.Expr {
		return refuse("%s: %s", f.target, text)
	}
	if tags := f.definedElsewhere(f.IgnoredGoFiles, name); tags != "" {
		return refuse("%s defines %s but is excluded by //go:build %s: add --tags %s", f.elsewhere(f.IgnoredGoFiles, name), name, tags, tags)
	}
	if file := f.elsewhere(f.TestGoFiles, name); file != "" {
		return refuse("%s is in %s: functions of test files can't be called; move it, or name one that calls it", name, file)
	}
	known := f.names()
	hint := ""
	if near := nearest(name, known); near != "" {
		hint = fmt.Sprintf(" (did you mean %s?)", near)
	}
	if len(known) > 12 {
		known = append(known[:12], "…")
	}
	if len(known) == 0 {
		return refuse("%s has no function %q, nor any other", f.ImportPath, name)
	}
	return refuse("%s has no function %q; it has %s%s", f.ImportPath, name, strings.Join(known, ", "), hint)
}

// elsewhere returns which file defines a function of that name.
func (f *Function) elsewhere(files []string, name string) string {
	for _, file := range files {
		tree, err := parser.ParseFile(token.NewFileSet(), filepath.Join(f.Dir, file), nil, parser.SkipObjectResolution)
		if err != nil {
			continue
		}
		for _, d := range tree.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == name {
				return filepath.Join(filepath.Base(f.Dir), file)
			}
		}
	}
	return ""
}

func (f *Function) definedElsewhere(files []string, name string) string {
	if f.elsewhere(files, name) == "" {
		return ""
	}
	for _, file := range files {
		if f.elsewhere([]string{file}, name) != "" {
			return f.constraint([]string{file})
		}
	}
	return ""
}

// locate finds where the function is, and how its callers name it.
func (f *Function) locate(expr ast.Expr) {
	if generic, ok := expr.(*ast.IndexExpr); ok {
		expr = generic.X
	}
	ident, ok := expr.(*ast.Ident)
	if !ok {
		if _, ok := expr.(*ast.SelectorExpr); ok && f.Expr == f.target.Expr {
			f.Code = f.Name
		}
		return
	}
	object := f.types.Scope().Lookup(ident.Name)
	if object == nil {
		return
	}
	place := f.fset.Position(object.Pos())
	f.Place = fmt.Sprintf("%s:%d", filepath.Join(filepath.Base(filepath.Dir(place.Filename)), filepath.Base(place.Filename)), place.Line)
	_, isFunc := object.(*types.Func)
	f.plain = object.Exported() && isFunc && f.ImportPath != "main" && f.types.Name() != "main" && f.target.Expr == ident.Name
	f.Code = f.Name
	if f.types.Name() == "main" {
		f.Code = f.target.Expr
	}
}

// classify finds the shape of the signature.
func (f *Function) classify(sig *types.Signature) error {
	params := make([]types.Type, 0, sig.Params().Len())
	for v := range sig.Params().Variables() {
		params = append(params, v.Type())
	}
	if len(params) > 0 && isNamed(params[0], "context", "Context") {
		f.Context, params = true, params[1:]
	}
	if len(params) != 1 || sig.Variadic() {
		return f.wrongParams(sig, params)
	}
	results := sig.Results()
	last := results.Len() - 1
	if last >= 0 && types.Identical(results.At(last).Type(), types.Universe.Lookup("error").Type()) {
		f.Fails = true
		last--
	}
	if last > 0 {
		return refuse("%s%s returns %d values: %s; wanted %s. Return one value of a struct type", f.Name, f.at(), results.Len(), f.Type, wanted)
	}
	f.Result = last == 0
	item := params[0]
	if f.Batch {
		var err error
		if item, err = f.batchOf(item, results); err != nil {
			return err
		}
	}
	if why := undecodable(item, f.qualify, nil); why != "" {
		return refuse("items of type %s cannot come from JSON (%s)", types.TypeString(item, f.qualify), why)
	}
	f.nameShape()
	return nil
}

// batchOf returns the type of the items of a batch.
func (f *Function) batchOf(batch types.Type, results *types.Tuple) (types.Type, error) {
	slice, ok := batch.Underlying().(*types.Slice)
	if !ok {
		return nil, refuse("%s%s takes one item: %s; with --batch it has to take a slice of items, as func([]T) ([]R, error)", f.Name, f.at(), f.Type)
	}
	if f.Result {
		if _, ok := results.At(0).Type().Underlying().(*types.Slice); !ok {
			return nil, refuse("%s%s takes a batch and does not return a slice: %s; wanted func([]T) ([]R, error), func([]T) []R or func([]T) error", f.Name, f.at(), f.Type)
		}
	} else if !f.Fails {
		return nil, refuse("%s%s takes a batch and returns nothing: %s; wanted func([]T) ([]R, error), func([]T) []R or func([]T) error", f.Name, f.at(), f.Type)
	}
	return slice.Elem(), nil
}

// nameShape sets the harness's name for such functions.
func (f *Function) nameShape() {
	f.Shape = "amzShape"
	if f.Batch {
		f.Shape = "amzBatch"
	}
	for _, part := range []struct {
		on   bool
		name string
	}{{f.Context, "C"}, {f.Result, "R"}, {f.Fails, "E"}} {
		if part.on {
			f.Shape += part.name
		}
	}
}

func (f *Function) at() string {
	if f.Place == "" {
		return ""
	}
	return " (" + f.Place + ")"
}
