// Package function runs the jobs of amorsize exec: calls of a Go function in a separate process.
package function

import (
	"context"
	"errors"
	"io"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/gofunc"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/process"
)

// Config names a Go function.
type Config struct {
	Name       string // PKG.Func, PKG:Func or file.go:Func; with an Expression, the package
	Expression string // of the function, in the scope of the package; "" is the name's
	Tags       string // of the build
	Batch      bool   // it takes a slice of items
}

// Load finds the function, its parameter and its results. Messages go to verbose, if that is not nil.
func Load(ctx context.Context, cfg Config, verbose io.Writer) (*gofunc.Function, error) {
	target, err := gofunc.ParseTarget(cfg.Name, cfg.Expression)
	if err != nil {
		return nil, WithStatus(err)
	}
	p, err := gofunc.Load(ctx, target, gofunc.Options{Tags: cfg.Tags, Verbose: verbose})
	if err != nil {
		return nil, WithStatus(err)
	}
	fn, err := p.Function(cfg.Batch)
	return fn, WithStatus(err)
}

// Build compiles the function. Its processes are ended with the others of groups.
func Build(ctx context.Context, fn *gofunc.Function, groups *process.Groups) (*gofunc.Binary, error) {
	binary, err := fn.Build(ctx)
	if err != nil {
		return nil, WithStatus(err)
	}
	binary.Started = func(pid int) func() { return groups.Adopt(pid, fn.Name) }
	return binary, nil
}

// Serving returns a function that starts a process that calls the Go function. What the Go function writes goes to
// stderr.
func Serving(binary *gofunc.Binary, stderr io.Writer) func() (Server, error) {
	return func() (Server, error) {
		server, err := binary.Serve(stderr, "")
		if err != nil {
			return nil, err // not a nil *gofunc.Server, which is a Server
		}
		return server, nil
	}
}

// WithStatus makes the error of a function that can't be called end the command with exit.BadTarget. Other errors
// are unchanged.
func WithStatus(err error) error {
	if errors.Is(err, gofunc.ErrTarget) {
		return exit.With(exit.BadTarget, err)
	}
	return err
}
