package gofunc

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

const shapes = `package calc

import (
	"context"
	own "own/context"
	"time"
)

type Svc struct{ n int }

type Box[T any] struct{ In T }

var Variable = func(n int) int { return n }

var Values = []func(int) int{Variable}

type Kind func(n int) int

var Typed Kind

func NewSvc(n int) *Svc { return &Svc{n} }

func (s *Svc) Add(n int) int         { return n }
func (Svc) Name(s string) string     { return s }
func (b *Box[T]) Put(item T) error   { return nil }

func R(n int) int                                   { return n }
func RE(n int) (int, error)                         { return n, nil }
func E(n int) error                                 { return nil }
func None(n int)                                    {}
func CR(ctx context.Context, n int) int             { return n }
func CRE(ctx context.Context, n int) (int, error)   { return n, nil }
func CE(ctx context.Context, n int) error           { return nil }
func CNone(ctx context.Context, n int)              {}
func Many(ns []int) ([]int, error)                  { return nil, nil }
func ManyR(ns []int) []int                          { return nil }
func ManyE(ctx context.Context, ns []int) error     { return nil }
func hidden(n int) int                              { return n }
func Gen[T int | float64](x T) T                    { return x }
func GenString[K ~string](x K) K                    { return x }
func GenFloat[K ~float64](x K) K                    { return x }
func GenBool[K ~bool](x K) K                        { return x }
func GenAny[K any, V any](x K) K                    { return x }
func Lasts(d time.Duration) time.Duration           { return d }
func Fails(n int) (error, int)                      { return nil, n }
func NotContext(ctx own.Context)                    {}
func Other(n context.Other) int                     { return 0 }
`

// TestShapeOfFunction: a function takes one item, optionally after a context, and returns a result, an error,
// both or nothing. With a batch it takes a slice, and returns one or an error.
func TestShapeOfFunction(t *testing.T) {
	p := source(t, shapes)
	for expr, want := range map[string]Function{
		"R":     {Shape: "amzShapeR", Result: true, Type: "func(n int) int"},
		"RE":    {Shape: "amzShapeRE", Result: true, Fails: true, Type: "func(n int) (int, error)"},
		"E":     {Shape: "amzShapeE", Fails: true, Type: "func(n int) error"},
		"None":  {Shape: "amzShape", Type: "func(n int)"},
		"CR":    {Shape: "amzShapeCR", Context: true, Result: true, Type: "func(ctx context.Context, n int) int"},
		"CRE":   {Shape: "amzShapeCRE", Context: true, Result: true, Fails: true, Type: "func(ctx context.Context, n int) (int, error)"},
		"CE":    {Shape: "amzShapeCE", Context: true, Fails: true, Type: "func(ctx context.Context, n int) error"},
		"CNone": {Shape: "amzShapeC", Context: true, Type: "func(ctx context.Context, n int)"},
		"Many":  {Shape: "amzBatchRE", Batch: true, Result: true, Fails: true, Type: "func(ns []int) ([]int, error)"},
		"ManyR": {Shape: "amzBatchR", Batch: true, Result: true, Type: "func(ns []int) []int"},
		"ManyE": {Shape: "amzBatchCE", Batch: true, Context: true, Fails: true, Type: "func(ctx context.Context, ns []int) error"},
		"Lasts": {Shape: "amzShapeR", Result: true, Type: "func(d time.Duration) time.Duration"},
		// Only context.Context is a context.
		"Other": {Shape: "amzShapeR", Result: true, Type: "func(n context.Other) int"},
	} {
		got, err := p.named(expr, want.Batch)
		require.NoError(t, err, expr)
		require.Equal(t, want, Function{
			Shape: got.Shape, Context: got.Context, Result: got.Result, Fails: got.Fails, Batch: got.Batch, Type: got.Type,
		}, expr)
	}
}

