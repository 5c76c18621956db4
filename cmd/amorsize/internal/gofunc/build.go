package gofunc

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// harness has the source of the harness.
//
//go:embed harness/*.go.txt
var harness embed.FS

// Binary is a harness that has been built.
type Binary struct {
	Path string
	Took time.Duration
	Kept bool // it was built before, and nothing has changed
	// Started, if not nil, is called for each process that is started. It returns a function to call when the
	// process has ended.
	Started func(pid int) (ended func())
	clean   func()
}

// Close removes temporary files.
func (b *Binary) Close() {
	if b.clean != nil {
		b.clean()
	}
}

// overlay is the content of the overlay, and what is built of it.
type overlay struct {
	replace map[string]string // path in the tree -> text
	args    []string          // what to build
}

// overlay places the harness. An exported function of a package other than main is called from a main package
// below it. Everything else is called from a file in the function's own package, since only there it can be named.
func (f *Function) overlay() (overlay, error) {
	o := overlay{replace: map[string]string{}}
	below := filepath.Join(f.Dir, "amorsize_harness")
	call := fmt.Sprintf("amzHarness(%s(%s))", f.Shape, f.Expr)
	switch {
	case f.target.File():
		o.inPackage("main", f, f.Dir, call, "main") // a file of any other package would not make a program
		o.args = []string{f.target.Package}
		unwanted := "zz_amorsize_other_h.go" // named files are built, whatever their constraints
		if runtime.GOOS == "windows" {
			unwanted = "zz_amorsize_unix_h.go"
		}
		delete(o.replace, filepath.Join(f.Dir, unwanted))
		for name := range o.replace {
			if filepath.Base(name) != filepath.Base(f.target.Package) { // named in the same way: go build compares names
				o.args = append(o.args, filepath.Join(filepath.Dir(f.target.Package), filepath.Base(name)))
			}
		}
		slices.Sort(o.args[1:])
		return o, o.renameMain(f)
	case f.types.Name() == "main":
		o.inPackage("main", f, f.Dir, call, "main")
		o.args = []string{f.target.Package}
		return o, o.renameMain(f)
	case f.plain:
		o.add(below, "main")
		o.replace[filepath.Join(below, "main.go")] = fmt.Sprintf(
			"package main\n\nimport amzt %q\n\nfunc main() { amzHarness(%s(amzt.%s)) }\n", f.ImportPath, f.Shape, f.target.Expr)
	case f.Standard:
		return o, refuse("%s is not exported and is in the standard library, which can't get a harness: write a function that calls it", f.Name)
	default:
		o.inPackage(f.types.Name(), f, f.Dir, call, "AmorsizeHarness")
		o.replace[filepath.Join(below, "main.go")] = fmt.Sprintf(
			"package main\n\nimport amzt %q\n\nfunc main() { amzt.AmorsizeHarness() }\n", f.ImportPath)
	}
	o.args = []string{below}
	if f.Standard || f.Module != nil && !f.Module.Main {
		o.args = []string{f.ImportPath + "/amorsize_harness"}
	}
	return o, nil
}

func (o *overlay) add(dir, pkg string) {
	files, _ := harness.ReadDir("harness") // it exists: it was embedded
	for _, file := range files {
		text, _ := harness.ReadFile("harness/" + file.Name())
		// The names must not end in the name of a system, which go build would obey.
		name := "zz_amorsize_" + strings.TrimSuffix(file.Name(), ".go.txt") + "_h.go"
		o.replace[filepath.Join(dir, name)] = strings.Replace(string(text), "package PACKAGE", "package "+pkg, 1)
	}
}

// inPackage puts the harness into the function's package, which is called pkg in the overlay. The function called
// name starts it.
func (o *overlay) inPackage(pkg string, f *Function, dir, call, name string) {
	o.add(dir, pkg)
	imports := ""
	if strings.Contains(f.Expr, "context.") && f.target.Literal {
		imports = "import \"context\"\n\n"
	}
	o.replace[filepath.Join(dir, "zz_amorsize_begin_h.go")] = fmt.Sprintf("package %s\n\n%sfunc %s() { %s }\n", pkg, imports, name, call)
}

