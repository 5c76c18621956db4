// Package gofunc builds and calls a Go function that is named on the command line. It finds the function and its
// shape. It writes a harness that calls it into an overlay of go build, so that nothing is written into the user's
// tree. It then talks to the resulting program.
package gofunc

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// ErrTarget is wrapped by every error that says why a function can't be called.
var ErrTarget = errors.New("target")

// Error says why a function can't be called, and what would help.
type Error struct{ Text string }

func (e *Error) Error() string { return e.Text }

// Unwrap returns ErrTarget.
func (e *Error) Unwrap() error { return ErrTarget }

func refuse(format string, args ...any) error { return &Error{fmt.Sprintf(format, args...)} }

// Target names a function: a package, or a single file, and an expression in its scope.
type Target struct {
	Package string // a path as go build takes it, or a file ending in .go
	Expr    string // a name, T.Method, Gen[int], or any expression of a function
	Literal bool   // Expr was given by itself (--fn): it is no name
}

// ParseTarget reads PKG.Func, PKG:Func and file.go:Func; with fn, an expression,
// the text is the package alone.
func ParseTarget(text, fn string) (Target, error) {
	if fn != "" {
		if text == "" {
			text = "."
		}
		return Target{text, fn, true}, nil
	}
	if pkg, expr, _ := strings.Cut(text, ":"); pkg != "" && expr != "" {
		return Target{Package: pkg, Expr: expr}, nil
	}
	base := strings.LastIndexByte(cutBrackets(text), '/') + 1
	// A package in the current directory is ./.Func or .Func; a dot within the path's
	// last element may belong to its name, as in gopkg.in/yaml.v3.Unmarshal.
	dot := strings.IndexByte(text[base:], '.')
	if dot >= 0 && base+dot+1 < len(text) {
		pkg := text[:base+dot]
		if pkg == "" || strings.HasSuffix(pkg, "/") {
			pkg += "."
		}
		for _, end := range versionDots(text, base+dot) {
			pkg, dot = text[:end], end-base
		}
		return Target{Package: pkg, Expr: text[base+dot+1:]}, nil
	}
	return Target{}, namesNone(text)
}

// namesNone refuses a target that is a package or a file alone.
func namesNone(text string) error {
	where := strings.TrimSuffix(text, ".")
	if where == "" {
		where = "./pkg"
	}
	if info, err := os.Stat(where); err == nil && !info.IsDir() {
		return refuse("target %q names no function: write %s:Process", text, where)
	}
	return refuse("target %q names no function: write %s.Process (or %s:Process)", text, where, where)
}

// cutBrackets leaves out type arguments, which may have paths of their own.
func cutBrackets(text string) string {
	before, _, _ := strings.Cut(text, "[")
	return before
}

// versionDots returns the end of a path whose last element has a version of the old form: yaml.v3.
func versionDots(text string, dot int) []int {
	rest := text[dot+1:]
	if len(rest) < 2 || rest[0] != 'v' || rest[1] < '0' || rest[1] > '9' {
		return nil
	}
	if next := strings.IndexByte(rest, '.'); next > 0 {
		return []int{dot + 1 + next}
	}
	return nil
}

// File reports whether the target is in a single file.
func (t Target) File() bool { return strings.HasSuffix(t.Package, ".go") }

// String returns the target as it may be written.
func (t Target) String() string {
	if t.Literal {
		return "--fn '" + t.Expr + "' " + t.Package
	}
	if t.File() {
		return t.Package + ":" + t.Expr
	}
	return t.Package + "." + t.Expr
}

// Target returns the target that named the function.
func (f *Function) Target() Target { return f.target }
