package amorsize_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/circuitbreaker"
	"github.com/amorsize/amorsize/journal"
	"github.com/amorsize/amorsize/ratelimit"
	"github.com/amorsize/amorsize/retry"
)

func openJournal(t *testing.T, path string) *journal.Journal {
	t.Helper()
	j, err := journal.Open(path, journal.Options{Sync: journal.SyncNever}) // what a crash of the machine does to it is asked elsewhere
	require.NoError(t, err)
	t.Cleanup(func() { _ = j.Close() })
	return j
}

func journalPath(t *testing.T) string { return filepath.Join(t.TempDir(), "night.jsonl") }

// counted counts the calls for each item, of which some fail.
type counted struct {
	mu    sync.Mutex
	calls map[int]int
	fails func(item int) error
}

func (c *counted) call(_ context.Context, item int) (string, error) {
	c.mu.Lock()
	if c.calls == nil {
		c.calls = map[int]int{}
	}
	c.calls[item]++
	c.mu.Unlock()
	if c.fails != nil {
		if err := c.fails(item); err != nil {
			return "", err
		}
	}
	return strconv.Itoa(item * 10), nil
}

func (c *counted) batch(ctx context.Context, items []int) ([]string, error) {
	out := make([]string, len(items))
	failed := map[int]error{}
	for i, item := range items {
		var err error
		if out[i], err = c.call(ctx, item); err != nil {
			failed[i] = err
		}
	}
	if len(failed) > 0 {
		return out, &amorsize.PartialError{Failed: failed}
	}
	return out, nil
}

// entries are the ways to run a function over items: each returns the results, and the first
// error.
var entries = map[string]func(ctx context.Context, c *counted, items []int, opts ...amorsize.Option) ([]string, error){
	"context": func(ctx context.Context, c *counted, items []int, opts ...amorsize.Option) ([]string, error) {
		return amorsize.ExecuteContext(ctx, c.call, items, opts...)
	},
	"plain": func(ctx context.Context, c *counted, items []int, opts ...amorsize.Option) ([]string, error) {
		return amorsize.Execute(func(item int) (string, error) { return c.call(ctx, item) }, items, opts...)
	},
	"engine": func(ctx context.Context, c *counted, items []int, opts ...amorsize.Option) ([]string, error) {
		e, err := amorsize.New(c.call)
		if err != nil {
			return nil, err
		}
		return e.Run(ctx, items, opts...)
	},
	"batches": func(ctx context.Context, c *counted, items []int, opts ...amorsize.Option) ([]string, error) {
		return amorsize.ExecuteBatches(ctx, c.batch, items, append(opts, amorsize.WithChunkSize(7))...)
	},
	"stream": func(ctx context.Context, c *counted, items []int, opts ...amorsize.Option) ([]string, error) {
		return gather(len(items), amorsize.Stream(ctx, c.call, slices.Values(items), opts...))
	},
	"unordered": func(ctx context.Context, c *counted, items []int, opts ...amorsize.Option) ([]string, error) {
		return gather(len(items), amorsize.Stream(ctx, c.call, slices.Values(items), append(opts, amorsize.WithUnordered(), amorsize.WithWindow(16))...))
	},
	"seq2": func(ctx context.Context, c *counted, items []int, opts ...amorsize.Option) ([]string, error) {
		return gather(len(items), amorsize.StreamSeq2(ctx, c.call, func(yield func(int, error) bool) {
			for _, item := range items {
				if !yield(item, nil) {
					return
				}
			}
		}, opts...))
	},
}

// gather returns the results of a stream by their index, and asks that each comes once.
func gather(n int, results iter.Seq[amorsize.Result[int, string]]) (out []string, err error) {
	out = make([]string, n)
	seen := make([]bool, n)
	for r := range results {
		if r.Err != nil {
			err = errors.Join(err, r.Err)
		}
		if r.Index < 0 {
			continue
		}
		if seen[r.Index] {
			return nil, fmt.Errorf("item %d came twice", r.Index)
		}
		seen[r.Index] = true
		out[r.Index] = r.Value
	}
	return out, err
}

