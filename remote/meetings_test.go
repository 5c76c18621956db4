package remote

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize"
)

// script is what the function "scripted" does in a test.
var script atomic.Pointer[func(context.Context, int) (int, error)]

var (
	scripted = RegisterContext("scripted", func(ctx context.Context, n int) (int, error) { return (*script.Load())(ctx, n) })
	minus    = Register("minus", func(n int) (int, error) { return -n, nil })
	kinds    = Register("kinds", func(v any) (any, error) { return v, nil })
	pointers = Register("pointers", func(*int) (*int, error) { return nil, nil })
	words    = Register("words", func(s string) (string, error) { return "", errors.New(s) })
	bulk     = RegisterBatches("bulk", func(_ context.Context, all []int) ([]int, error) {
		out := make([]int, len(all))
		for i, n := range all {
			if out[i] = -n; n == 213 {
				panic("213")
			}
			if n == 313 {
				return nil, errors.New("313")
			}
		}
		return out, nil
	}, amorsize.WithMaxChunkSize(20))
	awkward = Register("awkward", func(n int) (unmarshalable, error) { return unmarshalable{n}, nil })
)

// unmarshalable has a mistake in what encodes it.
type unmarshalable struct{ n int }

func (u unmarshalable) MarshalJSON() ([]byte, error) {
	if u.n == 3 {
		panic("three")
	}
	return []byte("1"), nil
}

func does(fn func(ctx context.Context, n int) (int, error)) { script.Store(&fn) }

// counted does fn, and says how often each item was run.
func counted(fn func(n int)) (often func() map[int]int) {
	var lock sync.Mutex
	times := map[int]int{}
	does(func(_ context.Context, n int) (int, error) {
		lock.Lock()
		times[n]++
		lock.Unlock()
		fn(n)
		return n, nil
	})
	return func() map[int]int {
		lock.Lock()
		defer lock.Unlock()
		return maps.Clone(times)
	}
}

func once(t *testing.T, n int, often map[int]int) {
	assert.Len(t, often, n)
	for item, times := range often {
		assert.Equal(t, 1, times, "item %d", item)
	}
}

func values(t *testing.T, run *Run[int]) []int {
	var all []int
	for r := range run.Results(t.Context()) {
		require.NoError(t, r.Err)
		require.Equal(t, len(all), r.Index)
		all = append(all, r.Value)
	}
	return all
}

// Chunks that are far too large are shared among workers, and no item is run twice for that.
func TestSharing(t *testing.T) {
	quick := Config{ChunkTime: 10 * time.Millisecond, Logger: slog.New(slog.DiscardHandler)}
	bothWith(t, quick, func(t *testing.T, c *Cluster) {
		often := counted(func(int) { time.Sleep(time.Millisecond) })
		works(t, c)
		works(t, c)
		run, err := scripted.Submit(t.Context(), c, slices.Values(ints(3000)), ChunkItems(1000))
		require.NoError(t, err)
		assert.Equal(t, ints(3000), values(t, run))
		once(t, 3000, often())
	})
}

// A worker that is stopped gives back what it has not begun, and no item is run twice for that.
func TestHandOver(t *testing.T) {
	both(t, func(t *testing.T, c *Cluster) {
		begun := make(chan struct{}, 1)
		often := counted(func(int) {
			select {
			case begun <- struct{}{}:
			default:
			}
			time.Sleep(2 * time.Millisecond)
		})
		stop := works(t, c)
		run, err := scripted.Submit(t.Context(), c, slices.Values(ints(2000)), ChunkItems(500))
		require.NoError(t, err)
		<-begun
		stop()
		assert.Less(t, len(often()), 2000)
		works(t, c)
		assert.Equal(t, ints(2000), values(t, run))
		once(t, 2000, often())
	})
}

