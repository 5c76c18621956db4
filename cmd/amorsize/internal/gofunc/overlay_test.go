package gofunc

import (
	"maps"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// overlaid returns the overlay of a function, with the names of its files below the package's folder.
func overlaid(t *testing.T, f *Function) (files map[string]string, args []string) {
	t.Helper()
	o, err := f.overlay()
	require.NoError(t, err)
	files = map[string]string{}
	for path, text := range o.replace {
		name, err := filepath.Rel(f.Dir, path)
		require.NoError(t, err)
		files[filepath.ToSlash(name)] = text
	}
	return files, o.args
}

// harnessFiles are the files of the harness in a folder, and others.
func harnessFiles(dir string, others ...string) []string {
	for _, part := range []string{"harness", "measure", "other", "serve", "shapes", "unix"} {
		others = append(others, dir+"zz_amorsize_"+part+"_h.go")
	}
	slices.Sort(others)
	return others
}

// TestExportedFunctionIsCalledFromBelow: a main package below the function's own imports it.
func TestExportedFunctionIsCalledFromBelow(t *testing.T) {
	p := source(t, "package calc\n\nfunc Square(n int) int { return n * n }\n")
	f, err := p.named("Square", false)
	require.NoError(t, err)
	files, args := overlaid(t, f)
	require.Equal(t, harnessFiles("amorsize_harness/", "amorsize_harness/main.go"), slices.Sorted(maps.Keys(files)))
	require.Equal(t, "package main\n\nimport amzt \"example.com/user/calc\"\n\nfunc main() { amzHarness(amzShapeR(amzt.Square)) }\n",
		files["amorsize_harness/main.go"])
	for name, text := range files {
		require.Contains(t, text, "package main\n", name)
		require.NotContains(t, text, "PACKAGE", name)
	}
	require.Equal(t, []string{filepath.Join(p.Dir, "amorsize_harness")}, args)

	// In the user's module a folder is named, in any other the package: its folder is none of the user's.
	p.Module = &struct {
		Path, Dir string
		Main      bool
	}{Main: true}
	_, args = overlaid(t, f)
	require.Equal(t, []string{filepath.Join(p.Dir, "amorsize_harness")}, args)
	p.Module.Main = false
	_, args = overlaid(t, f)
	require.Equal(t, []string{"example.com/user/calc/amorsize_harness"}, args)
	p.Module, p.Standard = nil, true
	_, args = overlaid(t, f)
	require.Equal(t, []string{"example.com/user/calc/amorsize_harness"}, args)
}

// TestOtherFunctionsAreCalledFromTheirPackage: only there they can be named.
func TestOtherFunctionsAreCalledFromTheirPackage(t *testing.T) {
	p := source(t, `package calc

import "context"

type Svc struct{}

var Variable = hidden

func (Svc) Add(n int) int                   { return n }
func hidden(n int) int                      { return n }
func Gen[T int](n T) T                      { return n }
func Late(ctx context.Context, n int) error { return nil }
`)
	begin := func(call string) string {
		return "package calc\n\nfunc AmorsizeHarness() { amzHarness(" + call + ") }\n"
	}
	for expr, want := range map[string]string{
		"hidden":   begin("amzShapeR(hidden)"),
		"Variable": begin("amzShapeR(Variable)"),
		"Svc.Add":  begin("amzShapeR(new(Svc).Add)"),
		"Gen[int]": begin("amzShapeR(Gen[int])"),
	} {
		f, err := p.named(expr, false)
		require.NoError(t, err)
		files, args := overlaid(t, f)
		require.Equal(t, harnessFiles("", "zz_amorsize_begin_h.go", "amorsize_harness/main.go"), slices.Sorted(maps.Keys(files)), expr)
		require.Equal(t, want, files["zz_amorsize_begin_h.go"])
		require.Equal(t, "package main\n\nimport amzt \"example.com/user/calc\"\n\nfunc main() { amzt.AmorsizeHarness() }\n",
			files["amorsize_harness/main.go"])
		require.Contains(t, files["zz_amorsize_shapes_h.go"], "package calc\n")
		require.Equal(t, []string{filepath.Join(p.Dir, "amorsize_harness")}, args)
	}

	// An expression may name context, which the package may not import in any file.
	const call = "func(ctx context.Context, n int) error { return ctx.Err() }"
	f, err := p.literal(call)
	require.NoError(t, err)
	f.target.Literal = true
	files, _ := overlaid(t, f)
	require.Equal(t, "package calc\n\nimport \"context\"\n\nfunc AmorsizeHarness() { amzHarness(amzShapeCE("+call+")) }\n", files["zz_amorsize_begin_h.go"])
	f.Expr = "hidden"
	files, _ = overlaid(t, f)
	require.NotContains(t, files["zz_amorsize_begin_h.go"], "import", "an import that is not used does not compile")
	f.Expr, f.target.Literal = "context.hidden", false
	files, _ = overlaid(t, f)
	require.NotContains(t, files["zz_amorsize_begin_h.go"], "import", "a name is one of the package")

	f.Standard, f.Name = true, "calc.hidden"
	_, err = f.overlay()
	refused(t, err, "calc.hidden is not exported and is in the standard library, which can't get a harness: write a function that calls it")
}

const userProgram = `package main

type T int

func (T) main() {}

func work(n int) int { return n }

// main is not run.
func main() { work(1) }
`

// TestMainOfAProgramGivesWay: the harness has func main, and the user's is another one in the overlay's copy.
func TestMainOfAProgramGivesWay(t *testing.T) {
	p := source(t, userProgram)
	write(t, filepath.Join(p.Dir, "more.go"), "package main\n\nfunc more() {}\n")
	p.GoFiles = append(p.GoFiles, "more.go")
	f, err := p.named("work", false)
	require.NoError(t, err)
	files, args := overlaid(t, f)
	require.Equal(t, harnessFiles("", "calc.go", "zz_amorsize_begin_h.go"), slices.Sorted(maps.Keys(files)), "what is unchanged is no part of it")
	require.Equal(t, strings.Replace(userProgram, "func main()", "func amzUserMain()", 1), files["calc.go"])
	require.Equal(t, "package main\n\nfunc main() { amzHarness(amzShapeR(work)) }\n", files["zz_amorsize_begin_h.go"])
	require.Equal(t, []string{"./calc"}, args)

	p.CgoFiles, p.GoFiles = p.GoFiles, nil
	files, _ = overlaid(t, f)
	require.Contains(t, files["calc.go"], "amzUserMain", "it may stand beside C")

	p.CgoFiles = []string{"gone.go"}
	_, err = f.overlay()
	require.ErrorContains(t, err, "gone.go")
	write(t, filepath.Join(p.Dir, "gone.go"), "package main\n\nfunc {")
	_, err = f.overlay()
	require.ErrorContains(t, err, "gone.go:3")
}

// TestSingleFileIsBuiltWithTheHarness: all files are named, and a file of another package becomes one of main.
func TestSingleFileIsBuiltWithTheHarness(t *testing.T) {
	other := "zz_amorsize_other_h.go"
	if runtime.GOOS == "windows" {
		other = "zz_amorsize_unix_h.go"
	}
	p := source(t, "// Package lone is none.\npackage lone\n\nfunc Double(n int) int { return 2 * n }\n\nfunc main() {}\n")
	p.target.Package = "calc/calc.go"
	p.GoFiles = []string{filepath.Join(p.Dir, "calc.go")} // go list names it so
	f, err := p.named("Double", false)
	require.NoError(t, err)
	files, args := overlaid(t, f)
	names := harnessFiles("", "zz_amorsize_begin_h.go")
	names = slices.DeleteFunc(names, func(name string) bool { return name == other })
	want := []string{"calc/calc.go"}
	for _, name := range names {
		want = append(want, filepath.Join("calc", name))
	}
	require.Equal(t, want, args, "not the file of other systems, since no constraint is obeyed")
	require.Equal(t, append([]string{"calc.go"}, names...), slices.Sorted(maps.Keys(files)))
	require.Equal(t, "// Package lone is none.\npackage main\n\nfunc Double(n int) int { return 2 * n }\n\nfunc amzUserMain() {}\n", files["calc.go"])
	require.Equal(t, "package main\n\nfunc main() { amzHarness(amzShapeR(Double)) }\n", files["zz_amorsize_begin_h.go"])
	for name, text := range files {
		require.Contains(t, text, "package main\n", name)
	}
	p.GoFiles = []string{"gone.go"}
	_, err = f.overlay()
	require.ErrorContains(t, err, "gone.go")
}
