package amorsize_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/journal"
)

// gateCodec holds up the first result until it is let go.
type gateCodec struct {
	once sync.Once
	gate chan struct{}
}

func (*gateCodec) Name() string { return "gate" }
func (c *gateCodec) Marshal(v any) ([]byte, error) {
	first := false
	c.once.Do(func() { first = true })
	if first {
		<-c.gate
	}
	return json.Marshal(v)
}
func (*gateCodec) Unmarshal(b []byte, v any) error { return json.Unmarshal(b, v) }

// Two equal items that end at a time have a record each.
func TestJournalOfEqualItemsAtATime(t *testing.T) {
	path := journalPath(t)
	codec := &gateCodec{gate: make(chan struct{})}
	j, err := journal.Open(path, journal.Options{Codec: codec, Sync: journal.SyncNever})
	require.NoError(t, err)
	first := make(chan struct{})
	var calls atomic.Int64
	fn := func(context.Context, string) (int64, error) {
		n := calls.Add(1)
		if n == 1 {
			close(first)
		} else {
			defer close(codec.gate)
		}
		return n, nil
	}
	items := func(yield func(string) bool) {
		if yield("a") {
			<-first // it is run, and its result is held up
			yield("a")
		}
	}
	for r := range amorsize.Stream(t.Context(), fn, items, amorsize.WithJournal(j), amorsize.WithWorkers(4)) {
		require.NoError(t, r.Err)
	}
	require.NoError(t, j.Close())
	v, err := journal.View(path)
	require.NoError(t, err)
	require.Equal(t, 2, v.Found().Items)
	require.Zero(t, v.Found().Superseded)
	require.NoError(t, v.Close())
}

// Items that JSON encodes alike are told apart, or refused.
func TestJournalTellsItemsApart(t *testing.T) {
	path := journalPath(t)
	words := []string{"caf\xe8", "caf\xe9", "caf\ufffd"}
	for range 2 {
		j := openJournal(t, path)
		_, err := amorsize.Execute(func(w string) (int, error) { return int(w[3]), nil }, words, amorsize.WithJournal(j))
		require.NoError(t, err)
		slices.Reverse(words)
		out, err := amorsize.Execute(func(w string) (int, error) { return 0, errRefused }, words, amorsize.WithJournal(j))
		require.NoError(t, err)
		require.Equal(t, []int{int(words[0][3]), int(words[1][3]), int(words[2][3])}, out)
		require.NoError(t, j.Close())
	}
	j := openJournal(t, path)
	type hidden struct{ url string }
	_, err := amorsize.Execute(func(h hidden) (int, error) { return len(h.url), nil }, []hidden{{"a"}}, amorsize.WithJournal(j))
	require.ErrorIs(t, err, amorsize.ErrConfig)
	require.ErrorContains(t, err, "amorsize_test.hidden have unexported fields")
	_, err = amorsize.Execute(func(m map[string][]*hidden) (int, error) { return len(m), nil }, []map[string][]*hidden{{}}, amorsize.WithJournal(j))
	require.ErrorIs(t, err, amorsize.ErrConfig)
	_, err = amorsize.Execute(func(h hidden) (int, error) { return len(h.url), nil }, []hidden{{"a"}}, amorsize.WithJournal(j), amorsize.WithKey(func(h hidden) string { return h.url }))
	require.NoError(t, err)
	_, err = amorsize.Execute(func(at time.Time) (int, error) { return at.Year(), nil }, []time.Time{time.Unix(0, 0)}, amorsize.WithJournal(j))
	require.NoError(t, err, "it encodes itself")
	calls := 0
	for range 2 { // within others such bytes can't be told apart: it is run each time
		_, err = amorsize.Execute(func(w []string) (int, error) { calls++; return 0, nil }, [][]string{{"caf\xe8"}}, amorsize.WithJournal(j))
		require.NoError(t, err)
	}
	require.Equal(t, 2, calls)
	_, err = amorsize.Execute(func(i int) (string, error) { return "caf\xe9", nil }, []int{1}, amorsize.WithJournal(j))
	require.ErrorContains(t, err, "the result of item 0 can't be kept: it has bytes that are not UTF-8")
}

// An item without encoding is not listed any more when it goes well.
func TestJournalForgetsWhatHasNoEncoding(t *testing.T) {
	j := openJournal(t, journalPath(t))
	items := []chan int{make(chan int)}
	listed := func(err error) (n int) {
		_, _ = amorsize.Execute(func(chan int) (int, error) { return 1, err }, items, amorsize.WithJournal(j), amorsize.WithErrors(amorsize.Collect))
		for range j.Failed() {
			n++
		}
		return n
	}
	require.Equal(t, 1, listed(errRefused))
	require.Zero(t, listed(nil))
}

// What ends a run is no failure of its item, also where failures are results later.
func TestJournalFailFastThenCollect(t *testing.T) {
	j := openJournal(t, journalPath(t))
	c := &counted{fails: func(int) error { return errRefused }}
	_, err := amorsize.ExecuteContext(t.Context(), c.call, []int{1}, amorsize.WithJournal(j))
	require.ErrorIs(t, err, errRefused)
	c.fails = nil
	out, err := amorsize.ExecuteContext(t.Context(), c.call, []int{1}, amorsize.WithJournal(j), amorsize.WithErrors(amorsize.Collect))
	require.NoError(t, err)
	require.Equal(t, []string{"10"}, out)
}

