package executor_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/executor"
)

var errOdd = errors.New("odd")

// form is one way to have the engine call a function of an int.
type form struct {
	name  string
	batch bool
	run   func(ctx context.Context, fn func(context.Context, int) (int, error), items []int, cfg executor.Config) ([]int, error)
}

// through is a policy that only passes calls on.
type through struct{}

func (through) Do(ctx context.Context, call func(context.Context) error) error { return call(ctx) }

// forms lists all ways: each test of a promise runs through each of them.
var forms = []form{
	{name: "plain", run: func(ctx context.Context, fn func(context.Context, int) (int, error), items []int, cfg executor.Config) ([]int, error) {
		plain := func(i int) (int, error) { return fn(context.Background(), i) }
		return executor.Run(ctx, executor.Func[int, int]{Plain: plain}, items, cfg)
	}},
	{name: "context", run: func(ctx context.Context, fn func(context.Context, int) (int, error), items []int, cfg executor.Config) ([]int, error) {
		return executor.Run(ctx, executor.Func[int, int]{Context: fn}, items, cfg)
	}},
	{name: "policy", run: func(ctx context.Context, fn func(context.Context, int) (int, error), items []int, cfg executor.Config) ([]int, error) {
		cfg.Policies = []executor.Policy{through{}, through{}}
		return executor.Run(ctx, executor.Func[int, int]{Context: fn}, items, cfg)
	}},
	{name: "batches", batch: true, run: func(ctx context.Context, fn func(context.Context, int) (int, error), items []int, cfg executor.Config) ([]int, error) {
		return executor.RunBatches(ctx, func(ctx context.Context, batch []int) ([]int, error) {
			out := make([]int, len(batch))
			for i, item := range batch {
				v, err := fn(ctx, item)
				if err != nil {
					return nil, err
				}
				out[i] = v
			}
			return out, nil
		}, items, cfg)
	}},
}

func sequence(n int) []int {
	items := make([]int, n)
	for i := range items {
		items[i] = i
	}
	return items
}

// inBubble runs test for every form in a synctest bubble of its own.
func inBubble(t *testing.T, test func(t *testing.T, f form)) {
	for _, f := range forms {
		t.Run(f.name, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { test(t, f) }) })
	}
}

// Promise 1 and 2: each item exactly once, results in order.
func TestEveryItemRunsOnceInOrder(t *testing.T) {
	inBubble(t, func(t *testing.T, f form) {
		for _, n := range []int{0, 1, 2, 3, 17, 1000, 3000} {
			for _, cfg := range []executor.Config{{}, {Workers: 1}, {Workers: 7}, {ChunkSize: 5}, {MaxWorkers: 3}, {SampleSize: 20}} {
				runs := make([]atomic.Int32, n)
				var report executor.Report
				cfg.Report = &report
				out, err := f.run(t.Context(), func(_ context.Context, i int) (int, error) {
					runs[i].Add(1)
					time.Sleep(time.Duration(i%7) * time.Millisecond)
					return i * i, nil
				}, sequence(n), cfg)
				require.NoError(t, err)
				require.Len(t, out, n)
				for i := range n {
					if runs[i].Load() != 1 || out[i] != i*i || !report.Valid(i) {
						t.Fatalf("item %d of %d: ran %d times, %d", i, n, runs[i].Load(), out[i])
					}
				}
				require.Equal(t, n, report.Succeeded)
				require.Zero(t, report.Failed)
				require.False(t, report.Valid(n) || report.Valid(-1))
			}
		}
	})
}

// Promise 3: nothing starts after a failure, nothing runs after the return, and
// the results so far are there. (conc, errgroup and rill run all items; conc's
// pools return none or some of the results, moved together.)
func TestFailFast(t *testing.T) {
	inBubble(t, func(t *testing.T, f form) {
		for _, at := range []int{0, 1, 2, 500, 999} {
			var failed atomic.Bool
			var late, running, ran atomic.Int32
			var report executor.Report
			out, err := f.run(t.Context(), func(_ context.Context, i int) (int, error) {
				running.Add(1)
				defer running.Add(-1)
				if failed.Load() {
					late.Add(1)
				}
				ran.Add(1)
				time.Sleep(time.Millisecond)
				if i == at {
					failed.Store(true)
					return 0, errOdd
				}
				return i + 1, nil
			}, sequence(1000), executor.Config{Workers: 4, Report: &report})
			require.Zero(t, running.Load(), "still running after the return")
			require.ErrorIs(t, err, errOdd)
			if !f.batch {
				require.LessOrEqual(t, late.Load(), int32(3), "started after the failure")
				item, ok := errors.AsType[*executor.ItemError](err)
				require.True(t, ok)
				require.Equal(t, at, item.Index)
				require.Equal(t, 1, report.Failed)
			} else {
				batch, ok := errors.AsType[*executor.BatchError](err)
				require.True(t, ok)
				require.True(t, batch.Index <= at && at < batch.Index+batch.Size)
				require.Equal(t, batch.Size, report.Failed)
			}
			require.False(t, report.Valid(at))
			require.LessOrEqual(t, report.Succeeded, int(ran.Load()))
			for i, v := range out {
				if report.Valid(i) {
					require.Equal(t, i+1, v)
				} else {
					require.Zero(t, v)
				}
			}
		}
	})
}