// TestNamesOfFunction: how the harness and a caller name the function, and where it stands.
func TestNamesOfFunction(t *testing.T) {
	p := source(t, shapes)
	for expr, want := range map[string]Function{
		"R":             {Expr: "R", Name: "calc.R", Code: "calc.R", Place: "calc/calc.go:27", plain: true},
		"hidden":        {Expr: "hidden", Name: "calc.hidden", Code: "calc.hidden", Place: "calc/calc.go:38"},
		"Variable":      {Expr: "Variable", Name: "calc.Variable", Code: "calc.Variable", Place: "calc/calc.go:13"},
		"Typed":         {Expr: "Typed", Name: "calc.Typed", Code: "calc.Typed", Place: "calc/calc.go:19"},
		"Values[0]":     {Expr: "Values[0]", Name: "calc.Values[0]", Code: "calc.Values[0]", Place: "calc/calc.go:15"},
		"Gen[int]":      {Expr: "Gen[int]", Name: "calc.Gen[int]", Code: "calc.Gen[int]", Place: "calc/calc.go:39"},
		"Svc.Add":       {Expr: "new(Svc).Add", Name: "calc.Svc.Add"},
		"(*Svc).Add":    {Expr: "new(Svc).Add", Name: "calc.(*Svc).Add"},
		"Svc.Name":      {Expr: "new(Svc).Name", Name: "calc.Svc.Name"},
		"Box[int].Put":  {Expr: "new(Box[int]).Put", Name: "calc.Box[int].Put"},
		"NewSvc(8).Add": {Expr: "NewSvc(8).Add", Name: "calc.NewSvc(8).Add", Code: "calc.NewSvc(8).Add"},
	} {
		got, err := p.named(expr, false)
		require.NoError(t, err, expr)
		want.Place = filepath.FromSlash(want.Place)
		require.Equal(t, want, Function{Expr: got.Expr, Name: got.Name, Code: got.Code, Place: got.Place, plain: got.plain}, expr)
		require.Equal(t, Target{Package: "./calc", Expr: expr}, got.Target())
	}
	lit, err := p.literal("func(n int) int { return hidden(n) }")
	require.NoError(t, err)
	require.Equal(t, "func(n int) int { return hidden(n) }", lit.Name)
	require.Empty(t, lit.Code, "it has no name")
	require.Empty(t, lit.Place)
}

// TestMainFunctionsHaveNoPackageName: nobody imports package main.
func TestMainFunctionsHaveNoPackageName(t *testing.T) {
	p := source(t, "package main\n\nfunc Work(n int) int { return n }\n\nfunc main() {}\n")
	f, err := p.named("Work", false)
	require.NoError(t, err)
	require.Equal(t, "main.Work", f.Name)
	require.Equal(t, "Work", f.Code)
	require.False(t, f.plain)

	p = source(t, shapes)
	p.ImportPath = "main"
	f, err = p.named("R", false)
	require.NoError(t, err)
	require.False(t, f.plain, "nothing can import it")
}

// TestRefusedFunctions: what is wrong, and what would help.
func TestRefusedFunctions(t *testing.T) {
	p := source(t, shapes+`func Three(n int) (int, int, error)              { return 0, 0, nil }
func Twice(n int) (int, int)                     { return 0, 0 }
func Chan(c chan int)                            {}
func Nothing(ns []int)                           {}
func Sum(ns []int) int                           { return 0 }
const Number = 4
`)
	at := func(line string) string { return " (" + filepath.Join("calc", "calc.go:"+line) + ")" }
	const wants = "; wanted func(T) R, func(T) (R, error), func(T) error or func(T), each optionally with a context.Context first"
	for expr, want := range map[string]string{
		"Number":         "calc.Number is of type untyped int, not a function",
		"Gen":            "calc.Gen is generic: name its type, for example ./calc.Gen[int]",
		"GenString":      "calc.GenString is generic: name its type, for example ./calc.GenString[string]",
		"GenFloat":       "calc.GenFloat is generic: name its type, for example ./calc.GenFloat[float64]",
		"GenBool":        "calc.GenBool is generic: name its type, for example ./calc.GenBool[T]",
		"GenAny":         "calc.GenAny is generic: name its type, for example ./calc.GenAny[int]",
		"Gen[string]":    "./calc.Gen[string]: string does not satisfy int | float64 (string missing in int | float64)",
		"Svc.Nope":       "./calc.Svc.Nope: new(Svc).Nope undefined (type *Svc has no field or method Nope)",
		"Three":          "calc.Three" + at("48") + " returns 3 values: func(n int) (int, int, error)" + wants + ". Return one value of a struct type",
		"Twice":          "calc.Twice" + at("49") + " returns 2 values: func(n int) (int, int)" + wants + ". Return one value of a struct type",
		"Fails":          "calc.Fails" + at("45") + " returns 2 values: func(n int) (error, int)" + wants + ". Return one value of a struct type",
		"Chan":           "items of type chan int cannot come from JSON (item is a channel)",
		"NotContext":     "items of type context.Context cannot come from JSON (item is an interface with methods: context.Context)",
		"a b":            `"a b" is not a Go expression: 1:3: expected 'EOF', found b`,
		"missing(1)":     "./calc.missing(1): undefined: missing",
		"Values[true]":   "./calc.Values[true]: cannot convert true (untyped bool constant) to type int",
		"func() {}(1)":   "./calc.func() {}(1): too many arguments in call to (func() literal)\n\thave (number)\n\twant ()",
		"Missing.Method": "./calc.Missing.Method: undefined: Missing",
	} {
		_, err := p.named(expr, false)
		refused(t, err, want)
	}
	for expr, want := range map[string]string{
		"R":       "calc.R" + at("27") + " takes one item: func(n int) int; with --batch it has to take a slice of items, as func([]T) ([]R, error)",
		"Sum":     "calc.Sum" + at("52") + " takes a batch and does not return a slice: func(ns []int) int; wanted func([]T) ([]R, error), func([]T) []R or func([]T) error",
		"Nothing": "calc.Nothing" + at("51") + " takes a batch and returns nothing: func(ns []int); wanted func([]T) ([]R, error), func([]T) []R or func([]T) error",
	} {
		_, err := p.named(expr, true)
		refused(t, err, want)
	}
	_, err := p.literal("func(n int) (int, int) { return n, n }")
	refused(t, err, "func(n int) (int, int) { return n, n } returns 2 values: func(n int) (int, int)"+wants+". Return one value of a struct type")
}