// A stream that ends while known items wait to be claimed yields them, and its report counts
// them.
func TestJournalStreamThatEnds(t *testing.T) {
	for _, unordered := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			opts := []amorsize.Option{amorsize.WithErrors(amorsize.Collect), amorsize.WithWorkers(1), amorsize.WithReadAhead()}
			if unordered {
				opts = append(opts, amorsize.WithUnordered())
			}
			j := openJournal(t, journalPath(t))
			opts = append(opts, amorsize.WithJournal(j))
			for range amorsize.Stream(t.Context(), func(context.Context, int) (int, error) { return 0, errRefused }, slices.Values([]int{1, 2, 3}), opts...) {
				continue
			}
			for range amorsize.Stream(t.Context(), func(_ context.Context, i int) (int, error) { return i, nil }, slices.Values([]int{4, 5}), opts...) {
				continue
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			var report amorsize.Report
			well, failed := 0, 0
			seen := map[int]bool{}
			for r := range amorsize.Stream(ctx, func(ctx context.Context, i int) (int, error) { <-ctx.Done(); return 0, ctx.Err() },
				slices.Values([]int{0, 1, 2, 3, 4, 5, 6}), append(opts, amorsize.WithReport(&report))...) {
				var past *journal.PastError
				require.False(t, seen[r.Index], "once each")
				seen[r.Index] = true
				switch {
				case r.Index < 0:
				case r.Err == nil:
					well++
				case errors.As(r.Err, &past):
					failed++
				}
			}
			require.Equal(t, []int{2, 3}, []int{well, failed})
			require.Equal(t, []int{7, 2, 3, 5}, []int{report.Items, report.Succeeded, report.Failed, report.Known})
		})
	}
}

// What an attempt at a batch did is kept, whatever became of the next one; and a batch whose
// items do not stand together is named by its number of them.
func TestJournalOfBatches(t *testing.T) {
	j := openJournal(t, journalPath(t))
	n := 0
	fn := func(_ context.Context, items []int) ([]int, error) {
		if n++; n == 1 {
			return make([]int, len(items)), &amorsize.PartialError{Failed: map[int]error{1: errRefused}}
		}
		panic("boom")
	}
	require.Panics(t, func() {
		_, _ = amorsize.ExecuteBatches(t.Context(), fn, []int{1, 2, 3}, amorsize.WithJournal(j), amorsize.WithChunkSize(3), amorsize.WithPolicies(triesTwice{}))
	})
	for text, want := range map[string]bool{"1": true, "2": false, "3": true} {
		_, known := j.Find(journal.KeyOf([]byte(text)), false)
		require.Equal(t, want, known)
	}
	_, err := amorsize.ExecuteBatches(t.Context(), func(context.Context, []int) ([]int, error) { return nil, errRefused },
		[]int{0, 1, 2, 3, 4}, amorsize.WithJournal(j), amorsize.WithChunkSize(3))
	require.EqualError(t, err, "batch of 3 items from 0 on: 429")
}

type triesTwice struct{}

func (triesTwice) Do(ctx context.Context, call func(context.Context) error) error {
	if call(ctx) == nil {
		return nil
	}
	return call(ctx)
}

// What calls take is measured as without a journal.
func TestJournalAndThePlan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := openJournal(t, journalPath(t))
		items := make([]int, 100)
		for i := range items {
			items[i] = i
		}
		for _, part := range [][]int{items[:10], items} {
			var report amorsize.Report
			_, err := amorsize.ExecuteContext(t.Context(), func(_ context.Context, i int) (int, error) {
				time.Sleep(20 * time.Millisecond)
				return i, nil
			}, part, amorsize.WithJournal(j), amorsize.WithReport(&report))
			require.NoError(t, err)
			require.InDelta(t, 20e6, report.Plan.Sample.ItemNanos, 1e6)
			require.Zero(t, report.Plan.Sample.CPUShare)
		}
	})
}

// A journal that can't be used is an error before any call.
func TestJournalIsAskedFirst(t *testing.T) {
	path := journalPath(t)
	j := openJournal(t, path)
	_, err := amorsize.Execute(func(i int) (int, error) { return i, nil }, []int{1, 2}, amorsize.WithJournal(j))
	require.NoError(t, err)
	v, err := journal.View(path)
	require.NoError(t, err)
	c := &counted{}
	_, err = amorsize.ExecuteContext(t.Context(), c.call, []int{3}, amorsize.WithJournal(v))
	require.ErrorContains(t, err, "View opened it")
	require.NoError(t, v.Close())
	require.NoError(t, j.Close())
	_, err = amorsize.ExecuteContext(t.Context(), c.call, []int{3}, amorsize.WithJournal(j))
	require.ErrorIs(t, err, journal.ErrClosed)
	require.Empty(t, c.calls)

	j = openJournal(t, path)
	var report amorsize.Report
	_, err = amorsize.Execute(func(i float64) (int, error) { return 1, nil }, []float64{1.5}, amorsize.WithJournal(j), amorsize.WithReport(&report))
	require.NoError(t, err)
	require.Contains(t, report.Warnings[0], "none of its 2 items are of this run")
}
