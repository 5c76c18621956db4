package cli

import (
	"context"
	"io"
	"os"
	"strings"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/function"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/gofunc"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/process"
)

// goFlags name and build a Go function.
type goFlags struct {
	fn   string
	tags string
}

func (f *goFlags) group() group {
	g := newGroup("Go function")
	g.set.StringVar(&f.fn, "fn", "", "an `expression` for the function, in the scope of the package: 'func(n int) int { return hidden(n) }'")
	g.set.StringVar(&f.tags, "tags", "", "build `tags`")
	g.are(ofUser, "fn", "tags")
	return g
}

const goHelp = `

A Go function is written PKG.Func, PKG:Func or file.go:Func. It may be exported or
not, a method of a zero value (./pkg.T.Method), a generic one with its types
(./pkg.Gen[int]), or any expression with --fn. It takes one item, optionally a
context before it, and returns a result, an error, both or nothing. A string or
bytes get the line, other types are parsed from JSON. The package is compiled and
run as by go test, with its init functions; nothing is written into its tree and
nothing is downloaded.`

// config names the function.
func (f *goFlags) config(name string, batch bool) function.Config {
	return function.Config{Name: name, Expression: f.fn, Tags: f.tags, Batch: batch}
}

// build finds the function, and compiles it.
func (f *goFlags) build(name string, batch bool, groups *process.Groups) (*gofunc.Function, *gofunc.Binary, error) {
	fn, err := function.Load(context.Background(), f.config(name, batch), nil)
	if err != nil {
		return nil, nil, err
	}
	binary, err := function.Build(context.Background(), fn, groups)
	return fn, binary, err
}

// buildNote explains how the harness was built.
func buildNote(b *gofunc.Binary) string {
	if b.Kept {
		return "built before"
	}
	return "built in " + jobs.ShortSeconds(b.Took.Seconds()) + " (overlay; nothing written)"
}

// ownOutput is where the function's own output goes.
func ownOutput(verbose bool) io.Writer {
	if verbose {
		return os.Stderr
	}
	return nil
}

// oneTarget returns the function's name among the arguments.
func oneTarget(args []string, fn string) (string, error) {
	switch {
	case len(args) == 1:
		return args[0], nil
	case len(args) == 0 && fn != "":
		return "", nil
	case len(args) == 0:
		return "", exit.Usagef("name a function, such as ./pkg.Func, or a command after --")
	}
	return "", exit.Usagef("give one function, not %s; write a command after --", strings.Join(args, " "))
}