// A worker whose items end only with their context stops when the grace is over, and the items are run again.
func TestGrace(t *testing.T) {
	bothWith(t, Config{Grace: 50 * time.Millisecond, Logger: slog.New(slog.DiscardHandler)}, func(t *testing.T, c *Cluster) {
		begun := make(chan struct{}, 100)
		does(func(ctx context.Context, _ int) (int, error) {
			begun <- struct{}{}
			<-ctx.Done()
			return 0, ctx.Err()
		})
		stop := works(t, c)
		run, err := scripted.Submit(t.Context(), c, slices.Values(ints(4)))
		require.NoError(t, err)
		<-begun
		stop()
		info, err := run.Info(t.Context())
		require.NoError(t, err)
		assert.Zero(t, info.Done)
		does(func(_ context.Context, n int) (int, error) { return n, nil })
		works(t, c)
		assert.Equal(t, ints(4), values(t, run))

		ended, cancel := context.WithCancel(t.Context())
		cancel()
		require.NoError(t, Work(ended, c))
	})
}

// Workers whose clocks are ten minutes wrong, either way, work along and hand over.
func TestWrongClocks(t *testing.T) {
	for name, off := range map[string]time.Duration{"ahead": 10 * time.Minute, "behind": -10 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			wrong := Config{Logger: slog.New(slog.DiscardHandler), wall: func() time.Time { return time.Now().Add(off) }}
			bothWith(t, wrong, func(t *testing.T, c *Cluster) {
				begun := make(chan struct{}, 1)
				often := counted(func(int) {
					select {
					case begun <- struct{}{}:
					default:
					}
					time.Sleep(time.Millisecond)
				})
				stop := works(t, c)
				run, err := scripted.Submit(t.Context(), c, slices.Values(ints(1000)), ChunkItems(100))
				require.NoError(t, err)
				<-begun
				stop()
				works(t, c)
				assert.Equal(t, ints(1000), values(t, run))
				once(t, 1000, often())
				alive, err := c.Workers(t.Context())
				require.NoError(t, err)
				assert.InDelta(t, off.Minutes(), alive[0].Skew.Minutes(), 0.1)
			})
		})
	}
}

// What is left of a run that was removed has nothing to do with one made anew under its name.
func TestSameName(t *testing.T) {
	both(t, func(t *testing.T, c *Cluster) {
		begun, release := make(chan struct{}, 10), make(chan struct{})
		does(func(_ context.Context, n int) (int, error) {
			if begun <- struct{}{}; n < 100 {
				<-release
			}
			return 10 * n, nil
		})
		works(t, c)
		run, err := scripted.Submit(t.Context(), c, slices.Values([]int{1}), RunID("x"))
		require.NoError(t, err)
		<-begun
		require.NoError(t, run.Remove(t.Context()))
		run, err = scripted.Submit(t.Context(), c, slices.Values([]int{101}), RunID("x"))
		require.NoError(t, err)
		close(release)
		assert.Equal(t, []int{1010}, values(t, run))
		require.NoError(t, run.Remove(t.Context()))
		run, err = minus.Submit(t.Context(), c, slices.Values([]int{1, 2}), RunID("x"))
		require.NoError(t, err)
		assert.Equal(t, []int{-1, -2}, values(t, run))
	})
}

// A run that is paused before any worker has seen it is not begun; one that hangs holds up no other.
func TestRunsBesideEachOther(t *testing.T) {
	both(t, func(t *testing.T, c *Cluster) {
		paused, err := minus.Submit(t.Context(), c, slices.Values(ints(10)))
		require.NoError(t, err)
		require.NoError(t, paused.Pause(t.Context()))
		begun, release := make(chan struct{}, 10), make(chan struct{})
		does(func(_ context.Context, n int) (int, error) {
			begun <- struct{}{}
			<-release
			return n, nil
		})
		works(t, c)
		hangs, err := scripted.Submit(t.Context(), c, slices.Values(ints(1)))
		require.NoError(t, err)
		<-begun
		require.NoError(t, hangs.Cancel(t.Context()))
		for range 3 {
			other, err := minus.Submit(t.Context(), c, slices.Values(ints(10)))
			require.NoError(t, err)
			_, err = other.Wait(t.Context())
			require.NoError(t, err)
		}
		info, err := paused.Info(t.Context())
		require.NoError(t, err)
		assert.Zero(t, info.Done)
		require.NoError(t, paused.Resume(t.Context()))
		_, err = paused.Wait(t.Context())
		require.NoError(t, err)
		close(release)
	})
}

