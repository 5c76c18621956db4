package main

import (
	"context"
	"os"
	"sync"
	"time"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/function"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/process"
)

// goFunction builds the Go function of --go, and returns what calls it in a process of its own. The process ends
// with close, and not with ctx: then calls under way have some seconds yet.
func (j *job) goFunction(ctx context.Context) (do func(context.Context, string) (string, error), name string, err error) {
	fn, err := function.Load(ctx, function.Config{Name: j.fn}, nil)
	if err != nil {
		return nil, "", err
	}
	binary, err := function.Build(ctx, fn, &process.Groups{})
	if err != nil {
		return nil, "", err
	}
	runner := function.New(function.Value, fn.Result, function.Surroundings{
		Serve:   function.Serving(binary, os.Stderr),
		Timeout: func() time.Duration { return j.timeout },
	})
	var calls sync.WaitGroup
	j.ends = append(j.ends, func() { runner.Kill(); calls.Wait(); runner.Close(); binary.Close() })
	return func(ctx context.Context, item string) (string, error) {
		answer := make(chan answered, 1)
		calls.Go(func() { // which goes on if ctx ends, until the process is ended
			text, err := call(ctx, runner, item)
			answer <- answered{text, err}
		})
		select {
		case a := <-answer:
			return a.text, a.err
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
	}, fn.Name, nil
}

// answered is what a call came to.
type answered struct {
	text string
	err  error
}

// call calls the function with an item, and returns its result as JSON, a line.
func call(ctx context.Context, runner *function.Runner, item string) (string, error) {
	job := jobs.Job{Batch: []items.Item{items.Of(0, item)}}
	defer job.Release()
	err := runner.Attempt(ctx, &job, 1)
	switch {
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case err != nil:
		return "", err
	case job.Out.Size() > maxOutput:
		return "", tooMuch("it returned")
	}
	return string(job.Out.Tail(job.Out.Size())), nil
}
