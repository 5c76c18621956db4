package run

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/output"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/policies"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/process"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/template"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/ui"
)

// Streams are the standard streams of the command.
type Streams struct{ In, Out, Err *os.File }

// Standard returns the streams of this process.
func Standard() Streams { return Streams{os.Stdin, os.Stdout, os.Stderr} }

// Environment is what jobs of any kind need, whether they are run or measured: the items, the terminal, and the
// running processes and how to end them.
type Environment struct {
	Input    *items.Input
	Terminal *ui.Terminal
	Control  *jobs.Control   // ends the run
	State    *jobs.State     // the progress of the run
	Groups   *process.Groups // running processes
	streams  Streams
	source   items.Source
}

// Open opens the items and checks them completely. The error is one of usage.
func Open(source items.Source, streams Streams, color ui.Color) (*Environment, error) {
	input, err := source.Open(streams.In)
	if err != nil {
		return nil, exit.Usage(err)
	}
	return &Environment{
		Input: input, Terminal: ui.NewTerminal(streams.Out, streams.Err, color),
		Control: jobs.NewControl(context.Background()), State: new(jobs.State), Groups: new(process.Groups),
		streams: streams, source: source,
	}, nil
}

// Close releases the items.
func (e *Environment) Close() {
	e.Control.Stop(nil)
	_ = e.Input.Close()
}

// Scope returns the available placeholders.
func (e *Environment) Scope() template.Scope {
	return template.Scope{Columns: e.Input.Columns(), Several: e.Input.Several(), Names: e.Input.Names(), Any: e.Input.Records()}
}

// Timeout returns how long an attempt that begins at the time of the call may take; 0 is forever.
func (e *Environment) Timeout(t policies.Timeout) func() time.Duration {
	return func() time.Duration {
		if t.Times > 0 {
			return time.Duration(t.Times * float64(e.State.Usual()))
		}
		return t.Fixed
	}
}

// Lines returns a function that passes on the lines of a running job. If they can't be written, the run ends.
func (e *Environment) Lines(out *output.Output) func(*jobs.Job, int) (func([]byte, bool), error) {
	return func(j *jobs.Job, slot int) (func([]byte, bool), error) {
		pass, err := out.Lines(j, slot)
		return func(line []byte, stderr bool) {
			if err := pass(line, stderr); err != nil {
				e.Control.Stop(e.outputError(err))
			}
		}, err
	}
}

// outputError returns why the run ends if results can't be written. If their reader has closed its end, running
// jobs are asked to end.
func (e *Environment) outputError(err error) error {
	if ui.ErrPipe(err) {
		e.Groups.Raise(process.Asked)
		return jobs.ErrPipe
	}
	return fmt.Errorf("%w: %w", jobs.ErrOutput, err)
}

// Preview writes what would run for each item.
func (e *Environment) Preview(of func(items.Item) (string, error)) error {
	for it := range e.Input.All() {
		line, err := of(it)
		if err != nil {
			return exit.Usage(err)
		}
		if err := e.Terminal.Text([]byte(line+"\n"), false); err != nil {
			return err
		}
	}
	if err := e.Input.Err(); err != nil {
		return exit.Usage(err)
	}
	return nil
}

// StartGuard starts the process that ends running commands if this process is killed. If there can be no guard, it
// returns nil, on which Close may still be called.
func (e *Environment) StartGuard() *process.Guard {
	self, err := os.Executable()
	if err != nil {
		return nil
	}
	guard, err := process.StartGuard(self)
	if err != nil {
		return nil
	}
	e.Groups.Watch(guard)
	return guard
}
