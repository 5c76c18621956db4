package remote

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/remote/internal/pgtest"
	"github.com/amorsize/amorsize/retry"
)

func TestMain(m *testing.M) {
	pgtest.Main(m, func(code int) int {
		if err := goleak.Find(); err != nil && code == 0 {
			println(err.Error())
			return 1
		}
		return code
	})
}

// both runs a test on either database.
func both(t *testing.T, test func(t *testing.T, c *Cluster)) {
	bothWith(t, Config{Logger: slog.New(slog.DiscardHandler)}, test)
}

func bothWith(t *testing.T, cfg Config, test func(t *testing.T, c *Cluster)) {
	t.Run("sqlite", func(t *testing.T) {
		test(t, opened(t, cfg, "sqlite:"+filepath.Join(t.TempDir(), "runs.db")))
	})
	t.Run("postgres", func(t *testing.T) {
		url, schema := pgtest.URL(t)
		cfg.Schema = schema
		test(t, opened(t, cfg, url))
	})
}

func opened(t *testing.T, cfg Config, url string) *Cluster {
	c, err := cfg.Open(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

// works has a worker until the test ends, or stop is called.
func works(t *testing.T, c *Cluster) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- Work(ctx, c) }()
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			cancel()
			require.NoError(t, <-done)
		}
	}
	t.Cleanup(stop)
	return stop
}

var errOdd = errors.New("it ends in 3")

var tripled atomic.Int64

var (
	triple = Register("triple", func(n int) (int, error) { tripled.Add(1); return 3 * n, nil })
	picky  = RegisterContext("picky", func(_ context.Context, n int) (string, error) {
		if n%10 == 3 {
			return "", fmt.Errorf("no: %w", errOdd)
		}
		return fmt.Sprint(n), nil
	}, amorsize.WithPolicies(retry.MustNew(retry.Policy{MaxRetries: 2, InitialDelay: time.Millisecond})))
	panicky = Register("panicky", func(n int) (int, error) {
		if n == 5 {
			panic("five")
		}
		return n, nil
	})
)

