package gofunc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// listed is a package as go list prints it.
type listed struct {
	ImportPath, Name, Dir, Export      string
	GoFiles, CgoFiles, CompiledGoFiles []string
	IgnoredGoFiles, TestGoFiles        []string
	Standard, Incomplete               bool
	ImportMap                          map[string]string
	Module                             *struct {
		Path, Dir string
		Main      bool
	}
	Error      *struct{ Pos, Err string }
	DepsErrors []struct{ Pos, Err string }
}

// Options are the options of the go command.
type Options struct {
	Tags    string
	Race    bool
	Verbose io.Writer // logs the commands that run; nil is none
	Dir     string    // where the go command runs; "" is here
}

func (o Options) flags() []string {
	var flags []string
	if o.Tags != "" {
		flags = append(flags, "-tags="+o.Tags)
	}
	if o.Race {
		flags = append(flags, "-race")
	}
	return flags
}

// Package is a loaded package, type-checked from its source.
type Package struct {
	listed
	target  Target
	options Options
	deps    map[string]*listed
	fset    *token.FileSet
	types   *types.Package
}

// goCommand runs the go command, which never fetches anything.
func (o Options) goCommand(ctx context.Context, args ...string) (stdout, stderr []byte, err error) {
	path, err := exec.LookPath("go")
	if err != nil {
		return nil, nil, refuse("a Go function needs the go command in PATH (run and http do not)")
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir = o.Dir
	cmd.Env = append(os.Environ(), "GOPROXY=off")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if o.Verbose != nil {
		_, _ = fmt.Fprintf(o.Verbose, "  go %s\n", strings.Join(args, " "))
	}
	err = cmd.Run()
	return out.Bytes(), errs.Bytes(), err
}

// Load finds the target's package and checks its types.
func Load(ctx context.Context, t Target, o Options) (*Package, error) {
	args := append([]string{"list"}, o.flags()...)
	args = append(args, "-e", "-export", "-compiled", "-deps",
		"-json=ImportPath,Name,Dir,Export,GoFiles,CgoFiles,CompiledGoFiles,IgnoredGoFiles,TestGoFiles,Standard,Incomplete,ImportMap,Module,Error,DepsErrors",
		"--", t.Package)
	out, errs, err := o.goCommand(ctx, args...)
	if err != nil {
		return nil, explainList(t, string(errs), err)
	}
	p := &Package{target: t, options: o, deps: map[string]*listed{}, fset: token.NewFileSet()}
	var last *listed
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var l listed
		if err := d.Decode(&l); err == io.EOF {
			break
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		p.deps[l.ImportPath] = &l
		last = &l
	}
	if last == nil {
		return nil, refuse("no package matches %s", t.Package)
	}
	p.listed = *last
	if err := p.check(ctx); err != nil {
		return nil, err
	}
	return p, p.typeCheck()
}

func explainList(t Target, text string, err error) error {
	var target *Error
	switch {
	case errors.As(err, &target):
		return err
	case strings.Contains(text, "go.mod file not found"):
		return refuse("no go.mod here or above: use file.go:Func, or go mod init")
	}
	return refuse("%s can't be loaded: %s", t.Package, strings.TrimSpace(text))
}

// check explains what is wrong with the package.
func (p *Package) check(ctx context.Context) error {
	if p.Error != nil || p.Incomplete || p.Export == "" && p.Name != "main" && !p.Standard || len(p.GoFiles)+len(p.CgoFiles) == 0 {
		return p.explain(ctx)
	}
	return nil
}

func (p *Package) explain(ctx context.Context) error {
	text := ""
	if p.Error != nil {
		text = p.Error.Err
	}
	for _, e := range p.DepsErrors {
		text += "\n" + e.Err
	}
	switch {
	case strings.Contains(text, "cannot find module providing") || strings.Contains(text, "no required module provides") || strings.Contains(text, "GOPROXY=off"):
		return refuse("%s needs a module that is not in the module cache; amorsize never downloads: run go mod download\n%s", p.ImportPath, strings.TrimSpace(text))
	case strings.Contains(text, "go.mod file not found"):
		return refuse("no go.mod here or above: use file.go:Func, or go mod init")
	case strings.Contains(text, "build constraints exclude all Go files"):
		return p.excluded(text)
	case len(p.GoFiles)+len(p.CgoFiles) == 0 && text != "":
		return refuse("%s", strings.TrimSpace(text))
	}
	args := append([]string{"build"}, p.options.flags()...)
	_, errs, err := p.options.goCommand(ctx, append(args, "-o", os.DevNull, p.target.Package)...)
	if err == nil {
		return nil // only the listing failed
	}
	return refuse("%s does not compile:\n%s", p.ImportPath, strings.TrimSpace(string(errs)))
}

func (p *Package) excluded(text string) error {
	if tags := p.constraint(p.IgnoredGoFiles); tags != "" {
		return refuse("%s: all its files are excluded, one by //go:build %s: add --tags %s", p.ImportPath, tags, tags)
	}
	return refuse("%s", strings.TrimSpace(text))
}

// constraint returns the build constraint of the first file that has one.
func (p *Package) constraint(files []string) string {
	for _, name := range files {
		raw, err := os.ReadFile(filepath.Join(p.Dir, name))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(raw)) {
			if tags, ok := strings.CutPrefix(strings.TrimSpace(line), "//go:build "); ok {
				return tags
			}
		}
	}
	return ""
}

// typeCheck checks the package's own source, with the compiler's export data of the others.
func (p *Package) typeCheck() error {
	var files []*ast.File
	for _, name := range p.CompiledGoFiles {
		if !filepath.IsAbs(name) {
			name = filepath.Join(p.Dir, name)
		}
		if !strings.HasSuffix(name, ".go") && !strings.Contains(name, "-d") { // objects of cgo
			continue
		}
		file, err := parser.ParseFile(p.fset, name, nil, parser.SkipObjectResolution)
		if err != nil {
			return refuse("%s does not compile:\n%v", p.ImportPath, err)
		}
		files = append(files, file)
	}
	lookup := func(path string) (io.ReadCloser, error) {
		if mapped, ok := p.ImportMap[path]; ok {
			path = mapped
		}
		dep, ok := p.deps[path]
		if !ok || dep.Export == "" {
			return nil, fmt.Errorf("no export data for %s", path)
		}
		return os.Open(dep.Export)
	}
	config := types.Config{Importer: importer.ForCompiler(p.fset, "gc", lookup), Error: func(error) {}}
	p.types, _ = config.Check(p.ImportPath, p.fset, files, nil) // what it finds wrong, the compiler has not
	return nil
}

// names returns the functions of the package, exported ones first.
func (p *Package) names() []string {
	var exported, others []string
	for _, name := range p.types.Scope().Names() {
		object := p.types.Scope().Lookup(name)
		if _, ok := object.Type().Underlying().(*types.Signature); !ok || name == "main" || name == "init" {
			continue
		}
		if object.Exported() {
			exported = append(exported, name)
		} else {
			others = append(others, name)
		}
	}
	return slices.Concat(exported, others)
}
