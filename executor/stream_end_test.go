package executor_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/executor"
	"github.com/amorsize/amorsize/internal/scenarios"
)

// A panic that comes after the loop was left is carried to it.
func TestStreamPanicAfterBreak(t *testing.T) {
	boom := errors.New("boom")
	ofItems := func(yield func(int) bool) {
		defer func() { panic(boom) }()
		endless(yield)
	}
	ofFn := func(ctx context.Context, i int) (int, error) { //nolint:unparam // the function of a stream
		if i > 0 {
			<-ctx.Done()
			panic(boom)
		}
		return i, nil
	}
	for name, stream := range map[string]func(context.Context) func(func(executor.Result[int, int]) bool){
		"of items": func(ctx context.Context) func(func(executor.Result[int, int]) bool) {
			return executor.Stream(ctx, withContext(double), ofItems, executor.Config{})
		},
		"of fn": func(ctx context.Context) func(func(executor.Result[int, int]) bool) {
			return executor.Stream(ctx, withContext(ofFn), endless, executor.Config{})
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var carried *executor.PanicError
				func() {
					defer func() { carried, _ = recover().(*executor.PanicError) }()
					for range stream(t.Context()) {
						time.Sleep(time.Second) // others are under way
						break
					}
				}()
				require.NotNil(t, carried)
				require.ErrorIs(t, carried, boom)

				// A panic of the body itself goes first, and so does its Goexit.
				require.PanicsWithValue(t, "body", func() {
					for range stream(t.Context()) {
						time.Sleep(time.Second)
						panic("body")
					}
				})
				var recovered any
				done := make(chan struct{})
				go func() {
					defer close(done)
					defer func() { recovered = recover() }()
					for range stream(t.Context()) {
						time.Sleep(time.Second)
						runtime.Goexit()
					}
				}()
				<-done
				require.Nil(t, recovered)
			})
		})
	}
}

// However a stream in order ends, the loop gets what was completed behind items that were not.
func TestStreamYieldsBehindGaps(t *testing.T) {
	panics := func(context.CancelFunc) error { panic(errOdd) }
	fails := func(context.CancelFunc) error { return errOdd }
	ends := func(cancel context.CancelFunc) error {
		cancel()
		return context.Canceled
	}
	for name, c := range map[string]struct {
		end    func(cancel context.CancelFunc) error // of item 0, after a second; item 3 would take an hour
		most   int                                   // then the loop is left
		want   []int
		panics bool
	}{
		"a panic":                      {panics, 9, []int{1, 2, 4, 5}, true},
		"a panic, and the loop":        {panics, 2, []int{1, 2}, true},
		"a failure":                    {fails, 9, []int{1, 2, 4, 5, 0}, false},
		"a failure, and the loop":      {fails, 3, []int{1, 2, 4}, false},
		"a failure, behind gaps":       {fails, 4, []int{1, 2, 4, 5}, false},
		"the context":                  {ends, 9, []int{0, 1, 2, 3, 4, 5, -1}, false},
		"the context, in a gap":        {ends, 1, []int{0}, false},
		"the context, behind a gap":    {ends, 2, []int{0, 1}, false},
		"the context, behind all gaps": {ends, 5, []int{0, 1, 2, 3, 4}, false},
		"the context, behind all":      {ends, 6, []int{0, 1, 2, 3, 4, 5}, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				var got []int
				fn := func(ctx context.Context, i int) (int, error) {
					switch i {
					case 0:
						time.Sleep(time.Second)
						return 0, c.end(cancel)
					case 3:
						select {
						case <-ctx.Done():
						case <-time.After(time.Hour):
						}
						return 0, ctx.Err()
					}
					return i, nil
				}
				panicked := catch(func() {
					for r := range executor.Stream(ctx, withContext(fn), count(6), executor.Config{Workers: 3, ChunkSize: 1}) {
						require.Equal(t, r.Index > 0 && r.Index != 3, r.Err == nil, r.Index)
						if got = append(got, r.Index); len(got) == c.most {
							break
						}
					}
				})
				require.Equal(t, c.want, got)
				require.Equal(t, c.panics, panicked != nil, panicked)
			})
		})
	}
}

// runtime.Goexit in the input ends the stream, as an error.
func TestStreamInputGoexit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		var last executor.Result[int, int]
		for last = range executor.Stream(t.Context(), withContext(sleepyDouble), func(yield func(int) bool) {
			for i := range 30 {
				yield(i)
			}
			runtime.Goexit()
		}, executor.Config{}) {
			n++
		}
		require.Equal(t, 31, n)
		require.Equal(t, -1, last.Index)
		require.Equal(t, executor.ErrGoexit, last.Err)
	})
}

// What a stream takes ahead of its calls is a small multiple of them, not the
// window; and all of it is told when its context ends.
func TestStreamTakesLittleAhead(t *testing.T) {
	for _, unordered := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var taken, begun, most atomic.Int64
			input := func(yield func(int) bool) {
				for i := 0; ; i++ {
					most.Store(max(most.Load(), taken.Add(1)-begun.Load()))
					if !yield(i) {
						return
					}
				}
			}
			told := -1 // the last result is of no item
			var last executor.Result[int, int]
			ctx, cancel := context.WithCancelCause(t.Context())
			for last = range executor.Stream(ctx, withContext(func(_ context.Context, i int) (int, error) {
				begun.Add(1)
				time.Sleep(10 * time.Millisecond)
				if i == 500 {
					cancel(errOdd)
				}
				return i, nil
			}), input, executor.Config{Unordered: unordered, MaxWorkers: 8}) {
				told++
			}
			require.Equal(t, -1, last.Index)
			require.ErrorIs(t, last.Err, errOdd)
			require.EqualValues(t, taken.Load(), told)
			require.LessOrEqual(t, most.Load(), int64(4*8))
		})
	}
}