// However a run ends, what it had done is done, and the next one does the rest: with policies
// of each kind, by each way to run.
func TestJournalMeetsPolicies(t *testing.T) {
	limiters := ratelimit.MustNewKeyed[int](ratelimit.Policy{RequestsPerSecond: 1e6, BurstSize: 1000}, 0)
	items := make([]int, 500)
	for i := range items {
		items[i] = i
	}
	for name, run := range entries {
		var tries atomic.Int64
		once := &counted{fails: func(int) error {
			if tries.Add(1)%7 == 0 {
				return errRefused
			}
			return nil
		}}
		policies := []amorsize.Policy{
			retry.MustNew(retry.Policy{MaxRetries: 20, InitialDelay: time.Microsecond, MaxDelay: 2 * time.Microsecond}),
			circuitbreaker.MustNew(circuitbreaker.Policy{FailureThreshold: 1000}),
		}
		if name != "batches" {
			policies = append(policies, amorsize.ByKey(limiters, func(i int) int { return i % 5 }))
		}
		path := journalPath(t)
		j := openJournal(t, path)
		for _, part := range [][]int{items[:100], items[50:300], items} {
			out, err := run(t.Context(), once, part, amorsize.WithPolicies(policies...), amorsize.WithJournal(j))
			require.NoError(t, err, name)
			for i, item := range part {
				require.Equal(t, strconv.Itoa(item*10), out[i])
			}
		}
		require.NoError(t, j.Close())
		again := &counted{}
		j = openJournal(t, path)
		out, err := run(t.Context(), again, items, amorsize.WithJournal(j))
		require.NoError(t, err)
		require.Equal(t, "4990", out[499])
		require.Empty(t, again.calls, "%s: nothing is left to do", name)
		require.Equal(t, 500, j.Found().Items)
	}
}

// A panic, a Goexit and the end of the context leave what was done; what they ended runs
// again, and the item that panicked is listed.
func TestJournalMeetsEnds(t *testing.T) {
	items := make([]int, 200)
	for i := range items {
		items[i] = i
	}
	for name, run := range entries {
		for end, at := range map[string]func(cancel func()) error{
			"panic":  func(func()) error { panic("boom") },
			"error":  func(func()) error { return errRefused },
			"cancel": func(cancel func()) error { cancel(); return context.Canceled },
			"exit":   func(func()) error { runtime.Goexit(); return nil },
		} {
			if name == "plain" && end == "cancel" {
				continue // it has no context
			}
			path := journalPath(t)
			j := openJournal(t, path)
			ctx, cancel := context.WithCancel(t.Context())
			c := &counted{fails: func(item int) error {
				if item == 100 {
					return at(cancel)
				}
				return nil
			}}
			over := make(chan struct{})
			go func() { // a Goexit ends it
				defer close(over)
				defer func() { _ = recover() }()
				_, err := run(ctx, c, items, amorsize.WithJournal(j), amorsize.WithWorkers(3))
				if err == nil {
					t.Errorf("%s, %s: no error", name, end)
				}
			}()
			<-over
			cancel()
			listed := 0
			for f, err := range j.Failed() {
				require.NoError(t, err)
				listed++
				require.NotEmpty(t, f.Types)
			}
			if end == "cancel" {
				require.Zero(t, listed, "%s: what the end of the context cut off has not failed", name)
			} else {
				require.Positive(t, listed, "%s, %s", name, end)
			}
			require.NoError(t, j.Close())

			j = openJournal(t, path)
			done := j.Found().Items - j.Found().Failed
			rest := &counted{}
			out, err := run(t.Context(), rest, items, amorsize.WithJournal(j))
			require.NoError(t, err, "%s, %s", name, end)
			require.Equal(t, "1990", out[199])
			require.Len(t, rest.calls, 200-done, "%s, %s", name, end)
			require.NoError(t, j.Close())
			require.Zero(t, openJournal(t, path).Found().Failed)
		}
	}
}

