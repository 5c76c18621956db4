package gofunc

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// packages are what go list prints.
func packages(t *testing.T, list ...listed) string {
	t.Helper()
	var text strings.Builder
	for _, l := range list {
		raw, err := json.Marshal(l)
		require.NoError(t, err)
		text.Write(append(raw, '\n'))
	}
	return text.String()
}

type problem = struct{ Pos, Err string }

// calc is a package of a file without imports, as go list prints it.
func calc(t *testing.T, text string) listed {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "calc")
	write(t, filepath.Join(dir, "calc.go"), text)
	return listed{ImportPath: "example.com/user/calc", Name: "calc", Dir: dir, Export: "/cache/1", GoFiles: []string{"calc.go"}, CompiledGoFiles: []string{"calc.go"}}
}

// load loads what go list prints.
func load(t *testing.T, list ...listed) (*Package, error) {
	t.Helper()
	fakeGo(t, goScript{List: packages(t, list...)})
	return Load(t.Context(), Target{Package: "./calc", Expr: "F"}, Options{})
}

// TestLoadAsksTheGoCommand for the package and all that it imports, and builds nothing else.
func TestLoadAsksTheGoCommand(t *testing.T) {
	dep := listed{ImportPath: "example.com/dep", Export: "/cache/2"}
	l := calc(t, "package calc\n\nfunc F(n int) int { return n }\n")
	calls := fakeGo(t, goScript{List: packages(t, dep, l)})
	o := Options{Tags: "a,b", Race: true}
	p, err := Load(t.Context(), Target{Package: "./calc", Expr: "F"}, o)
	require.NoError(t, err)
	require.Equal(t, l, p.listed, "the last is the one that was asked for")
	require.Equal(t, map[string]*listed{dep.ImportPath: &dep, l.ImportPath: &l}, p.deps)
	list := calls()
	require.Len(t, list, 1)
	args := list[0].Args
	require.Equal(t, []string{"list", "-tags=a,b", "-race", "-e", "-export", "-compiled", "-deps"}, args[:7])
	require.Equal(t, []string{"--", "./calc"}, args[8:])
	f, err := p.Function(false)
	require.NoError(t, err)
	require.Equal(t, "calc.F", f.Name)
	require.Equal(t, o, f.options, "it is built with the same")
}

// TestPackagesThatCannotBeLoaded: why, and what would help.
func TestPackagesThatCannotBeLoaded(t *testing.T) {
	const noModule = "no go.mod here or above: use file.go:Func, or go mod init"
	for text, want := range map[string]string{
		"go: go.mod file not found in current directory\n": noModule,
		"go: no such tool \n":                              "./calc can't be loaded: go: no such tool",
	} {
		fakeGo(t, goScript{FailList: true, ListError: text})
		_, err := Load(t.Context(), Target{Package: "./calc"}, Options{})
		refused(t, err, want)
	}
	fakeGo(t, goScript{})
	_, err := Load(t.Context(), Target{Package: "./calc"}, Options{})
	refused(t, err, "no package matches ./calc")
	fakeGo(t, goScript{List: "{} x"})
	_, err = Load(t.Context(), Target{Package: "./calc"}, Options{})
	require.ErrorContains(t, err, "go list: invalid character")
	t.Setenv("PATH", "")
	_, err = Load(t.Context(), Target{Package: "./calc"}, Options{})
	refused(t, err, "a Go function needs the go command in PATH (run and http do not)")

	const download = "example.com/user/calc needs a module that is not in the module cache; amorsize never downloads: run go mod download\n"
	for name, c := range map[string]struct {
		change func(l *listed)
		want   string
	}{
		"a module": {func(l *listed) { l.Error = &problem{Err: "no required module provides package x; to add it:\n"} }, download + "no required module provides package x; to add it:"},
		"of another": {func(l *listed) {
			l.Incomplete, l.DepsErrors = true, []problem{{Err: "calc.go:3: cannot find module providing package x"}, {Err: "and y"}}
		}, download + "calc.go:3: cannot find module providing package x\nand y"},
		"one to fetch": {func(l *listed) { l.Error = &problem{Err: "module lookup disabled by GOPROXY=off"} }, download + "module lookup disabled by GOPROXY=off"},
		"no go.mod":    {func(l *listed) { l.Error = &problem{Err: "go: go.mod file not found in current directory"} }, noModule},
		"no files":     {func(l *listed) { l.GoFiles, l.Error = nil, &problem{Err: "no Go files in calc\n"} }, "no Go files in calc"},
	} {
		l := calc(t, "package calc\n")
		c.change(&l)
		_, err := load(t, l)
		require.Error(t, err, name)
		refused(t, err, c.want)
	}
}

