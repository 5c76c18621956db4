package executor_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/executor"
)

// again is a policy that makes a call so often at the most.
type again int

func (a again) Do(ctx context.Context, call func(context.Context) error) (err error) {
	for range a {
		if err = call(ctx); err == nil || ctx.Err() != nil {
			return err
		}
	}
	return err
}

// tooLarge is what a service says of a batch.
type tooLarge struct{}

func (tooLarge) Error() string  { return "too large" }
func (tooLarge) TooLarge() bool { return true }

// counted are calls as a report has them.
type counted struct{ ended, ok, failed, retried, notMade int64 }

func countsOf(r *executor.Report) counted {
	c := &r.Calls
	return counted{c.Ended, c.OK(), c.Failed.All(), c.Retried, c.NotMade}
}

// Each call is counted once, by what came of it, whatever it was part of.
func TestCallsAreCounted(t *testing.T) {
	fails := func(_ context.Context, i int) (int, error) {
		if i%10 == 3 {
			return 0, errOdd
		}
		return i, nil
	}
	run := func(fn func(context.Context, int) (int, error), n int, cfg executor.Config) func(t *testing.T, r *executor.Report) {
		return func(t *testing.T, r *executor.Report) {
			cfg.Report = r
			_, _ = executor.Run(t.Context(), executor.Func[int, int]{Context: fn}, sequence(n), cfg)
		}
	}
	batches := func(fn func(context.Context, []int) ([]int, error), n int, cfg executor.Config) func(t *testing.T, r *executor.Report) {
		return func(t *testing.T, r *executor.Report) {
			cfg.Report = r
			_, _ = executor.RunBatches(t.Context(), fn, sequence(n), cfg)
		}
	}
	stream := func(fn func(context.Context, int) (int, error), n int, cfg executor.Config) func(t *testing.T, r *executor.Report) {
		return func(t *testing.T, r *executor.Report) {
			cfg.Report = r
			for range executor.Stream(t.Context(), executor.Func[int, int]{Context: fn}, count(n), cfg) {
			}
		}
	}
	twice := []executor.Policy{again(2)}
	attempts := 0
	for name, c := range map[string]struct {
		run  func(*testing.T, *executor.Report)
		want counted
	}{
		"run":                 {run(fails, 100, executor.Config{Errors: executor.Collect}), counted{100, 90, 10, 0, 0}},
		"run, retried":        {run(fails, 100, executor.Config{Errors: executor.Collect, Policies: twice}), counted{110, 90, 20, 10, 0}},
		"stream":              {stream(fails, 100, executor.Config{Errors: executor.Collect}), counted{100, 90, 10, 0, 0}},
		"stream, retried":     {stream(fails, 100, executor.Config{Errors: executor.Collect, Policies: twice}), counted{110, 90, 20, 10, 0}},
		"stream, one worker":  {stream(fails, 100, executor.Config{Errors: executor.Collect, Workers: 1}), counted{100, 90, 10, 0, 0}},
		"one worker":          {run(fails, 100, executor.Config{Errors: executor.Collect, Workers: 1, ChunkSize: 7}), counted{100, 90, 10, 0, 0}},
		"fail fast":           {run(fails, 4, executor.Config{Workers: 1}), counted{4, 3, 1, 0, 0}},
		"refused by a policy": {run(fails, 20, executor.Config{Errors: executor.Collect, Policies: []executor.Policy{again(0), refusal{}}}), counted{0, 0, 0, 0, 0}},
		"a refusal":           {run(fails, 20, executor.Config{Errors: executor.Collect, Policies: []executor.Policy{refusal{}}}), counted{0, 0, 0, 0, 20}},
		"a refusal, stream":   {stream(fails, 20, executor.Config{Errors: executor.Collect, Policies: []executor.Policy{refusal{}}}), counted{0, 0, 0, 0, 20}},
		"stream, in claims":   {stream(fails, 100, executor.Config{Errors: executor.Collect, Workers: 2, ChunkSize: 7}), counted{100, 90, 10, 0, 0}},
		"stream, all fail": {stream(func(context.Context, int) (int, error) { return 0, errOdd }, 100,
			executor.Config{Errors: executor.Collect, Workers: 1, ChunkSize: 7}), counted{100, 0, 100, 0, 0}},
		"a refusal, fail fast": {run(fails, 20, executor.Config{Policies: []executor.Policy{refusal{}}}), counted{0, 0, 0, 0, 1}},
		"a batch, retried": {batches(func(_ context.Context, b []int) ([]int, error) {
			if attempts++; attempts%2 == 1 {
				return nil, errOdd
			}
			return b, nil
		}, 100, executor.Config{ChunkSize: 100, Policies: twice}), counted{200, 100, 100, 100, 0}},
		"a batch, split": {batches(func(_ context.Context, b []int) ([]int, error) {
			if len(b) > 50 {
				return nil, tooLarge{}
			}
			return b, nil
		}, 100, executor.Config{ChunkSize: 100}), counted{200, 100, 100, 0, 0}},
		"a batch, in part": {batches(func(_ context.Context, b []int) ([]int, error) {
			if len(b) < 10 {
				return b, nil
			}
			return b, &executor.PartialError{Failed: map[int]error{2: errOdd, 5: errOdd}}
		}, 10, executor.Config{ChunkSize: 10, Policies: twice}), counted{12, 10, 2, 2, 0}},
		"a batch, panicking": {batches(func(context.Context, []int) ([]int, error) { panic(errOdd) }, 100, executor.Config{ChunkSize: 100}), counted{100, 0, 100, 0, 0}},
		"a panic":            {run(func(_ context.Context, i int) (int, error) { return i, mustNot(i == 7) }, 10, executor.Config{Workers: 1}), counted{8, 7, 1, 0, 0}},
		"a panic, policed":   {run(func(_ context.Context, i int) (int, error) { return i, mustNot(i == 7) }, 10, executor.Config{Workers: 1, Policies: twice}), counted{8, 7, 1, 0, 0}},
		"goexits": {stream(func(_ context.Context, i int) (int, error) {
			if i%2 == 0 {
				runtime.Goexit()
			}
			return i, nil
		}, 10, executor.Config{Errors: executor.Collect}), counted{10, 5, 5, 0, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				attempts = 0
				var r executor.Report
				catch(func() { c.run(t, &r) })
				require.Equal(t, c.want, countsOf(&r))
				require.LessOrEqual(t, r.Calls.Latency.Count(), r.Calls.Ended, "what was not called took no time")
			})
		})
	}
}

