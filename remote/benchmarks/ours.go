//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/remote"
)

// Functions that the suites run: an item that takes no time, one that computes for 10 µs, and two that wait.
var (
	triple   = remote.Register("triple", func(i int) (int, error) { return 3 * i, nil })
	spin10us = remote.Register("spin10us", func(i int) (int, error) { spin(10 * time.Microsecond); return i, nil })
	wait1ms  = remote.Register("wait1ms", func(i int) (int, error) { time.Sleep(time.Millisecond); return i, nil })
	wait50ms = remote.Register("wait50ms", func(i int) (int, error) { time.Sleep(50 * time.Millisecond); return i, nil })
	wait20ms = remote.Register("wait20ms", func(i int) (int, error) { time.Sleep(20 * time.Millisecond); return i, nil }, amorsize.WithMaxWorkers(16))
)

func spin(d time.Duration) {
	for begun := time.Now(); time.Since(begun) < d; {
	}
}

// through submits, works and gathers a function's items in this process, and returns how long that took.
func through(ctx context.Context, p place, f *remote.Func[int, int], n, chunk int) (time.Duration, error) {
	c, err := p.open(ctx)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	working, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- remote.Work(working, c) }()
	defer func() { stop(); <-done }()
	time.Sleep(300 * time.Millisecond) // until it is running: River begins at a random moment
	return gather(ctx, c, f, n, chunk)
}

// gather submits items and waits for their results.
func gather(ctx context.Context, c *remote.Cluster, f *remote.Func[int, int], n, chunk int) (time.Duration, error) {
	opts := []remote.SubmitOption{remote.Total(n)}
	if chunk > 0 {
		opts = append(opts, remote.ChunkItems(chunk))
	}
	begun := time.Now()
	run, err := f.Submit(ctx, c, ints(n), opts...)
	if err != nil {
		return 0, err
	}
	next := 0
	for r := range run.Results(ctx) {
		if r.Err != nil {
			return 0, r.Err
		}
		if r.Index != next {
			return 0, errors.New("out of order")
		}
		next++
	}
	if next != n {
		return 0, fmt.Errorf("%d results of %d", next, n)
	}
	took := time.Since(begun)
	return took, run.Remove(ctx)
}