// TestExcludedPackageNamesTheTag that would include a file of it.
func TestExcludedPackageNamesTheTag(t *testing.T) {
	const all = "build constraints exclude all Go files in calc"
	l := calc(t, "package calc\n")
	write(t, filepath.Join(l.Dir, "a_plan9.go"), "package calc\n")
	write(t, filepath.Join(l.Dir, "b.go"), "// B\n\n //go:build special \n\npackage calc\n\n//go:build other\n")
	l.GoFiles, l.CompiledGoFiles, l.Error = nil, nil, &problem{Err: all + "\n"}
	l.IgnoredGoFiles = []string{"gone.go", "a_plan9.go", "b.go"}
	_, err := load(t, l)
	refused(t, err, "example.com/user/calc: all its files are excluded, one by //go:build special: add --tags special")
	l.IgnoredGoFiles = []string{"a_plan9.go"}
	_, err = load(t, l)
	refused(t, err, all)
}

// TestPackageThatDoesNotCompile is told in the compiler's words, which the listing does not have.
func TestPackageThatDoesNotCompile(t *testing.T) {
	for name, change := range map[string]func(l *listed){
		"not compiled": func(l *listed) { l.Export = "" },
		"incomplete":   func(l *listed) { l.Incomplete = true },
		"an error":     func(l *listed) { l.Error = &problem{Err: "some"} },
		"no files":     func(l *listed) { l.GoFiles = nil },
		"one with C":   func(l *listed) { l.CgoFiles, l.Error = []string{"c.go"}, &problem{Err: "some"} },
	} {
		l := calc(t, "package calc\n\nfunc F(n int) int { return n }\n")
		change(&l)
		calls := fakeGo(t, goScript{List: packages(t, l), FailBuild: true, BuildError: "calc.go:3: undefined: x\n"})
		_, err := Load(t.Context(), Target{Package: "./calc"}, Options{Race: true})
		require.Error(t, err, name)
		refused(t, err, "example.com/user/calc does not compile:\ncalc.go:3: undefined: x")
		require.Equal(t, []string{"build", "-race", "-o", os.DevNull, "./calc"}, calls()[1].Args)

		_, err = load(t, l)
		require.NoError(t, err, "only the listing failed")
	}
	for name, change := range map[string]func(l *listed){
		"a program has no export data": func(l *listed) { l.Export, l.Name = "", "main" },
		"nor may the standard library": func(l *listed) { l.Export, l.Standard = "", true },
		"a file with C is one":         func(l *listed) { l.CgoFiles, l.GoFiles = l.GoFiles, nil },
		"as is one beside others":      func(l *listed) { l.CgoFiles = []string{"calc.go"} },
	} {
		l := calc(t, "package calc\n")
		change(&l)
		calls := fakeGo(t, goScript{List: packages(t, l), FailBuild: true})
		_, err := Load(t.Context(), Target{Package: "./calc"}, Options{})
		require.NoError(t, err, name)
		require.Len(t, calls(), 1)
	}
}

// TestSourceIsTypeChecked: what compiles in part still says which functions there are.
func TestSourceIsTypeChecked(t *testing.T) {
	l := calc(t, "package calc\n\nimport \"gone\"\n\nfunc F(n int) int { return gone.X }\n")
	p, err := load(t, l)
	require.NoError(t, err)
	f, err := p.Function(false)
	require.NoError(t, err)
	require.Equal(t, "func(n int) int", f.Type)

	// The objects of cgo are no Go files, but what it writes into the build cache is.
	other := filepath.Join(t.TempDir(), "f00-d")
	write(t, other, "package calc\n\nfunc G(n int) string { return \"\" }\n")
	write(t, filepath.Join(l.Dir, "object.o"), "ELF")
	l.CompiledGoFiles = []string{"object.o", "calc.go", other}
	p, err = load(t, l)
	require.NoError(t, err)
	require.Equal(t, []string{"F", "G"}, p.names())

	write(t, filepath.Join(l.Dir, "calc.go"), "package calc\n\nfunc {")
	_, err = load(t, l)
	require.ErrorIs(t, err, ErrTarget)
	require.ErrorContains(t, err, "example.com/user/calc does not compile:\n"+filepath.Join(l.Dir, "calc.go")+":3:6: ")
}

