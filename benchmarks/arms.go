package main

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/alitto/pond/v2"
	"github.com/destel/rill"
	"github.com/panjf2000/ants/v2"
	"github.com/samber/lo"
	loparallel "github.com/samber/lo/parallel"
	"github.com/sourcegraph/conc/iter"
	"golang.org/x/sync/errgroup"

	"github.com/amorsize/amorsize"
)

// An item is small, so that hundreds of millions fit into memory.
type (
	item   = int32
	result = int32
	work   = func(item) (result, error)
)

// arm is one way to run fn over items.
type arm struct {
	name  string
	run   func(fn work, items []item) []result
	heavy bool // costs hundreds of ns an item: timed on fewer items of cheap work
}

func must[R any](out R, err error) R {
	if err != nil {
		panic(err)
	}
	return out
}

var ours = arm{name: "**amorsize**", run: func(fn work, items []item) []result {
	return must(amorsize.Execute(fn, items))
}}

var serial = arm{name: "serial loop", run: func(fn work, items []item) []result {
	out := make([]result, len(items))
	for i := range items {
		v, err := fn(items[i])
		if err != nil {
			panic(err)
		}
		out[i] = v
	}
	return out
}}

// chunked is the hand-written loop: workers claim chunks from a counter.
func chunked(workers, chunk int) arm {
	return arm{name: "oracle", run: func(fn work, items []item) []result {
		out := make([]result, len(items))
		var next atomic.Int64
		var group sync.WaitGroup
		for range workers {
			group.Go(func() {
				for {
					hi := int(next.Add(int64(chunk)))
					lo := hi - chunk
					if lo >= len(items) {
						return
					}
					for i := lo; i < min(hi, len(items)); i++ {
						v, err := fn(items[i])
						if err != nil {
							panic(err)
						}
						out[i] = v
					}
				}
			})
		}
		group.Wait()
		return out
	}}
}

// lateJoin is the hand-written loop for small inputs: the caller works at once.
func lateJoin(chunk int) arm {
	return arm{name: "late join, hand-written", run: func(fn work, items []item) []result {
		out := make([]result, len(items))
		var next atomic.Int64
		body := func() {
			for {
				hi := int(next.Add(int64(chunk)))
				lo := hi - chunk
				if lo >= len(items) {
					return
				}
				for i := lo; i < min(hi, len(items)); i++ {
					out[i], _ = fn(items[i])
				}
			}
		}
		var group sync.WaitGroup
		for range runtime.GOMAXPROCS(0) - 1 {
			group.Go(body)
		}
		body()
		group.Wait()
		return out
	}}
}

// errgroupWorkers is errgroup with a fixed number of workers and a counter.
func errgroupWorkers(workers int) arm {
	return arm{name: "errgroup + counter", run: func(fn work, items []item) []result {
		out := make([]result, len(items))
		var next atomic.Int64
		group, ctx := errgroup.WithContext(context.Background())
		for range workers {
			group.Go(func() error {
				for ctx.Err() == nil {
					i := int(next.Add(1)) - 1
					if i >= len(items) {
						return nil
					}
					v, err := fn(items[i])
					if err != nil {
						return err
					}
					out[i] = v
				}
				return nil
			})
		}
		return must(out, group.Wait())
	}}
}

// errgroupLimit is errgroup with a goroutine an item, so many at a time.
func errgroupLimit(workers int) arm {
	return arm{name: "errgroup, SetLimit", heavy: true, run: func(fn work, items []item) []result {
		out := make([]result, len(items))
		var group errgroup.Group
		group.SetLimit(workers)
		for i := range items {
			group.Go(func() (err error) { out[i], err = fn(items[i]); return err })
		}
		return must(out, group.Wait())
	}}
}

// peers are the ways that people reach for today, each with its defaults or
// GOMAXPROCS workers.
func peers() []arm {
	procs := runtime.GOMAXPROCS(0)
	return []arm{
		errgroupWorkers(procs),
		{name: "conc iter.Map", run: func(fn work, items []item) []result {
			return must(iter.MapErr(items, func(i *item) (result, error) { return fn(*i) }))
		}},
		errgroupLimit(procs),
		{name: "pond", heavy: true, run: func(fn work, items []item) []result {
			pool := pond.NewPool(procs)
			defer pool.StopAndWait()
			out := make([]result, len(items))
			group := pool.NewGroup()
			for i := range items {
				group.SubmitErr(func() (err error) { out[i], err = fn(items[i]); return err })
			}
			return must(out, group.Wait())
		}},
		{name: "ants", heavy: true, run: func(fn work, items []item) []result {
			pool := must(ants.NewPool(procs))
			defer pool.Release()
			out := make([]result, len(items))
			var group sync.WaitGroup
			for i := range items {
				group.Add(1)
				_ = pool.Submit(func() { defer group.Done(); out[i], _ = fn(items[i]) })
			}
			group.Wait()
			return out
		}},
		{name: "rill ordered", heavy: true, run: func(fn work, items []item) []result {
			return must(rill.ToSlice(rill.OrderedMap(rill.FromSlice(items, nil), procs, fn)))
		}},
		{name: "lo parallel", heavy: true, run: func(fn work, items []item) []result {
			return loparallel.Map(items, func(i item, _ int) result { return lo.Must(fn(i)) })
		}},
	}
}