// renameMain gives the user's func main another name in the overlay's copy, and changes the package of a single
// file to main.
func (o *overlay) renameMain(f *Function) error {
	for _, name := range slices.Concat(f.GoFiles, f.CgoFiles) {
		path := name
		if !filepath.IsAbs(path) {
			path = filepath.Join(f.Dir, name)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		fset := token.NewFileSet()
		tree, err := parser.ParseFile(fset, path, text, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		changed := string(text)
		for _, d := range tree.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "main" {
				changed = renamed(changed, fset, fn.Name, "amzUserMain")
			}
		}
		if tree.Name.Name != "main" {
			changed = renamed(changed, fset, tree.Name, "main") // it comes before everything else
		}
		if changed != string(text) {
			o.replace[path] = changed
		}
	}
	return nil
}

// renamed returns a file's text with one name replaced.
func renamed(text string, fset *token.FileSet, name *ast.Ident, to string) string {
	at := fset.PositionFor(name.Pos(), false).Offset
	return text[:at] + to + text[at+len(name.Name):]
}

// Build builds the harness, or finds one built from the same sources.
func (f *Function) Build(ctx context.Context) (*Binary, error) {
	began := time.Now()
	o, err := f.overlay()
	if err != nil {
		return nil, err
	}
	kept := f.keptPath(o)
	if kept != "" {
		if info, err := os.Stat(kept); err == nil && info.Mode().IsRegular() {
			now := time.Now()
			_ = os.Chtimes(kept, now, now)
			return &Binary{Path: kept, Took: time.Since(began), Kept: true}, nil
		}
	}
	dir, err := os.MkdirTemp("", "amorsize-build-")
	if err != nil {
		return nil, err
	}
	b := &Binary{clean: func() { _ = os.RemoveAll(dir) }}
	if b.Path, err = f.build(ctx, o, dir); err != nil {
		b.Close()
		return nil, err
	}
	if kept != "" && keep(b.Path, kept) == nil {
		b.Close()
		b.Path, b.clean = kept, nil
	}
	b.Took = time.Since(began)
	return b, nil
}

func (f *Function) build(ctx context.Context, o overlay, dir string) (string, error) {
	replace := map[string]string{}
	n := 0
	for path, text := range o.replace {
		file := filepath.Join(dir, fmt.Sprintf("%d_%s", n, filepath.Base(path)))
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			return "", err
		}
		replace[path] = file
		n++
	}
	raw, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	list := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(list, raw, 0o600); err != nil {
		return "", err
	}
	out := filepath.Join(dir, "harness")
	if runtime.GOOS == "windows" {
		out += ".exe"
	}
	args := append([]string{"build"}, f.options.flags()...)
	args = append(args, "-overlay", list, "-o", out)
	_, errs, err := f.options.goCommand(ctx, append(args, o.args...)...)
	if err != nil {
		return "", refuse("%s does not build with its harness:\n%s", f.Name, strings.TrimSpace(string(errs)))
	}
	return out, nil
}

// keptPath is where the harness is kept: its name is a hash of all its sources. It is empty if there is no place.
func (f *Function) keptPath(o overlay) string {
	cache, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	sum := sha256.New()
	add := func(parts ...string) {
		for _, part := range parts {
			_, _ = fmt.Fprintf(sum, "%d:%s\n", len(part), part)
		}
	}
	add(runtime.Version(), f.ImportPath, f.Dir)
	add(f.options.flags()...)
	add(os.Getenv("GOFLAGS"), os.Getenv("CGO_ENABLED"), os.Getenv("GOARCH"), os.Getenv("GOEXPERIMENT"))
	for _, path := range slices.Sorted(maps.Keys(o.replace)) {
		add(path, o.replace[path])
	}
	for _, path := range slices.Sorted(maps.Keys(f.deps)) {
		add(path, f.deps[path].Export) // its name is a hash of its sources
	}
	for _, name := range slices.Concat(f.GoFiles, f.CgoFiles) {
		if !filepath.IsAbs(name) {
			name = filepath.Join(f.Dir, name)
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return ""
		}
		add(name, string(text))
	}
	if len(f.CgoFiles) > 0 {
		return "" // the C files are not known here
	}
	return filepath.Join(cache, "amorsize", "harness", hex.EncodeToString(sum.Sum(nil)[:16]))
}

// mostKept is how many harnesses are kept.
const mostKept = 50

// keep moves a harness to where it is kept, and removes the oldest ones.
func keep(path, kept string) error {
	dir := filepath.Dir(kept)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	temporary := fmt.Sprintf("%s.%d", kept, os.Getpid())
	if err := os.WriteFile(temporary, raw, 0o700); err != nil { //nolint:gosec // a program
		return err
	}
	if err := os.Rename(temporary, kept); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) <= mostKept {
		return nil //nolint:nilerr // too many are no harm
	}
	type aged struct {
		name string
		used time.Time
	}
	var list []aged
	for _, e := range entries {
		if info, err := e.Info(); err == nil {
			list = append(list, aged{e.Name(), info.ModTime()})
		}
	}
	slices.SortFunc(list, func(a, b aged) int { return a.used.Compare(b.used) })
	for _, old := range list[:max(0, len(list)-mostKept)] {
		_ = os.Remove(filepath.Join(dir, old.name))
	}
	return nil
}