// TestImportsMayHaveOtherPaths: go list says where the standard library has what it took from others.
func TestImportsMayHaveOtherPaths(t *testing.T) {
	out, _, err := Options{}.goCommand(t.Context(), "list", "-export", "-f", "{{.Export}}", "context")
	require.NoError(t, err)
	dep := listed{ImportPath: "vendor/context", Export: strings.TrimSpace(string(out))}
	l := calc(t, "package calc\n\nimport \"context\"\n\nfunc F(ctx context.Context, n int) error { return ctx.Err() }\n")
	l.ImportMap = map[string]string{"context": "vendor/context"}
	p, err := load(t, dep, l)
	require.NoError(t, err)
	f, err := p.Function(false)
	require.NoError(t, err)
	require.True(t, f.Context)
}

func TestErrorOfTheGoCommandIsKept(t *testing.T) {
	own := refuse("no go")
	require.Equal(t, own, explainList(Target{}, "go.mod file not found", own))
	require.EqualError(t, explainList(Target{Package: "x"}, " text\n", errors.New("exit status 1")), "x can't be loaded: text")
}

// user is a module with what the go command itself has to be asked for.
var user = map[string]string{
	"go.mod":               "module example.com/user\n\ngo 1.26\n",
	"calc/calc.go":         "package calc\n\nimport (\n\t\"context\"\n\t\"example.com/user/internal/dep\"\n)\n\nfunc Square(n int) int { return n * n }\n\nfunc late(ctx context.Context, n dep.Number) (dep.Number, error) { return n + 1, ctx.Err() }\n",
	"calc/special.go":      "//go:build special\n\npackage calc\n\nfunc Special(n int) int { return n }\n",
	"calc/calc_test.go":    "package calc\n\nfunc InTests(n int) int { return n }\n",
	"internal/dep/dep.go":  "package dep\n\ntype Number int\n",
	"broken/broken.go":     "package broken\n\nfunc F(n int) int { return nothing }\n",
	"missing/missing.go":   "package missing\n\nimport \"github.com/not/there\"\n\nfunc F(n int) int { return there.F(n) }\n",
	"tagged/tagged.go":     "//go:build special\n\npackage tagged\n",
	"cmd/tool/main.go":     "package main\n\nfunc work(n int) int { return n }\n\nfunc main() { panic(\"not run\") }\n",
	"empty/nothing":        "",
	"lone/lone.go":         "package lone\n\nfunc Double(n int) int { return 2 * n }\n",
	"lone/other/broken.go": "package",
}

// userModule writes the module, and has the go command need nothing but itself.
func userModule(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range user {
		write(t, filepath.Join(dir, filepath.FromSlash(name)), text)
	}
	t.Setenv("GOFLAGS", "-mod=mod")
	t.Setenv("GOWORK", "off")
	t.Setenv("GOTOOLCHAIN", "local")
	return dir
}

// TestLoadOfRealPackages: what the go command prints is understood.
func TestLoadOfRealPackages(t *testing.T) {
	dir := userModule(t)
	find := func(target, tags string) (*Function, error) {
		parsed, err := ParseTarget(target, "")
		require.NoError(t, err)
		p, err := Load(t.Context(), parsed, Options{Dir: dir, Tags: tags})
		if err != nil {
			return nil, err
		}
		return p.Function(false)
	}
	for target, want := range map[string]string{
		"./calc.late":                  "func(ctx context.Context, n dep.Number) (dep.Number, error)",
		"./cmd/tool.work":              "func(n int) int",
		"lone/lone.go:Double":          "func(n int) int",
		"strings.ToUpper":              "func(s string) string",
		"example.com/user/calc.Square": "func(n int) int",
	} {
		f, err := find(target, "")
		require.NoError(t, err, target)
		require.Equal(t, want, f.Type)
	}
	f, err := find("./calc.Special", "special")
	require.NoError(t, err)
	require.Equal(t, "calc.Special", f.Name)
	for target, want := range map[string]string{
		"./calc.Special": "calc/special.go defines Special but is excluded by //go:build special: add --tags special",
		"./calc.InTests": "InTests is in calc/calc_test.go: functions of test files can't be called; move it, or name one that calls it",
		"./broken.F":     "example.com/user/broken does not compile:\n",
		"./missing.F":    "example.com/user/missing needs a module that is not in the module cache; amorsize never downloads",
		"./tagged.F":     "example.com/user/tagged: all its files are excluded, one by //go:build special: add --tags special",
		"./nowhere.F":    "nowhere",
		"./empty.F":      "no Go files in",
	} {
		_, err := find(target, "")
		require.ErrorIs(t, err, ErrTarget, target)
		require.ErrorContains(t, err, filepath.FromSlash(want))
	}
}