// Each way in which a function can end is its item's affair alone.
func TestEndings(t *testing.T) {
	both(t, func(t *testing.T, c *Cluster) {
		works(t, c)
		for name, end := range map[string]func(ctx context.Context) error{
			"panic":      func(context.Context) error { panic("three") },
			"panic(nil)": func(context.Context) error { panic(nil) },
			"Goexit":     func(context.Context) error { runtime.Goexit(); return nil },
			"nested": func(ctx context.Context) error {
				ended, cancel := context.WithCancel(ctx)
				cancel()
				for r := range amorsize.Stream(ended, func(context.Context, int) (int, error) { return 0, nil }, slices.Values(ints(3))) {
					return r.Err
				}
				return errors.Join(amorsize.ErrNotRun, context.Canceled)
			},
		} {
			t.Run(name, func(t *testing.T) {
				does(func(ctx context.Context, n int) (int, error) {
					if n == 3 {
						return 0, end(ctx)
					}
					return n, nil
				})
				run, err := scripted.Submit(t.Context(), c, slices.Values(ints(32)), ChunkItems(8))
				require.NoError(t, err)
				info, err := run.Wait(t.Context())
				require.NoError(t, err)
				assert.EqualValues(t, 1, info.Failed)
			})
		}
		run, err := awkward.Submit(t.Context(), c, slices.Values(ints(8)))
		require.NoError(t, err)
		info, err := run.Wait(t.Context())
		require.NoError(t, err)
		assert.EqualValues(t, 1, info.Failed, "a codec that panics")
	})
}

// Thousands of failures are run again, shared among workers, and one whose run is canceled meanwhile is a failure.
func TestRetryOfMany(t *testing.T) {
	bothWith(t, Config{ChunkTime: 10 * time.Millisecond, Grace: 50 * time.Millisecond, Logger: slog.New(slog.DiscardHandler)}, func(t *testing.T, c *Cluster) {
		down := func(context.Context, int) (int, error) { return 0, errors.New("down") }
		does(down)
		works(t, c)
		run, err := scripted.Submit(t.Context(), c, slices.Values(ints(1200)))
		require.NoError(t, err)
		_, err = run.Wait(t.Context())
		require.NoError(t, err)
		does(func(_ context.Context, n int) (int, error) { time.Sleep(3 * time.Millisecond); return n, nil })
		count, err := run.RetryFailed(t.Context())
		require.NoError(t, err)
		assert.Equal(t, 1200, count)
		assert.Equal(t, ints(1200), values(t, run))

		does(down)
		run, err = scripted.Submit(t.Context(), c, slices.Values(ints(20)))
		require.NoError(t, err)
		_, err = run.Wait(t.Context())
		require.NoError(t, err)
		begun := make(chan struct{}, 100)
		does(func(ctx context.Context, _ int) (int, error) {
			begun <- struct{}{}
			<-ctx.Done()
			return 0, ctx.Err()
		})
		_, err = run.RetryFailed(t.Context())
		require.NoError(t, err)
		<-begun
		require.NoError(t, run.Cancel(t.Context()))
		last := Result[int]{}
		for r := range run.Results(t.Context()) {
			last = r
		}
		require.Error(t, last.Err)
	})
}

// A function of batches has them within chunks, and a batch that fails or panics is its items' failure.
func TestBatches(t *testing.T) {
	both(t, func(t *testing.T, c *Cluster) {
		works(t, c)
		run, err := bulk.Submit(t.Context(), c, slices.Values(ints(500)), ChunkItems(100))
		require.NoError(t, err)
		failed := 0
		for r := range run.Results(t.Context()) {
			if r.Err != nil {
				failed++
				assert.Contains(t, r.Err.Error(), "13")
				continue
			}
			assert.Equal(t, -r.Index, r.Value)
		}
		assert.Positive(t, failed)
		assert.Less(t, failed, 500)
		out, err := bulk.Execute(t.Context(), c, ints(10))
		require.NoError(t, err)
		assert.Equal(t, -9, out[9])
	})
}