func mustNot(bad bool) error { //nolint:unparam // it stands where an error is returned
	if bad {
		panic(errOdd)
	}
	return nil
}

// refusal is a policy that makes no call.
type refusal struct{}

func (refusal) Do(context.Context, func(context.Context) error) error { return errors.New("no") }

// Two calls that fail at once are both failures, also if the first has ended the run.
func TestFailuresAtOnce(t *testing.T) {
	for _, policies := range [][]executor.Policy{nil, {again(1)}} {
		synctest.Test(t, func(t *testing.T) {
			var r executor.Report
			_, err := executor.Run(t.Context(), executor.Func[int, int]{Context: func(_ context.Context, i int) (int, error) {
				time.Sleep(time.Duration(i+1) * time.Millisecond)
				return 0, errOdd
			}}, sequence(2), executor.Config{Workers: 2, Report: &r, Policies: policies})
			require.Error(t, err)
			require.Equal(t, counted{2, 0, 2, 0, 0}, countsOf(&r))
		})
	}
}

// What a policy around the function makes a call wait is none of its time.
func TestLatencyWithoutWaits(t *testing.T) {
	for _, workers := range []int{0, 1, 4} {
		synctest.Test(t, func(t *testing.T) {
			var r executor.Report
			_, err := executor.Run(t.Context(), executor.Func[int, int]{Context: milliseconds}, sequence(40), executor.Config{
				Workers: workers, Report: &r, Policies: []executor.Policy{slowly(50 * time.Millisecond)}})
			require.NoError(t, err)
			require.GreaterOrEqual(t, r.Calls.Latency.Count(), int64(30), "of the first of a worker it is not known")
			require.LessOrEqual(t, r.Calls.Latency.Max(), time.Millisecond)
		})
	}
}

// A sequence may be ranged over by several at once.
func TestOneSequenceForTwo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seq := executor.Stream(t.Context(), executor.Func[int, int]{Context: milliseconds}, count(20), executor.Config{})
		done := make(chan int)
		for range 2 {
			go func() {
				n := 0
				for range seq {
					n++
				}
				done <- n
			}()
		}
		require.Equal(t, 40, <-done+<-done)
	})
}