// The lowest index wins among the failures seen.
func TestLowestIndexWins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, err := executor.Run(t.Context(), executor.Func[int, int]{Plain: func(i int) (int, error) {
			time.Sleep(time.Second) // all fail at the same moment
			return 0, fmt.Errorf("failed at %d", i)
		}}, sequence(8), executor.Config{Workers: 8})
		require.ErrorContains(t, err, "item 0: failed at 0")
	})
}

func TestCollect(t *testing.T) {
	inBubble(t, func(t *testing.T, f form) {
		var report executor.Report
		out, err := f.run(t.Context(), func(_ context.Context, i int) (int, error) {
			time.Sleep(time.Millisecond)
			if i%3 == 1 {
				return 0, errOdd
			}
			return i, nil
		}, sequence(600), executor.Config{Errors: executor.Collect, ChunkSize: 1, Report: &report})
		all, ok := errors.AsType[*executor.Errors](err)
		require.True(t, ok)
		require.Len(t, all.Unwrap(), 200)
		require.ErrorIs(t, err, errOdd)
		require.ErrorContains(t, err, "200 failed: ")
		require.ErrorContains(t, err, "and 195 more")
		require.Equal(t, 400, report.Succeeded)
		require.Equal(t, 200, report.Failed)
		for i := range out {
			require.Equal(t, i%3 != 1, report.Valid(i))
		}
		if !f.batch {
			for k, err := range all.Unwrap() {
				item, ok := errors.AsType[*executor.ItemError](err)
				require.True(t, ok)
				require.Equal(t, 3*k+1, item.Index, "ordered by index")
			}
		}
	})
}

// Collect gives the failed item up and no other, also within the sample.
func TestCollectWithinChunks(t *testing.T) {
	for _, cfg := range []executor.Config{{}, {ChunkSize: 64}, {SampleSize: 50}} {
		cfg.Errors = executor.Collect
		var report executor.Report
		cfg.Report = &report
		runs := make([]atomic.Int32, 5000)
		_, err := executor.Run(t.Context(), executor.Func[int, int]{Plain: func(i int) (int, error) {
			runs[i].Add(1)
			if i%100 == 0 {
				return 0, errOdd
			}
			return i, nil
		}}, sequence(5000), cfg)
		require.ErrorIs(t, err, errOdd)
		require.Equal(t, 50, report.Failed)
		require.Equal(t, 4950, report.Succeeded)
		for i := range runs {
			require.Equal(t, int32(1), runs[i].Load())
		}
	}
}

// Promise 5: the error is the context's and its cause, and comes promptly.
func TestCancel(t *testing.T) {
	cause := errors.New("the operator said so")
	inBubble(t, func(t *testing.T, f form) {
		for _, cfg := range []executor.Config{{MaxWorkers: 8}, {Workers: 3}, {MaxWorkers: 8, Errors: executor.Collect}, {MaxWorkers: 8, SampleSize: 10}} {
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(50*time.Millisecond, func() { cancel(cause) })
			var report executor.Report
			cfg.Report = &report
			start := time.Now()
			// fn ignores its context.
			_, err := f.run(ctx, func(_ context.Context, i int) (int, error) {
				time.Sleep(time.Millisecond)
				return i, nil
			}, sequence(10_000), cfg)
			require.ErrorIs(t, err, context.Canceled)
			require.ErrorIs(t, err, cause)
			stopped, ok := errors.AsType[*executor.CanceledError](err)
			require.True(t, ok)
			require.Equal(t, cause, stopped.Cause)
			require.ErrorContains(t, err, "the operator said so")
			require.Positive(t, report.Succeeded)
			require.Less(t, report.Succeeded, 10_000)
			if !f.batch { // a batch runs to its end
				require.LessOrEqual(t, time.Since(start), 55*time.Millisecond)
			}
		}
	})
}

func TestCancelledBeforehand(t *testing.T) {
	inBubble(t, func(t *testing.T, f form) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := f.run(ctx, func(context.Context, int) (int, error) {
			t.Error("an item was run")
			return 0, nil
		}, sequence(10), executor.Config{})
		require.ErrorIs(t, err, context.Canceled)
		_, err = f.run(ctx, nil2, nil, executor.Config{})
		require.NoError(t, err, "nothing was left to do")
	})
}

func nil2(context.Context, int) (int, error) { return 0, nil }

// lateDiscovery is how long it takes a single core to see that it is idle: there
// is no helper beside the caller until then.
func lateDiscovery() time.Duration {
	if runtime.GOMAXPROCS(0) == 1 {
		return 30 * time.Millisecond
	}
	return 0
}

