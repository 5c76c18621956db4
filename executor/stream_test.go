package executor_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/executor"
)

func double(_ context.Context, i int) (int, error) { return 2 * i, nil }

func sleepyDouble(_ context.Context, i int) (int, error) {
	time.Sleep(time.Duration(1+i%7) * time.Millisecond)
	return 2 * i, nil
}

func count(n int) iter.Seq[int] { return slices.Values(sequence(n)) }

func withContext(fn func(context.Context, int) (int, error)) executor.Func[int, int] {
	return executor.Func[int, int]{Context: fn}
}

// Every item once, in order or not, whatever the calls do.
func TestStreamYieldsAll(t *testing.T) {
	for _, n := range []int{0, 1, 2, 100, 5000} {
		for _, unordered := range []bool{false, true} {
			for _, window := range []int{0, 1, 7} {
				t.Run(fmt.Sprintf("%d unordered %v window %d", n, unordered, window), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						var report executor.Report
						cfg := executor.Config{Unordered: unordered, Window: window, Report: &report}
						var got []int
						for r := range executor.Stream(t.Context(), withContext(sleepyDouble), count(n), cfg) {
							if r.Err != nil || r.Value != 2*r.Index || r.Item != r.Index {
								t.Fatalf("%+v", r)
							}
							got = append(got, r.Index)
						}
						if !unordered {
							require.True(t, slices.IsSorted(got))
						}
						slices.Sort(got)
						require.Equal(t, sequence(n), append([]int{}, got...))
						require.Equal(t, n, report.Items)
						require.Equal(t, n, report.Succeeded, "%s", &report)
					})
				})
			}
		}
	}
}

func TestStreamRealTime(t *testing.T) {
	n := 0
	for r := range executor.Stream(t.Context(), withContext(double), count(50_000), executor.Config{}) {
		require.NoError(t, r.Err)
		require.Equal(t, n, r.Index)
		n++
	}
	require.Equal(t, 50_000, n)
}

// No more items are taken from the input than the window allows, though one
// result holds up all others; and those behind it are run meanwhile.
func TestStreamWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var taken, done atomic.Int64
		input := func(yield func(int) bool) {
			for i := range 1000 {
				taken.Add(1)
				if !yield(i) {
					return
				}
			}
		}
		slow := withContext(func(_ context.Context, i int) (int, error) {
			if i == 0 {
				time.Sleep(time.Minute)
			}
			time.Sleep(time.Millisecond)
			done.Add(1)
			return i, nil
		})
		next, stop := iter.Pull(executor.Stream(t.Context(), slow, input, executor.Config{Window: 50}))
		defer stop()
		time.AfterFunc(30*time.Second, func() {
			require.EqualValues(t, 50, taken.Load())
			require.EqualValues(t, 49, done.Load(), "all but the one that takes a minute")
		})
		for i := range 1000 {
			r, ok := next()
			require.True(t, ok)
			require.Equal(t, i, r.Index)
		}
		_, ok := next()
		require.False(t, ok)
	})
}

// A stream that is left, by break or by a panic, leaves nothing running.
func TestStreamBreak(t *testing.T) {
	for _, panics := range []bool{false, true} {
		for _, unordered := range []bool{false, true} {
			t.Run(fmt.Sprintf("panics %v unordered %v", panics, unordered), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var running atomic.Int64
					var stops, causes atomic.Int64
					input := func(yield func(int) bool) {
						defer stops.Add(1)
						for i := 0; yield(i); i++ {
						}
					}
					fn := withContext(func(ctx context.Context, i int) (int, error) {
						defer running.Add(running.Add(1) - running.Load() - 1)
						select {
						case <-ctx.Done():
							causes.Add(1)
							return 0, ctx.Err()
						case <-time.After(time.Duration(1+i) * time.Millisecond):
							return i, nil
						}
					})
					leave := func() {
						for r := range executor.Stream(t.Context(), fn, input, executor.Config{Unordered: unordered}) {
							if r.Index == 20 {
								if panics {
									panic("enough")
								}
								break
							}
						}
					}
					if panics {
						require.PanicsWithValue(t, "enough", leave)
					} else {
						leave()
					}
					require.EqualValues(t, 1, stops.Load(), "the input is left once")
					require.Positive(t, causes.Load(), "calls under way were told")
				})
			})
		}
	}
}

