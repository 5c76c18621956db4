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

// Standard returns those of this process.
func Standard() Streams { return Streams{os.Stdin, os.Stdout, os.Stderr} }

// Environment is what jobs are run with, whatever they are and whether they are run or
// measured: the items, the terminal, and what is under way and how it is ended.
type Environment struct {
	Input    *items.Input
	Terminal *ui.Terminal
	Control  *jobs.Control   // ends the run
	State    *jobs.State     // how far the run is
	Groups   *process.Groups // processes under way
	streams  Streams
	source   items.Source
}

// Open opens the items and checks all there is to check of them. The error is one of usage.
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

// Scope returns what placeholders may stand for.
func (e *Environment) Scope() template.Scope {
	return template.Scope{Columns: e.Input.Columns(), Several: e.Input.Several(), Names: e.Input.Names(), Any: e.Input.Records()}
}

// Timeout returns how long an attempt may take that begins at the time of the call; 0 is
// for ever.
func (e *Environment) Timeout(t policies.Timeout) func() time.Duration {
	return func() time.Duration {
		if t.Times > 0 {
			return time.Duration(t.Times * float64(e.State.Usual()))
		}
		return t.Fixed
	}
}

// Lines returns what passes on the lines of a job while it runs. If they can't be written,
// the run ends.
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

// outputError returns why the run ends if results can't be written. Where nobody reads them
// any more, what runs is asked to end.
func (e *Environment) outputError(err error) error {
	if ui.ErrPipe(err) {
		e.Groups.Raise(process.Asked)
		return jobs.ErrPipe
	}
	return fmt.Errorf("%w: %w", jobs.ErrOutput, err)
}

// Preview writes what would be run for each item.
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

// StartGuard starts the process that ends what runs if this one is killed. Where there can
// be none, it returns nil, which can be closed all the same.
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