func ints(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

func TestExecute(t *testing.T) {
	both(t, func(t *testing.T, c *Cluster) {
		out, err := triple.Execute(t.Context(), c, ints(5000))
		require.NoError(t, err)
		require.Len(t, out, 5000)
		for i, v := range out {
			require.Equal(t, 3*i, v)
		}
		runs, err := c.Runs(t.Context())
		require.NoError(t, err)
		assert.Empty(t, runs, "its rows are removed")
	})
}

func TestSubmitWorkResults(t *testing.T) {
	both(t, func(t *testing.T, c *Cluster) {
		run, err := triple.Submit(t.Context(), c, slices.Values(ints(1000)), RunID("Night of 26/11"))
		require.NoError(t, err)
		info, err := run.Info(t.Context())
		require.NoError(t, err)
		assert.Equal(t, Running, info.State)
		assert.EqualValues(t, 1000, info.Items)
		stop := works(t, c)
		info, err = run.Wait(t.Context())
		require.NoError(t, err)
		assert.Equal(t, Complete, info.State)
		assert.EqualValues(t, 1000, info.Done)
		assert.Zero(t, info.Failed)
		stop()

		again, err := triple.Attach(t.Context(), c, "Night of 26/11")
		require.NoError(t, err)
		next := 0
		for r := range again.Results(t.Context()) {
			require.NoError(t, r.Err)
			require.Equal(t, next, r.Index)
			require.Equal(t, 3*next, r.Value)
			next++
		}
		assert.Equal(t, 1000, next)
		next = 777
		for r := range again.ResultsFrom(t.Context(), 777) {
			require.NoError(t, r.Err)
			require.Equal(t, next, r.Index)
			next++
		}
		assert.Equal(t, 1000, next)
		seen := map[int]bool{}
		for r := range again.Unordered(t.Context()) {
			require.NoError(t, r.Err)
			seen[r.Index] = true
		}
		assert.Len(t, seen, 1000)

		before := tripled.Load()
		_, err = triple.Submit(t.Context(), c, slices.Values(ints(1000)), RunID("Night of 26/11"))
		require.NoError(t, err, "the same items once more")
		_, err = triple.Submit(t.Context(), c, slices.Values(ints(999)), RunID("Night of 26/11"))
		require.ErrorIs(t, err, ErrOtherItems)
		_, err = triple.Submit(t.Context(), c, slices.Values(ints(1001)), RunID("Night of 26/11"))
		require.ErrorIs(t, err, ErrOtherItems)
		other := ints(1000)
		other[500] = 7
		_, err = triple.Submit(t.Context(), c, slices.Values(other), RunID("Night of 26/11"))
		require.ErrorIs(t, err, ErrOtherItems)
		_, err = picky.Submit(t.Context(), c, slices.Values(ints(1)), RunID("Night of 26/11"))
		require.ErrorIs(t, err, ErrOtherTypes)
		_, err = picky.Attach(t.Context(), c, "Night of 26/11")
		require.ErrorIs(t, err, ErrOtherTypes)
		_, err = triple.Attach(t.Context(), c, "none")
		require.ErrorIs(t, err, ErrNoRun)
		assert.Equal(t, before, tripled.Load())
	})
}

func TestFailures(t *testing.T) {
	both(t, func(t *testing.T, c *Cluster) {
		works(t, c)
		run, err := picky.Submit(t.Context(), c, slices.Values(ints(100)))
		require.NoError(t, err)
		info, err := run.Wait(t.Context())
		require.NoError(t, err)
		assert.EqualValues(t, 10, info.Failed)
		assert.EqualValues(t, 100, info.Done)
		for r := range run.Results(t.Context()) {
			if r.Index%10 != 3 {
				require.NoError(t, r.Err)
				continue
			}
			var item *ItemError
			require.ErrorAs(t, r.Err, &item)
			require.ErrorIs(t, r.Err, ErrFailed)
			assert.Equal(t, r.Index, item.Index)
			assert.Equal(t, 3, item.Attempts)
			assert.Contains(t, item.Message, "ends in 3")
		}
		next := 3
		for f, err := range run.Failures(t.Context()) {
			require.NoError(t, err)
			assert.Equal(t, next, f.Index)
			assert.Equal(t, fmt.Sprint(next), string(f.Item))
			next += 10
		}
		count, err := run.RetryFailed(t.Context())
		require.NoError(t, err)
		assert.Equal(t, 10, count)
		info, err = run.Wait(t.Context())
		require.NoError(t, err)
		assert.EqualValues(t, 10, info.Failed)
		for f, err := range run.Failures(t.Context()) {
			require.NoError(t, err)
			assert.Equal(t, 6, f.Attempts)
		}
		_, err = picky.Execute(t.Context(), c, ints(10))
		var failed *FailedError
		require.ErrorAs(t, err, &failed)
		assert.Equal(t, 1, failed.Failed)
		require.ErrorIs(t, err, ErrFailed)

		out, err := panicky.Execute(t.Context(), c, ints(10))
		require.ErrorAs(t, err, &failed)
		assert.Contains(t, err.Error(), "five")
		assert.Equal(t, 9, out[9])
	})
}

func TestStates(t *testing.T) {
	both(t, func(t *testing.T, c *Cluster) {
		run, err := triple.Submit(t.Context(), c, slices.Values(ints(100)), RunID("p"))
		require.NoError(t, err)
		require.NoError(t, run.Pause(t.Context()))
		info, err := run.Info(t.Context())
		require.NoError(t, err)
		assert.Equal(t, Paused, info.State)
		require.NoError(t, run.Resume(t.Context()))
		works(t, c)
		_, err = run.Wait(t.Context())
		require.NoError(t, err)

		does(func(ctx context.Context, n int) (int, error) {
			if n == 199_999 { // so that the run does not end before it is canceled
				<-ctx.Done()
			}
			return n, ctx.Err()
		})
		run, err = scripted.Submit(t.Context(), c, func(yield func(int) bool) {
			for i := range 200_000 {
				if !yield(i) {
					return
				}
			}
		}, RunID("c"))
		require.NoError(t, err)
		require.NoError(t, run.Cancel(t.Context()))
		_, err = run.Wait(t.Context())
		require.ErrorIs(t, err, ErrCanceled)
		last := Result[int]{}
		for r := range run.Results(t.Context()) {
			last = r
		}
		require.ErrorIs(t, last.Err, ErrCanceled)
		_, err = scripted.Submit(t.Context(), c, slices.Values(ints(100)), RunID("c"))
		require.ErrorIs(t, err, ErrCanceled)
		require.NoError(t, run.Remove(t.Context()))
		_, err = c.Run(t.Context(), "c")
		require.ErrorIs(t, err, ErrNoRun)
		removed, err := c.Prune(t.Context(), time.Now().Add(time.Hour))
		require.NoError(t, err)
		assert.Equal(t, []string{"p"}, removed)
	})
}