// The context of the calls ends when another item fails, whoever runs them.
func TestFailureCancelsCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, cfg := range []executor.Config{{}, {Workers: 2}} {
			for _, failing := range []int{0, 1} {
				start := time.Now()
				_, err := executor.Run(t.Context(), executor.Func[int, int]{Context: func(ctx context.Context, i int) (int, error) {
					if i == failing {
						time.Sleep(100 * time.Millisecond)
						return 0, errOdd
					}
					<-ctx.Done()
					return 0, ctx.Err()
				}}, sequence(2), cfg)
				require.ErrorIs(t, err, errOdd)
				require.NotErrorIs(t, err, context.Canceled, "a sibling's echo hides the cause")
				require.LessOrEqual(t, time.Since(start), 102*time.Millisecond+lateDiscovery())
			}
		}
	})
}

// Promise 4: a panic stops the rest, waits, and panics in the caller with the
// item's index, the value and the stack.
func TestPanic(t *testing.T) {
	inBubble(t, func(t *testing.T, f form) {
		for _, at := range []int{0, 1, 700} {
			var running atomic.Int32
			var report executor.Report
			caught := catch(func() {
				_, _ = f.run(t.Context(), func(_ context.Context, i int) (int, error) {
					running.Add(1)
					defer running.Add(-1)
					time.Sleep(time.Millisecond)
					if i == at {
						explode()
					}
					return i, nil
				}, sequence(1000), executor.Config{Workers: 4, Report: &report})
			})
			require.Zero(t, running.Load())
			e, ok := caught.(*executor.PanicError)
			require.True(t, ok, "%v", caught)
			if !f.batch {
				require.Equal(t, at, e.Index)
			}
			require.ErrorIs(t, e, errOdd)
			require.Contains(t, string(e.Stack), "explode")
			require.Contains(t, e.Error(), "odd")
			require.Equal(t, caught, report.Err)
			require.False(t, report.Valid(at))
		}
	})
}

func explode() { panic(errOdd) }

func catch(do func()) (value any) {
	defer func() { value = recover() }()
	do()
	return nil
}

// panic(nil) is a panic too.
func TestPanicNil(t *testing.T) {
	inBubble(t, func(t *testing.T, f form) {
		for _, n := range []int{1, 100} {
			caught := catch(func() {
				_, _ = f.run(t.Context(), func(_ context.Context, i int) (int, error) {
					time.Sleep(time.Millisecond)
					if i == n/2 {
						panic(nil)
					}
					return i, nil
				}, sequence(n), executor.Config{})
			})
			e, ok := caught.(*executor.PanicError)
			require.True(t, ok, "%v", caught)
			require.IsType(t, &runtime.PanicNilError{}, e.Value)
		}
	})
}

// A Goexit in a helper is an error, in the caller's goroutine it ends that
// after everything else has ended. Never a hang (pond: Wait hangs).
func TestGoexit(t *testing.T) {
	inBubble(t, func(t *testing.T, f form) {
		for _, n := range []int{1, 2, 300} {
			for at := 0; at < n; at += 1 + n/5 {
				var report executor.Report
				var err error
				var running atomic.Int32
				returned := false
				var group sync.WaitGroup
				group.Go(func() {
					_, err = f.run(t.Context(), func(_ context.Context, i int) (int, error) {
						running.Add(1)
						defer running.Add(-1)
						time.Sleep(5 * time.Millisecond)
						if i == at {
							runtime.Goexit()
						}
						return i, nil
					}, sequence(n), executor.Config{Report: &report})
					returned = true
				})
				group.Wait()
				require.Zero(t, running.Load())
				if returned {
					require.ErrorIs(t, err, executor.ErrGoexit)
				}
				require.ErrorIs(t, report.Err, executor.ErrGoexit)
				require.False(t, report.Valid(at))
				require.Equal(t, n, report.Items)
			}
		}
	})
}

// After any outcome the engine's capacity is what it was before.
func TestCapacityAfterAnyOutcome(t *testing.T) {
	outcomes := map[string]func(cancel func()) error{
		"ok":         func(func()) error { return nil },
		"error":      func(func()) error { return errOdd },
		"panic":      func(func()) error { panic("odd") },
		"panic(nil)": func(func()) error { panic(nil) },
		"Goexit":     func(func()) error { runtime.Goexit(); return nil },
		"cancel":     func(cancel func()) error { cancel(); return context.Canceled },
	}
	for name, outcome := range outcomes {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, f form) {
				for _, workers := range []int{0, 1, 3} {
					computing, waiting := executor.Helpers()
					var group sync.WaitGroup
					group.Go(func() {
						_ = catch(func() {
							ctx, cancel := context.WithCancel(t.Context())
							defer cancel()
							_, _ = f.run(ctx, func(_ context.Context, i int) (int, error) {
								time.Sleep(time.Millisecond)
								if i%50 == 49 {
									return i, outcome(cancel)
								}
								return i, nil
							}, sequence(200), executor.Config{Workers: workers})
						})
					})
					group.Wait()
					synctest.Wait()
					c, w := executor.Helpers()
					require.Equal(t, computing, c)
					require.Equal(t, waiting, w)
				}
			})
		})
	}
}
