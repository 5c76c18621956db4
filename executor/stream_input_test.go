package executor_test

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/executor"
)

// failing is an input of n items, then an error.
func failing(n int, err error) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		for i := range n {
			if !yield(i, nil) {
				return
			}
		}
		yield(n, err)
	}
}

// The items before the input's error are run and yielded, then the error, of no item. The item that it comes with is
// not run. So it is of an input that waits for the outcome of its items.
func TestInputThatFails(t *testing.T) {
	fn := withContext(func(_ context.Context, i int) (int, error) { time.Sleep(time.Millisecond); return 2 * i, nil })
	for name, stream := range map[string]func(ctx context.Context, items iter.Seq2[int, error], cfg executor.Config) iter.Seq[executor.Result[int, int]]{
		"seq2": func(ctx context.Context, items iter.Seq2[int, error], cfg executor.Config) iter.Seq[executor.Result[int, int]] {
			return executor.StreamSeq2(ctx, fn, items, cfg)
		},
		"from": func(ctx context.Context, items iter.Seq2[int, error], cfg executor.Config) iter.Seq[executor.Result[int, int]] {
			return executor.StreamFrom(ctx, fn, func(context.Context) iter.Seq2[int, error] { return items }, cfg)
		},
	} {
		for _, n := range []int{0, 1, 5, 300} {
			for _, unordered := range []bool{false, true} {
				synctest.Test(t, func(t *testing.T) {
					all := slices.Collect(stream(t.Context(), failing(n, errOdd), executor.Config{Unordered: unordered}))
					require.Len(t, all, n+1, name)
					require.Equal(t, executor.Result[int, int]{Index: -1, Err: errOdd}, all[n], name)
					for _, r := range all[:n] {
						require.NoError(t, r.Err, name)
						require.Equal(t, 2*r.Index, r.Value, name)
					}
				})
			}
		}
	}
}

// An input without an error is an input like others, as often as it is ranged over.
func TestInputThatCouldFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		items := func(yield func(int, error) bool) {
			for i := 0; i < 200 && yield(i, nil); i++ {
			}
		}
		stream := executor.StreamSeq2(t.Context(), withContext(sleepyDouble), items, executor.Config{})
		for range 2 {
			n := 0
			for r := range stream {
				require.Equal(t, executor.Result[int, int]{Index: n, Item: n, Value: 2 * n, Duration: r.Duration}, r)
				n++
			}
			require.Equal(t, 200, n)
		}
	})
}

// Items of a loop that is left are no longer wanted: the input is told by its context, though it yields nothing, and
// so it is when a failure ends the stream, or the caller's context. It is asked once.
func TestInputIsToldOfTheEnd(t *testing.T) {
	fails := func(_ context.Context, i int) (int, error) {
		time.Sleep(time.Second)
		return i, map[bool]error{true: errOdd}[i == 2]
	}
	for name, c := range map[string]struct {
		fn   func(context.Context, int) (int, error)
		left int // where the loop is left
		ends time.Duration
	}{
		"the loop is left":         {sleeping(time.Second), 1, time.Hour},
		"an item fails":            {fails, 9, time.Hour},
		"the caller's context has": {sleeping(time.Second), 9, time.Minute},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), c.ends)
			defer cancel()
			asked, told := 0, false
			items := func(ctx context.Context) iter.Seq2[int, error] {
				asked++
				return func(yield func(int, error) bool) {
					for i := 0; i < 3 && yield(i, nil); i++ {
					}
					<-ctx.Done() // it waits for the outcome
					told = true
				}
			}
			began := time.Now()
			for r := range executor.StreamFrom(ctx, withContext(c.fn), items, executor.Config{}) {
				if r.Index == c.left {
					break
				}
			}
			require.True(t, told, name)
			require.Equal(t, 1, asked, name)
			require.LessOrEqual(t, time.Since(began), time.Minute, name)
		})
	}
}

// What can't be run is said by the one result, of no item; the input is not asked.
func TestStreamOfNothing(t *testing.T) {
	fn := withContext(double)
	input := func(context.Context) iter.Seq2[int, error] { t.Error("it is not asked"); return nil }
	for name, stream := range map[string]iter.Seq[executor.Result[int, int]]{
		"no input":            executor.Stream(t.Context(), fn, nil, executor.Config{}),
		"no input, seq2":      executor.StreamSeq2(t.Context(), fn, nil, executor.Config{}),
		"no input, from":      executor.StreamFrom(t.Context(), fn, nil, executor.Config{}),
		"no function":         executor.Stream(t.Context(), executor.Func[int, int]{}, count(3), executor.Config{}),
		"no function, seq2":   executor.StreamSeq2(t.Context(), executor.Func[int, int]{}, failing(3, nil), executor.Config{}),
		"no function, from":   executor.StreamFrom(t.Context(), executor.Func[int, int]{}, input, executor.Config{}),
		"a bad setting":       executor.Stream(t.Context(), fn, count(3), executor.Config{Workers: -1}),
		"a bad setting, from": executor.StreamFrom(t.Context(), fn, input, executor.Config{Workers: -1}),
		"neither":             executor.Stream(t.Context(), fn, nil, executor.Config{Workers: -1}),
	} {
		all := slices.Collect(stream)
		require.Len(t, all, 1, name)
		require.Equal(t, -1, all[0].Index, name)
		require.ErrorIs(t, all[0].Err, executor.ErrConfig, name)
		var invalid *executor.ConfigError
		require.ErrorAs(t, all[0].Err, &invalid)
		want := map[string]string{"no in": "items", "no fu": "fn", "a bad": "Workers", "neith": "Workers"}[name[:5]]
		require.Equal(t, want, invalid.Field, name)
	}
}