func TestStreamFailFast(t *testing.T) {
	for _, unordered := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var started atomic.Int64
			fn := withContext(func(ctx context.Context, i int) (int, error) {
				started.Add(1)
				time.Sleep(time.Duration(i%3+1) * time.Millisecond)
				if i == 40 {
					return 0, errOdd
				}
				return i, nil
			})
			var last executor.Result[int, int]
			n := 0
			for r := range executor.Stream(t.Context(), fn, count(100_000), executor.Config{Unordered: unordered}) {
				require.NoError(t, last.Err, "the failure comes last")
				last = r
				n++
			}
			require.ErrorIs(t, last.Err, errOdd)
			require.Equal(t, 40, last.Index)
			require.Equal(t, 40, last.Item)
			var item *executor.ItemError
			require.ErrorAs(t, last.Err, &item)
			require.Equal(t, 40, item.Index)
			require.Greater(t, n, 20, "what was completed is yielded")
			require.Less(t, started.Load(), int64(2000), "no new item after the failure")
		})
	}
}

func TestStreamCollect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fn := withContext(func(_ context.Context, i int) (int, error) {
			time.Sleep(time.Millisecond)
			if i%3 == 0 {
				return 7, errOdd
			}
			return i, nil
		})
		var report executor.Report
		next, failed := 0, 0
		for r := range executor.Stream(t.Context(), fn, count(300), executor.Config{Errors: executor.Collect, Report: &report}) {
			require.Equal(t, next, r.Index)
			next++
			if r.Index%3 == 0 {
				failed++
				require.ErrorIs(t, r.Err, errOdd)
				require.Zero(t, r.Value)
			} else {
				require.NoError(t, r.Err)
			}
		}
		require.Equal(t, 300, next)
		require.Equal(t, 100, failed)
		require.Equal(t, 100, report.Failed)
		require.Equal(t, 200, report.Succeeded)
		require.NoError(t, report.Err)
	})
}

func TestStreamCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		why := errors.New("no more")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(50*time.Millisecond, func() { cancel(why) })
		var last executor.Result[int, int]
		endless := func(yield func(int) bool) {
			for i := 0; yield(i); i++ {
			}
		}
		for r := range executor.Stream(ctx, withContext(sleepyDouble), endless, executor.Config{}) {
			last = r
		}
		require.Equal(t, -1, last.Index)
		require.ErrorIs(t, last.Err, context.Canceled)
		require.ErrorIs(t, last.Err, why)
	})
}

func TestStreamPanics(t *testing.T) {
	boom := errors.New("boom")
	at := map[string]int{"in the function": 30, "in the input": -1}
	for name, run := range map[string]func(*testing.T){
		"in the function": func(t *testing.T) {
			for range executor.Stream(t.Context(), withContext(func(_ context.Context, i int) (int, error) {
				time.Sleep(time.Millisecond)
				if i == 30 {
					panic(boom)
				}
				return i, nil
			}), count(1000), executor.Config{}) {
			}
		},
		"in the input": func(t *testing.T) {
			input := func(yield func(int) bool) {
				for i := range 30 {
					if !yield(i) {
						return
					}
				}
				panic(boom)
			}
			for range executor.Stream(t.Context(), withContext(sleepyDouble), input, executor.Config{}) {
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				defer func() {
					e, ok := recover().(*executor.PanicError)
					require.True(t, ok)
					require.ErrorIs(t, e, boom)
					require.Equal(t, at[name], e.Index)
					require.NotEmpty(t, e.Stack)
				}()
				run(t)
			})
		})
	}
}