// With Collect what has failed stays failed, unless it is wanted again; its error is what it
// said, in its place among the others.
func TestJournalOfFailures(t *testing.T) {
	items := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}
	odd := func(item int) error {
		if item%2 == 1 {
			return fmt.Errorf("item %d: %w", item, errRefused)
		}
		return nil
	}
	for name, run := range entries {
		path := journalPath(t)
		j := openJournal(t, path)
		_, err := run(t.Context(), &counted{fails: odd}, items[:6], amorsize.WithJournal(j), amorsize.WithErrors(amorsize.Collect))
		require.ErrorIs(t, err, errRefused)

		var report amorsize.Report
		c := &counted{fails: odd}
		out, err := run(t.Context(), c, items, amorsize.WithJournal(j), amorsize.WithErrors(amorsize.Collect), amorsize.WithReport(&report))
		require.Equal(t, map[int]int{6: 1, 7: 1, 8: 1, 9: 1}, c.calls, name)
		require.Equal(t, []string{"0", "", "20", "", "40", "", "60", "", "80", ""}, out, name)
		var past *journal.PastError
		require.ErrorAs(t, err, &past, name)
		require.Equal(t, "1", past.Failure.Item)
		require.Contains(t, past.Error(), "item 1: 429")
		require.Contains(t, past.Failure.Types, "*fmt.wrapError")
		require.Equal(t, 6, report.Known, name)
		require.Equal(t, 5, report.Failed, name)
		require.Equal(t, 5, report.Succeeded, name)
		if all := (*amorsize.Errors)(nil); errors.As(err, &all) {
			var at []int
			for _, err := range all.Unwrap() {
				var of *amorsize.ItemError
				require.ErrorAs(t, err, &of)
				at = append(at, of.Index)
			}
			require.Equal(t, []int{1, 3, 5, 7, 9}, at, name)
			require.False(t, report.Valid(1))
			require.True(t, report.Valid(2))
		}

		c = &counted{}
		out, err = run(t.Context(), c, items, amorsize.WithJournal(j, journal.RetryFailed), amorsize.WithErrors(amorsize.Collect))
		require.NoError(t, err, name)
		require.Equal(t, "90", out[9])
		require.Equal(t, map[int]int{1: 1, 3: 1, 5: 1, 7: 1, 9: 1}, c.calls, name)
		for range j.Failed() {
			require.Fail(t, "none has failed")
		}
	}
}

// Indices are those of the caller, whatever was known.
func TestJournalIndices(t *testing.T) {
	j := openJournal(t, journalPath(t))
	_, err := amorsize.ExecuteContext(t.Context(), (&counted{}).call, []int{0, 2, 4}, amorsize.WithJournal(j))
	require.NoError(t, err)
	at3 := func(item int) error {
		if item == 3 {
			return errRefused
		}
		return nil
	}
	var report amorsize.Report
	_, err = amorsize.ExecuteContext(t.Context(), (&counted{fails: at3}).call, []int{0, 1, 2, 3, 4, 5}, amorsize.WithJournal(j), amorsize.WithReport(&report), amorsize.WithWorkers(1))
	var item *amorsize.ItemError
	require.ErrorAs(t, err, &item)
	require.Equal(t, 3, item.Index)
	for i, valid := range []bool{true, true, true, false, true, false} {
		require.Equal(t, valid, report.Valid(i), i)
	}
	defer func() {
		panicked, ok := recover().(*amorsize.PanicError)
		require.True(t, ok)
		require.Equal(t, 3, panicked.Index)
	}()
	_, _ = amorsize.ExecuteContext(t.Context(), func(_ context.Context, item int) (string, error) { panic("boom") },
		[]int{0, 1, 2, 3}, amorsize.WithJournal(j), amorsize.WithWorkers(1))
}