// One slow item among cheap ones holds up none of them: neither those before it in
// its chunk nor those behind it.
func TestStreamSlowItemAmongCheapOnes(t *testing.T) {
	const n, slow = 6000, 3456
	for _, workers := range []int{0, 2} {
		for _, unordered := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				var early, late int // yielded before the slow item has ended
				for r := range executor.Stream(t.Context(), withContext(func(_ context.Context, i int) (int, error) {
					if i == slow {
						time.Sleep(time.Hour)
					}
					return i, nil
				}), count(n), executor.Config{Unordered: unordered, Workers: workers}) {
					if r.Index != r.Value {
						t.Fatalf("%d yielded for %d", r.Value, r.Index)
					}
					if time.Since(start) < time.Minute {
						early++
					} else {
						late++
					}
				}
				if unordered {
					require.Equal(t, n-1, early)
				} else {
					require.Equal(t, slow, early)
				}
				require.Equal(t, n, early+late)
			})
		}
	}
}

// That holds after a pause, too, when nobody has looked for long.
func TestStreamSlowItemAfterPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const burst = 200
		var arrived [20 * burst]time.Time
		input := func(yield func(int) bool) {
			for i := range arrived {
				if i%burst == 0 {
					time.Sleep(10 * time.Second)
				}
				arrived[i] = time.Now()
				if !yield(i) {
					return
				}
			}
		}
		for r := range executor.Stream(t.Context(), withContext(func(_ context.Context, i int) (int, error) {
			if i%burst == 50 && i > burst {
				time.Sleep(time.Second)
			}
			return i, nil
		}), input, executor.Config{Unordered: true, Workers: 3}) {
			if r.Index%burst != 50 {
				require.LessOrEqual(t, time.Since(arrived[r.Index]), 10*time.Millisecond, "item %d", r.Index)
			}
		}
	})
}

// A result waits for nothing: neither for a chunk to fill when the input pauses,
// nor for the rest of its chunk.
func TestStreamYieldsAtOnce(t *testing.T) {
	for _, unordered := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var arrived [5000]time.Time
			input := func(yield func(int) bool) {
				for i := range arrived {
					if i > 1000 && i%37 == 0 {
						time.Sleep(time.Second)
					}
					arrived[i] = time.Now()
					if !yield(i) {
						return
					}
				}
			}
			for r := range executor.Stream(t.Context(), withContext(double), input, executor.Config{Unordered: unordered}) {
				require.Zero(t, time.Since(arrived[r.Index]), "item %d", r.Index)
			}
		})
	}
}

// refusing is a policy that makes no call for some items.
type refusing struct{ calls atomic.Int64 }

func (p *refusing) Do(ctx context.Context, call func(context.Context) error) error {
	if p.calls.Add(1)%2 == 0 {
		return errOdd
	}
	return call(ctx)
}

// An item whose function was never called has no attempts.
func TestAttemptsOfRefusedItems(t *testing.T) {
	cfg := executor.Config{Errors: executor.Collect, Policies: []executor.Policy{new(refusing)}}
	_, err := executor.Run(t.Context(), withContext(double), sequence(100), cfg)
	all, ok := errors.AsType[*executor.Errors](err)
	require.True(t, ok)
	require.Len(t, all.Unwrap(), 50)
	for _, e := range all.Unwrap() {
		item, ok := errors.AsType[*executor.ItemError](e)
		require.True(t, ok)
		require.Zero(t, item.Attempts)
	}
	failed := 0
	for r := range executor.Stream(t.Context(), withContext(double), count(100), cfg) {
		if r.Err != nil {
			failed++
			item, ok := errors.AsType[*executor.ItemError](r.Err)
			require.True(t, ok)
			require.Zero(t, item.Attempts)
		}
	}
	require.Equal(t, 50, failed)
	_, err = executor.Run(t.Context(), withContext(func(context.Context, int) (int, error) { return 0, errOdd }), sequence(1), executor.Config{})
	single, ok := errors.AsType[*executor.ItemError](err)
	require.True(t, ok)
	require.Equal(t, 1, single.Attempts)
}

// No allocation per item: what a long stream allocates more than a short one is
// the same for any length.
func TestStreamAllocations(t *testing.T) {
	for _, unordered := range []bool{false, true} {
		n := scenarios.Fewer(100_000)
		allocs := testing.AllocsPerRun(3, func() {
			for range executor.Stream(t.Context(), withContext(double), func(yield func(int) bool) {
				for i := 0; i < n && yield(i); i++ {
				}
			}, executor.Config{Unordered: unordered, Workers: 2}) {
			}
		})
		require.Less(t, allocs/float64(n), 0.02, "%v allocations for %d items", allocs, n)
	}
}

// How many items there are is told as soon as the input has ended.
func TestTotalOfAStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var totals []int
		for range executor.Stream(t.Context(), withContext(sleeping(100*time.Millisecond)), func(yield func(int) bool) {
			for i := range 20 {
				if i == 10 {
					time.Sleep(time.Second)
				}
				if !yield(i) {
					return
				}
			}
		}, executor.Config{Workers: 1, ReadAhead: true, Progress: func(p executor.Progress) { totals = append(totals, p.Total) }}) {
		}
		require.Equal(t, -1, totals[0])
		at := slices.Index(totals, 20)
		require.Less(t, at, len(totals)*2/3)
		for _, total := range totals[at:] {
			require.Equal(t, 20, total)
		}
	})
}