// runtime.Goexit in a call is its error, in the input the end of it.
func TestStreamGoexit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var last executor.Result[int, int]
		for r := range executor.Stream(t.Context(), withContext(func(_ context.Context, i int) (int, error) {
			time.Sleep(time.Millisecond)
			if i == 3 {
				runtime.Goexit()
			}
			return i, nil
		}), count(100), executor.Config{}) {
			last = r
		}
		require.ErrorIs(t, last.Err, executor.ErrGoexit)
	})
}

// Items that come slowly are run as they come, and the limit does not grow for them.
func TestStreamSlowInput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		input := func(yield func(int) bool) {
			for i := range 400 {
				time.Sleep(10 * time.Millisecond)
				if !yield(i) {
					return
				}
			}
		}
		var report executor.Report
		start := time.Now()
		for r := range executor.Stream(t.Context(), withContext(func(_ context.Context, i int) (int, error) {
			time.Sleep(20 * time.Millisecond)
			return i, nil
		}), input, executor.Config{Report: &report}) {
			late := time.Since(start) - time.Duration(r.Index+1)*10*time.Millisecond
			require.LessOrEqual(t, late, 21*time.Millisecond, "item %d", r.Index)
		}
		require.LessOrEqual(t, report.PeakWorkers, 33, "%s", report.Explain())
		require.Equal(t, executor.BoundByItems, report.Bound, "%s", report.Explain())
	})
}

func endless(yield func(int) bool) {
	for i := 0; yield(i); i++ {
	}
}

func sleeping(d time.Duration) func(context.Context, int) (int, error) {
	return func(_ context.Context, i int) (int, error) { time.Sleep(d); return i, nil }
}

// peak tells the most calls in flight of fn.
func peak(fn func(context.Context, int) (int, error)) (func(context.Context, int) (int, error), *atomic.Int64) {
	var running, most atomic.Int64
	return func(ctx context.Context, i int) (int, error) {
		n := running.Add(1)
		defer running.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		return fn(ctx, i)
	}, &most
}

// A slow loop leaves stale tokens behind; leaving it must not wait for them.
func TestStreamBreakAfterSlowBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for r := range executor.Stream(t.Context(), withContext(sleeping(time.Millisecond)), endless, executor.Config{Window: 4, Workers: 8}) {
			if r.Index == 0 || r.Index == 4 {
				time.Sleep(time.Second)
			}
			if r.Index == 4 {
				break
			}
		}
	})
}

// A Goexit of a call is its result when failures are collected, in order or not,
// with helpers to spare or not.
func TestStreamGoexitCollecting(t *testing.T) {
	for _, workers := range []int{0, 1, 4} {
		for _, unordered := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				seen := map[int]error{}
				cfg := executor.Config{Errors: executor.Collect, Window: 8, Workers: workers, Unordered: unordered}
				for r := range executor.Stream(t.Context(), withContext(func(_ context.Context, i int) (int, error) {
					time.Sleep(time.Millisecond)
					if i%30 == 3 {
						runtime.Goexit()
					}
					return i, nil
				}), count(100), cfg) {
					seen[r.Index] = r.Err
				}
				require.Len(t, seen, 100)
				for i, err := range seen {
					require.Equal(t, i%30 == 3, errors.Is(err, executor.ErrGoexit), "item %d: %v", i, err)
				}
			})
		}
	}
}

// The input is never more than Window ahead of the loop.
func TestStreamWindowIsExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var taken, yielded, most atomic.Int64
		input := func(yield func(int) bool) {
			for i := range 50 {
				most.Store(max(most.Load(), taken.Add(1)-yielded.Load()))
				if !yield(i) {
					return
				}
			}
		}
		for range executor.Stream(t.Context(), withContext(sleeping(time.Millisecond)), input, executor.Config{Window: 1}) {
			yielded.Add(1)
			time.Sleep(10 * time.Millisecond)
		}
		require.EqualValues(t, 1, most.Load())
	})
}