// TestUnknownFunctions: a name that is not there is told with what is, and with what was perhaps meant.
func TestUnknownFunctions(t *testing.T) {
	const path = "example.com/user/calc has no function "
	p := source(t, `package calc
func Square(n int) int { return n }
func half(n int) int   { return n }
func init()            {}
func main()            {}
var Twice = func(n int) int { return n }
var Number = 4
`)
	_, err := p.named("Sqare", false)
	refused(t, err, path+`"Sqare"; it has Square, Twice, half (did you mean Square?)`)
	_, err = p.named("zzzzzz", false)
	refused(t, err, path+`"zzzzzz"; it has Square, Twice, half`)

	_, err = source(t, "package calc\n\nvar Number = 4\n").named("F", false)
	refused(t, err, path+`"F", nor any other`)

	const text = "package calc\n" +
		"func AAA(int) {}\nfunc BBB(int) {}\nfunc CCC(int) {}\nfunc DDD(int) {}\nfunc EEE(int) {}\nfunc FFF(int) {}\n" +
		"func GGG(int) {}\nfunc HHH(int) {}\nfunc III(int) {}\nfunc JJJ(int) {}\nfunc KKK(int) {}\nfunc LLL(int) {}\n"
	_, err = source(t, text).named("zzzz", false)
	refused(t, err, path+`"zzzz"; it has AAA, BBB, CCC, DDD, EEE, FFF, GGG, HHH, III, JJJ, KKK, LLL`)
	_, err = source(t, text+"func MMM(n int) {}\nfunc NNN(n int) {}\n").named("MMN", false)
	refused(t, err, path+`"MMN"; it has AAA, BBB, CCC, DDD, EEE, FFF, GGG, HHH, III, JJJ, KKK, LLL, … (did you mean MMM?)`)
}

// TestContextIsKnownInExpressions: the harness imports it for them, and for nothing else.
func TestContextIsKnownInExpressions(t *testing.T) {
	const text = "package calc\n\nimport (\n\t\"context\"\n\t\"strings\"\n\t\"example.com/b\"\n\t\"fmt\"\n)\n\nfunc Late(context.Context, b.T, fmt.Stringer) string { return strings.ToUpper(\"\") }\n"
	const expr = "func(ctx context.Context, n int) error { return ctx.Err() }"
	p := source(t, text)
	f, err := p.literal(expr)
	require.NoError(t, err)
	require.True(t, f.Context)
	_, err = source(t, text).named(expr, false)
	refused(t, err, "./calc."+expr+": undefined: context")
	_, err = source(t, "package calc\n\nimport \"strings\"\n\nvar X = strings.ToUpper(\"\")\n").literal(expr)
	refused(t, err, "--fn '"+expr+"' ./calc: undefined: context")
}

// TestFunctionsElsewhere: a function may stand in a file that is not built, or in a test.
func TestFunctionsElsewhere(t *testing.T) {
	p := source(t, "package calc\n\nfunc Square(n int) int { return n }\n")
	write(t, filepath.Join(p.Dir, "broken.go"), "//go:build no\n\npackage calc\n\nfunc {")
	write(t, filepath.Join(p.Dir, "other.go"), "// Of another system.\n\n//go:build plan9\n\npackage calc\n\nfunc Elsewhere(n int) {}\n")
	write(t, filepath.Join(p.Dir, "special.go"), "//go:build special\n\npackage calc\n\nfunc Special(n int) {}\n")
	write(t, filepath.Join(p.Dir, "named_plan9.go"), "package calc\n\nfunc Named(n int) {}\n")
	write(t, filepath.Join(p.Dir, "calc_test.go"), "package calc\n\nfunc InTests(n int) {}\n\ntype T int\n\nfunc (T) Method(n int) {}\n")
	p.IgnoredGoFiles = []string{"broken.go", "other.go", "gone.go", "special.go", "named_plan9.go"}
	p.TestGoFiles = []string{"calc_test.go"}
	for name, want := range map[string]string{
		"Special":   filepath.Join("calc", "special.go") + " defines Special but is excluded by //go:build special: add --tags special",
		"Elsewhere": filepath.Join("calc", "other.go") + " defines Elsewhere but is excluded by //go:build plan9: add --tags plan9",
		"InTests":   "InTests is in " + filepath.Join("calc", "calc_test.go") + ": functions of test files can't be called; move it, or name one that calls it",
		"Method":    `example.com/user/calc has no function "Method"; it has Square`,
		"Named":     `example.com/user/calc has no function "Named"; it has Square`, // no tag would help
	} {
		_, err := p.named(name, false)
		refused(t, err, want)
	}
}