// An input that is exhausted has given all its items: that the caller's context ends behind the last of them changes
// nothing. One that returned because the context had ended may have had more.
func TestEndOfAnInput(t *testing.T) {
	for waits, ended := range map[bool]bool{false: false, true: true} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Minute, cancel)
			input := func(yield func(int) bool) {
				for i := 0; i < 3 && yield(i); i++ {
				}
				if waits {
					<-ctx.Done()
				}
			}
			var all []executor.Result[int, int]
			for r := range executor.Stream(ctx, withContext(double), input, executor.Config{}) {
				if all = append(all, r); len(all) == 3 {
					time.Sleep(time.Hour)
				}
			}
			require.Equal(t, ended, len(all) == 4)
			if ended {
				require.Equal(t, -1, all[3].Index)
				require.ErrorIs(t, all[3].Err, context.Canceled)
			}
		})
	}
}

// What an input says while the stream ends is told, before why it ended.
func TestInputIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		late := func(ctx context.Context) iter.Seq2[int, error] {
			return func(yield func(int, error) bool) {
				yield(0, nil)
				<-ctx.Done()
				time.Sleep(time.Second)
				yield(0, errLate)
			}
		}
		fails := withContext(func(context.Context, int) (int, error) {
			time.Sleep(time.Second) // the input waits by then
			return 0, errOdd
		})
		all := slices.Collect(executor.StreamFrom(t.Context(), fails, late, executor.Config{}))
		require.Len(t, all, 2)
		require.Equal(t, executor.Result[int, int]{Index: -1, Err: errLate}, all[0])
		require.ErrorIs(t, all[1].Err, errOdd)
	})
}

var errLate = errors.New("late")

// A stream that has ended takes no item but the one that is under way, though there is room.
func TestNothingIsTakenBehindTheEnd(t *testing.T) {
	for name, c := range map[string]struct {
		fails bool
		taken int
	}{"the loop is left": {false, 2}, "an item fails": {true, 2}} {
		synctest.Test(t, func(t *testing.T) {
			taken := 0
			input := func(yield func(int) bool) {
				for {
					taken++
					if !yield(taken) {
						return
					}
					time.Sleep(time.Second)
				}
			}
			fn := withContext(func(context.Context, int) (int, error) {
				time.Sleep(time.Second / 2) // while the input sleeps
				return 0, map[bool]error{true: errOdd}[c.fails]
			})
			for range executor.Stream(t.Context(), fn, input, executor.Config{ReadAhead: true, Window: 64}) {
				break
			}
			require.Equal(t, c.taken, taken, name)
		})
	}
}

// A panic of the input ends the calls that are under way.
func TestPanicOfAnInputEndsCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		calls := withContext(func(ctx context.Context, i int) (int, error) {
			select {
			case <-ctx.Done():
				return 0, ctx.Err()
			case <-time.After(time.Hour):
				return i, nil
			}
		})
		panicked := catch(func() {
			for range executor.Stream(t.Context(), calls, func(yield func(int) bool) {
				yield(0)
				time.Sleep(time.Second)
				panic(errOdd)
			}, executor.Config{}) {
			}
		})
		require.NotNil(t, panicked)
		require.Equal(t, time.Second, time.Since(began))
	})
}

// While the loop works off what is done, the input goes on: it is told of room long before the loop is through.
func TestInputGoesOnWhileTheLoopWorks(t *testing.T) {
	for _, unordered := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			const window = 64
			var taken atomic.Int64
			yielded := int64(0)
			for range executor.Stream(t.Context(), withContext(double), func(yield func(int) bool) {
				for i := 0; i < 500 && yield(i); i++ {
					taken.Add(1)
				}
			}, executor.Config{ReadAhead: true, Window: window, Unordered: unordered}) {
				time.Sleep(time.Second)
				require.GreaterOrEqual(t, taken.Load(), min(500, yielded+window/2))
				yielded++
			}
		})
	}
}