func TestStreamReportsWhenStopped(t *testing.T) {
	for range 200 {
		var report executor.Report
		good := 0
		for r := range executor.Stream(t.Context(), withContext(func(_ context.Context, i int) (int, error) {
			if i == 50 {
				return 0, errOdd
			}
			return i, nil
		}), endless, executor.Config{Report: &report, Workers: 2, Window: 1 << 16}) {
			if r.Err == nil {
				good++
			}
		}
		require.Equal(t, good, report.Succeeded)
	}
}

func TestStreamProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var all []executor.Progress
		for range executor.Stream(t.Context(), withContext(sleeping(time.Millisecond)), count(100), executor.Config{
			Progress: func(p executor.Progress) { all = append(all, p) }, ProgressInterval: 1}) {
		}
		require.NotEmpty(t, all)
		require.Negative(t, all[0].Total)
		require.Zero(t, all[0].Remaining)
		require.Zero(t, all[0].Fraction())
		last := all[len(all)-1]
		require.Equal(t, 100, last.Total)
		require.Equal(t, 100, last.Completed)
	})
}

// Settings of one run of a session are no other's.
func TestSessionKeepsSettingsApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(executor.Session)
		run := func(n int, cfg executor.Config) int64 {
			fn, most := peak(sleeping(10 * time.Millisecond))
			cfg.Session = s
			_, err := executor.Run(t.Context(), withContext(fn), sequence(n), cfg)
			require.NoError(t, err)
			return most.Load()
		}
		require.LessOrEqual(t, run(200, executor.Config{MaxWorkers: 2}), int64(2))
		require.Greater(t, run(5000, executor.Config{}), int64(100), "the bound was of the run before")
		require.LessOrEqual(t, run(2000, executor.Config{MaxWorkers: 5}), int64(5))
		plan, known := s.Plan()
		require.True(t, known)
		require.Positive(t, plan.Workers)
	})
}

// A run with a bound does not hold back others at the same time.
func TestSessionBoundsAreNotShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(executor.Session)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			for range executor.Stream(ctx, withContext(sleeping(10*time.Millisecond)), endless, executor.Config{Session: s, Unordered: true, Window: 200}) {
			}
		}()
		time.Sleep(time.Second)
		_, err := executor.Run(t.Context(), withContext(sleeping(10*time.Millisecond)), sequence(500), executor.Config{Session: s, MaxWorkers: 20})
		require.NoError(t, err)
		time.Sleep(300 * time.Millisecond)
		require.Greater(t, s.Stats().Limit, 100)
		cancel()
		<-done
	})
}

// A stream that waits for items, or for its loop, takes no room from others.
func TestSessionIdleStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(executor.Session)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			for r := range executor.Stream(ctx, withContext(sleeping(10*time.Millisecond)), endless, executor.Config{Session: s}) {
				if r.Index == 2000 {
					<-ctx.Done()
				}
			}
		}()
		time.Sleep(5 * time.Second)
		start := time.Now()
		_, err := executor.Run(t.Context(), withContext(sleeping(10*time.Millisecond)), sequence(2000), executor.Config{Session: s})
		require.NoError(t, err)
		require.Less(t, time.Since(start), time.Second)
		cancel()
		<-done
	})
}

func TestSessionCountsFailuresOfStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(executor.Session)
		for range executor.Stream(t.Context(), withContext(func(context.Context, int) (int, error) { return 0, errOdd }), count(100),
			executor.Config{Session: s, Errors: executor.Collect}) {
		}
		require.EqualValues(t, 100, s.Stats().Failed)
		require.EqualValues(t, 100, s.Stats().Items)
		require.Zero(t, s.Stats().Active)
	})
}