// Items are known by a key, where there is one.
func TestWithKey(t *testing.T) {
	type page struct {
		URL  string
		Seen time.Time
	}
	j := openJournal(t, journalPath(t))
	var calls atomic.Int64
	fetch := func(_ context.Context, p page) (string, error) {
		calls.Add(1)
		return p.URL, nil
	}
	for n := range 3 {
		pages := []page{{"a", time.Unix(int64(n), 0)}, {"b", time.Unix(int64(n), 0)}, {"b", time.Unix(int64(n), 1)}}
		out, err := amorsize.ExecuteContext(t.Context(), fetch, pages, amorsize.WithJournal(j), amorsize.WithKey(func(p page) string { return p.URL }))
		require.NoError(t, err)
		require.Equal(t, []string{"a", "b", "b"}, out)
	}
	require.EqualValues(t, 3, calls.Load())
	_, err := amorsize.ExecuteContext(t.Context(), fetch, []page{{}}, amorsize.WithJournal(j), amorsize.WithKey(strconv.Itoa))
	require.EqualError(t, err, "amorsize: WithKey = func(int) string: must be a function of the run's items: func(amorsize_test.page) string")
	for r := range amorsize.Stream(t.Context(), fetch, slices.Values([]page{{}}), amorsize.WithKey(strconv.Itoa)) {
		require.ErrorIs(t, r.Err, amorsize.ErrConfig)
	}
	require.ErrorIs(t, errOf(amorsize.Execute(strconv.Atoi, nil, amorsize.WithJournal(nil))), amorsize.ErrConfig)
	require.ErrorIs(t, errOf(amorsize.Execute(strconv.Atoi, nil, amorsize.WithKey[string](nil))), amorsize.ErrConfig)
}

func errOf[R any](_ R, err error) error { return err }

// An item that has no encoding is run each time, and listed if it fails; a result that has
// none ends the run.
func TestJournalOfWhatHasNoEncoding(t *testing.T) {
	j := openJournal(t, journalPath(t))
	var calls atomic.Int64
	run := func(items ...float64) error {
		_, err := amorsize.ExecuteContext(t.Context(), func(_ context.Context, x float64) (int, error) {
			calls.Add(1)
			if math.IsInf(x, 0) {
				return 0, errRefused
			}
			return 1, nil
		}, items, amorsize.WithJournal(j), amorsize.WithErrors(amorsize.Collect))
		return err
	}
	require.NoError(t, run(1, math.NaN(), 2))
	require.NoError(t, run(1, math.NaN(), 2))
	require.EqualValues(t, 4, calls.Load())
	for range 2 {
		require.ErrorIs(t, run(1, math.Inf(1)), errRefused)
	}
	require.EqualValues(t, 6, calls.Load())
	n := 0
	for f, err := range j.Failed() {
		require.NoError(t, err)
		require.Equal(t, "+Inf", f.Item)
		n++
	}
	require.Equal(t, 1, n)

	_, err := amorsize.ExecuteContext(t.Context(), func(_ context.Context, x float64) (float64, error) { return math.NaN(), nil }, []float64{7}, amorsize.WithJournal(j))
	require.ErrorIs(t, err, journal.ErrJournal)
	require.ErrorContains(t, err, "the result of item 0 can't be kept: json: unsupported value: NaN")
	for r := range amorsize.Stream(t.Context(), func(_ context.Context, x float64) (float64, error) { return math.NaN(), nil }, slices.Values([]float64{8, 9}), amorsize.WithJournal(j)) {
		if r.Index < 0 {
			err = r.Err
		}
	}
	require.ErrorContains(t, err, "can't be kept")
	_, err = amorsize.ExecuteContext(t.Context(), func(_ context.Context, x float64) ([]int, error) { return nil, nil }, []float64{1}, amorsize.WithJournal(j))
	require.ErrorContains(t, err, "the result of item 0 can't be read as a []int")
}

// A journal that can't be written to any more ends the run, and says so.
func TestJournalThatFails(t *testing.T) {
	for name, run := range entries {
		path := journalPath(t)
		j := openJournal(t, path)
		require.NoError(t, j.Close())
		c := &counted{}
		_, err := run(t.Context(), c, make([]int, 1000), amorsize.WithJournal(j), amorsize.WithErrors(amorsize.Collect), amorsize.WithWorkers(2))
		require.ErrorIs(t, err, journal.ErrClosed, name)
		require.Less(t, c.calls[0], 100, name)
	}
}