func TestOddInput(t *testing.T) {
	both(t, func(t *testing.T, c *Cluster) {
		works(t, c)
		out, err := pointers.Execute(t.Context(), c, []*int{nil, new(int), nil})
		require.NoError(t, err)
		assert.Equal(t, make([]*int, 3), out)
		odd := []any{nil, "x", 1.5, map[string]any{}, []any{}}
		same, err := kinds.Execute(t.Context(), c, odd)
		require.NoError(t, err)
		assert.Equal(t, odd, same)
		none, err := words.Execute(t.Context(), c, nil)
		require.NoError(t, err)
		assert.Empty(t, none)
		_, err = words.Execute(t.Context(), c, []string{"a\x00b\xff", strings.Repeat("é\x00", 5000)}, RunID(`'";--\ 🦊 "`))
		var failed *FailedError
		require.ErrorAs(t, err, &failed)
		assert.Equal(t, 2, failed.Failed)

		most := strings.Repeat("x", DefaultItemBytes-2) // with its quotes
		_, err = words.Submit(t.Context(), c, slices.Values([]string{most}))
		require.NoError(t, err)
		_, err = words.Submit(t.Context(), c, slices.Values([]string{most + "x"}))
		require.ErrorIs(t, err, ErrTooLarge)
		for _, id := range []string{strings.Repeat("x", 201), "a\x00", "\xff"} {
			_, err = words.Submit(t.Context(), c, slices.Values([]string{"a"}), RunID(id))
			require.ErrorIs(t, err, ErrConfig, "%q", id)
		}
		_, err = words.Submit(t.Context(), c, nil)
		require.ErrorIs(t, err, ErrConfig)
		_, err = words.Submit(t.Context(), c, slices.Values([]string{"a"}), ChunkItems(20_000))
		require.ErrorIs(t, err, ErrConfig)
	})
}

// A function whose types have changed is not run, and the run says why.
func TestOtherTypes(t *testing.T) {
	both(t, func(t *testing.T, c *Cluster) {
		run, err := c.store.Create(t.Context(), "old", "triple", "json string → json int")
		require.NoError(t, err)
		_, err = c.store.Append(t.Context(), run, nil, nil, false)
		require.NoError(t, err)
		works(t, c)
		other, err := minus.Submit(t.Context(), c, slices.Values(ints(3)))
		require.NoError(t, err)
		_, err = other.Wait(t.Context())
		require.NoError(t, err)
		handle, err := c.Run(t.Context(), "old")
		require.NoError(t, err)
		for problem := ""; problem == ""; {
			info, err := handle.Info(t.Context())
			require.NoError(t, err)
			problem = info.Problem
		}
		found, err := c.Doctor(t.Context())
		require.NoError(t, err)
		said := fmt.Sprint(found)
		assert.Contains(t, said, "json string → json int")
		assert.Contains(t, said, "durability")
		alive, err := c.Workers(t.Context())
		require.NoError(t, err)
		require.Len(t, alive, 1)
		assert.Contains(t, alive[0].Functions, "triple")
	})
}

func TestSettings(t *testing.T) {
	for _, bad := range []Config{
		{Heartbeat: time.Millisecond}, {DeadAfter: 3 * time.Second}, {ChunkTime: time.Minute}, {MaxItemBytes: -1},
		{MaxResultBytes: 1 << 30}, {Connections: 1}, {Grace: -1},
	} {
		_, err := bad.Open(t.Context(), "sqlite:none.db")
		require.ErrorIs(t, err, ErrConfig, "%+v", bad)
	}
	_, err := Open(t.Context(), "runs.db")
	require.ErrorIs(t, err, ErrURL)
	require.ErrorIs(t, Worker{MaxChunks: 1}.Work(t.Context(), nil), ErrConfig)
}