// What was lost of a journal is in the report.
func TestJournalWarnings(t *testing.T) {
	path := journalPath(t)
	j := openJournal(t, path)
	_, err := amorsize.ExecuteContext(t.Context(), (&counted{}).call, []int{1, 2, 3}, amorsize.WithJournal(j))
	require.NoError(t, err)
	require.NoError(t, j.Close())
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	content, _, _ = bytes.Cut(content, []byte(`{"type":"end"`))
	content[len(content)-200] ^= 1
	require.NoError(t, os.WriteFile(path, content[:len(content)-9], 0o600))
	j = openJournal(t, path)
	var report amorsize.Report
	c := &counted{}
	_, err = amorsize.ExecuteContext(t.Context(), c.call, []int{1, 2, 3}, amorsize.WithJournal(j), amorsize.WithReport(&report))
	require.NoError(t, err)
	require.Len(t, c.calls, 2)
	require.GreaterOrEqual(t, len(report.Warnings), 2)
	require.Contains(t, report.Warnings[0], "its last record is incomplete")
	require.Contains(t, report.Warnings[1], "1, the first one is line 3")
}

// Progress is of what is left.
func TestJournalProgress(t *testing.T) {
	j := openJournal(t, journalPath(t))
	items := make([]int, 100)
	for i := range items {
		items[i] = i
	}
	_, err := amorsize.ExecuteContext(t.Context(), (&counted{}).call, items[:60], amorsize.WithJournal(j))
	require.NoError(t, err)
	var last amorsize.Progress
	_, err = amorsize.ExecuteContext(t.Context(), (&counted{}).call, items, amorsize.WithJournal(j), amorsize.WithProgress(func(p amorsize.Progress) { last = p }))
	require.NoError(t, err)
	require.Equal(t, 40, last.Total)
	require.Equal(t, 40, last.Completed)
}

// Known results of a stream are yielded while those behind them are waited for, and do not
// pile up.
func TestJournalStreamWaitsForNothing(t *testing.T) {
	j := openJournal(t, journalPath(t))
	_, err := amorsize.ExecuteContext(t.Context(), (&counted{}).call, []int{0, 1, 2, 3, 4}, amorsize.WithJournal(j))
	require.NoError(t, err)
	hold := make(chan struct{})
	fn := func(ctx context.Context, item int) (string, error) {
		<-hold
		return strconv.Itoa(item * 10), nil
	}
	got := 0
	for r := range amorsize.Stream(t.Context(), fn, slices.Values([]int{0, 1, 2, 3, 4, 5, 6}), amorsize.WithJournal(j)) {
		require.NoError(t, r.Err)
		require.Equal(t, got, r.Index)
		if got++; got == 5 {
			close(hold)
		}
	}
	require.Equal(t, 7, got)

	var taken atomic.Int64
	numbers := func(yield func(int) bool) {
		for i := range 1000 {
			if taken.Add(1); !yield(i % 5) {
				return
			}
		}
	}
	for r := range amorsize.Stream(t.Context(), (&counted{}).call, numbers, amorsize.WithJournal(j), amorsize.WithWindow(8)) {
		require.NoError(t, r.Err)
		require.LessOrEqual(t, int(taken.Load())-r.Index, 10)
	}
}

// An input that fails ends the stream as without a journal, and what was done is done.
func TestJournalStreamInputFails(t *testing.T) {
	j := openJournal(t, journalPath(t))
	for range 2 {
		var last error
		n := 0
		for r := range amorsize.StreamSeq2(t.Context(), (&counted{}).call, func(yield func(int, error) bool) {
			_ = yield(1, nil) && yield(2, nil) && yield(0, io.ErrUnexpectedEOF)
		}, amorsize.WithJournal(j)) {
			if last = r.Err; r.Err == nil {
				n++
			}
		}
		require.ErrorIs(t, last, io.ErrUnexpectedEOF)
		require.Equal(t, 2, n)
	}
}
