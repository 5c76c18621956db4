package executor

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/internal/clock"
)

// memoryKeeper knows results by the item, and keeps those that are new.
type memoryKeeper struct {
	warnings []string

	mu     sync.Mutex
	known  map[int]Outcome[int]
	kept   map[int]Outcome[int] // by the number of the item
	unable error
	asked  error
}

func (k *memoryKeeper) Known(_, item int) (Outcome[int], bool, error) {
	past, known := k.known[item]
	return past, known, k.asked
}

func (k *memoryKeeper) Warnings() []string { return k.warnings }

func (k *memoryKeeper) Keep(i, _ int, now Outcome[int]) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.kept == nil {
		k.kept = map[int]Outcome[int]{}
	}
	k.kept[i] = now
	return k.unable
}

var errKept = errors.New("kept")

func tenfold(_ context.Context, i int) (int, error) {
	if i == 7 {
		return 0, errKept
	}
	return 10 * i, nil
}

func tenfolds(ctx context.Context, items []int) ([]int, error) {
	out := make([]int, len(items))
	failed := map[int]error{}
	for k, i := range items {
		var err error
		if out[k], err = tenfold(ctx, i); err != nil {
			failed[k] = err
		}
	}
	if len(failed) > 0 {
		return out, &PartialError{Failed: failed}
	}
	return out, nil
}

// What is known is not run, what is run is kept by its number among all, and the report counts
// both.
func TestKeeper(t *testing.T) {
	items := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}
	for name, run := range map[string]func(k Keeper[int, int], cfg Config) ([]int, error){
		"run": func(k Keeper[int, int], cfg Config) ([]int, error) {
			return Run(t.Context(), Func[int, int]{Context: tenfold, Keeper: k}, items, cfg)
		},
		"plain": func(k Keeper[int, int], cfg Config) ([]int, error) {
			return Run(t.Context(), Func[int, int]{Plain: func(i int) (int, error) { return tenfold(nil, i) }, Keeper: k}, items, cfg) //nolint:staticcheck // it is not looked at
		},
		"batches": func(k Keeper[int, int], cfg Config) ([]int, error) {
			cfg.ChunkSize = 3
			return RunBatchesKept(t.Context(), tenfolds, k, items, cfg)
		},
	} {
		var report Report
		k := &memoryKeeper{known: map[int]Outcome[int]{0: {Value: 100}, 4: {Value: 104}, 5: {Err: errKept, Attempts: 3}}, warnings: []string{"w"}}
		out, err := run(k, Config{Errors: Collect, Report: &report})
		require.Equal(t, []int{100, 10, 20, 30, 104, 0, 60, 0, 80, 90}, out, name)
		var all *Errors
		require.ErrorAs(t, err, &all, name)
		var at, attempts []int
		for _, err := range all.Unwrap() {
			of, ok := errors.AsType[*ItemError](err)
			require.True(t, ok)
			at, attempts = append(at, of.Index), append(attempts, of.Attempts)
		}
		require.Equal(t, []int{5, 7}, at, name)
		require.Equal(t, []int{3, 1}, attempts, name)
		require.Equal(t, []int{10, 8, 2, 3}, []int{report.Items, report.Succeeded, report.Failed, report.Known}, name)
		require.Equal(t, "w", report.Warnings[0])
		require.Contains(t, report.String(), ", 2 failed, 3 known before")
		for i := range items {
			require.Equal(t, i != 5 && i != 7, report.Valid(i), "%s %d", name, i)
			now, kept := k.kept[i]
			require.Equal(t, i != 0 && i != 4 && i != 5, kept, "%s %d", name, i)
			if kept && i != 7 {
				require.Equal(t, 10*i, now.Value)
			}
		}
		require.ErrorIs(t, k.kept[7].Err, errKept)
		require.InDelta(t, 6/report.Elapsed.Seconds(), report.Goodput(), 1e-6, "of those that were run")

		// What has failed runs again where a failure ends the run.
		k = &memoryKeeper{known: map[int]Outcome[int]{5: {Err: errKept}, 7: {Value: 7}}}
		out, err = run(k, Config{})
		require.NoError(t, err, name)
		require.Equal(t, 50, out[5])

		// An outcome that can't be kept ends the run, and so does what can't be told.
		k = &memoryKeeper{unable: errKept}
		_, err = run(k, Config{Errors: Collect, Workers: 1})
		require.ErrorIs(t, err, errKept, name)
		require.LessOrEqual(t, len(k.kept), 3, name)
		k = &memoryKeeper{asked: errKept}
		_, err = run(k, Config{})
		require.ErrorIs(t, err, errKept, name)
		require.Empty(t, k.kept)
	}
}

// The same of a stream, whose known results come in their order, or as they are claimed.
func TestKeeperOfStreams(t *testing.T) {
	items := slices.Values([]int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9})
	for _, unordered := range []bool{false, true} {
		for _, window := range []int{1, 3, 64} {
			var report Report
			k := &memoryKeeper{known: map[int]Outcome[int]{0: {Value: 100}, 4: {Value: 104}, 5: {Err: errKept, Attempts: 3}, 9: {Value: 109}}}
			out := make([]int, 10)
			next := 0
			for r := range Stream(t.Context(), Func[int, int]{Context: tenfold, Keeper: k}, items, Config{Errors: Collect, Report: &report, Unordered: unordered, Window: window}) {
				if !unordered {
					require.Equal(t, next, r.Index)
				}
				next++
				out[r.Index] = r.Value
				require.Equal(t, r.Index == 5 || r.Index == 7, r.Err != nil)
				require.Equal(t, r.Index, r.Item)
			}
			require.Equal(t, []int{100, 10, 20, 30, 104, 0, 60, 0, 80, 109}, out)
			require.Equal(t, []int{10, 8, 2, 4}, []int{report.Items, report.Succeeded, report.Failed, report.Known})
			require.Len(t, k.kept, 6)
			for i, now := range k.kept {
				require.Equal(t, 1, now.Attempts)
				if i == 7 {
					require.Equal(t, errKept, now.Err)
					require.Zero(t, now.Value)
					continue
				}
				require.NoError(t, now.Err)
				require.Equal(t, 10*i, now.Value)
			}
		}
		k := &memoryKeeper{unable: errKept}
		var last Result[int, int]
		for r := range Stream(t.Context(), Func[int, int]{Context: tenfold, Keeper: k}, items, Config{Errors: Collect, Unordered: unordered}) {
			last = r
		}
		require.Equal(t, -1, last.Index)
		require.ErrorIs(t, last.Err, errKept)
		k = &memoryKeeper{asked: errKept}
		for r := range Stream(t.Context(), Func[int, int]{Context: tenfold, Keeper: k}, items, Config{Errors: Collect, Unordered: unordered}) {
			last = r
		}
		require.Equal(t, -1, last.Index)
		require.ErrorIs(t, last.Err, errKept)
	}
}

// Numbers of the items that are left, and back.
func TestPast(t *testing.T) {
	var none *past
	require.Equal(t, 3, none.number(3))
	require.Equal(t, []span{{Lo: 1, Hi: 3}}, none.spans(span{Lo: 1, Hi: 3}))
	require.Equal(t, []span{{Lo: 1, Hi: 3}}, none.restore([]span{{Lo: 1, Hi: 3}}))
	require.Zero(t, none.failures())
	require.Zero(t, none.passed())

	p := &past{numbers: []int{0, 1, 5, 6, 7, 9}}
	require.Equal(t, 5, p.number(2))
	require.Equal(t, -1, p.number(-1), "of nobody's item")
	require.Equal(t, 6, p.number(6), "behind the last one")
	require.Equal(t, []span{{Lo: 1, Hi: 2}, {Lo: 5, Hi: 8}}, p.spans(span{Lo: 1, Hi: 5}))
	require.Equal(t, []span{{Lo: 0, Hi: 2}, {Lo: 5, Hi: 6}}, p.spans(span{Lo: 0, Hi: 3}))
	require.Equal(t, []span{{Lo: 0, Hi: 1}, {Lo: 9, Hi: 10}}, p.restore([]span{{Lo: 0, Hi: 1}, {Lo: 5, Hi: 6}}))
	for _, e := range []error{&ItemError{Index: 3}, &BatchError{Index: 3}, &PanicError{Index: 3}} {
		p.place(e)
		switch e := e.(type) { //nolint:errorlint // they are what they are
		case *ItemError:
			require.Equal(t, 6, e.Index)
		case *BatchError:
			require.Equal(t, 6, e.Index)
		case *PanicError:
			require.Equal(t, 6, e.Index)
		}
	}
	for want, e := range map[string]*BatchError{
		"batch of items 5 to 7: kept":      {Index: 2, Size: 3, Err: errKept},
		"batch of 2 items from 1 on: kept": {Index: 1, Size: 2, Err: errKept},
		"batch of 3 items from 6 on: kept": {Index: 3, Size: 3, Err: errKept},
		"batch of 6 items from 0 on: kept": {Index: 0, Size: 6, Err: errKept},
		"batch of items 9 to 9: kept":      {Index: 5, Size: 1, Err: errKept},
	} {
		p.place(e)
		require.EqualError(t, e, want, "known items are none of a batch")
	}
	of := p.renumber([]fault{{span{Lo: 1, Hi: 3}, errKept}})
	require.Equal(t, []fault{{span{Lo: 1, Hi: 2}, errKept}, {span{Lo: 5, Hi: 6}, nil}}, of, "it is said once")
}

// Of several outcomes that can't be kept, the first says why.
func TestFirstErrorOfAKeeper(t *testing.T) {
	first, second := errors.New("first"), errors.New("second")
	m := &memoryKeeper{}
	k, w := kept[int, int]{keeper: m}, &worker{}
	for _, m.unable = range []error{nil, first, nil, second} {
		k.keep(w, 0, 0, Outcome[int]{}, clock.Now())
	}
	require.Equal(t, first, w.unkept)
}

// What goes wrong behind the last item of a claim is no item's outcome.
func TestLostBehindAClaim(t *testing.T) {
	odd := &PanicError{Value: "odd"}
	for at, kept := range map[int]int{1: 1, 2: 0} {
		m := &memoryKeeper{}
		w := &worker{}
		w.at, w.panicked = at, odd
		g := newGuarded(calls[int, int]{items: []int{7, 8, 9}}, nil)
		g.kept.keeper = m
		g.lost(w, span{Lo: 0, Hi: 2})
		require.Len(t, m.kept, kept)

		m = &memoryKeeper{}
		r := claimed(t, 3, Func[int, int]{}, Config{})
		r.kept.keeper, r.cell = m, new(Result[int, int])
		r.lost(w, span{Lo: 0, Hi: 2})
		require.Len(t, m.kept, kept)
		if kept > 0 {
			require.Equal(t, odd, m.kept[1].Err)
		}
	}
}

// slowKeeper takes so long for an outcome.
type slowKeeper time.Duration

func (slowKeeper) Known(int, int) (past Outcome[int], known bool, err error) { return past, false, nil }

func (k slowKeeper) Keep(int, int, Outcome[int]) error {
	time.Sleep(time.Duration(k))
	return nil
}

// How long a keeper takes, if it is worth mentioning, is not the items' time.
func TestTimeOfAKeeper(t *testing.T) {
	for takes, want := range map[time.Duration]time.Duration{0: 0, leastWait: 0, leastWait + 1: 2 * (leastWait + 1), time.Hour: 2 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			time.Sleep(time.Second) // the clock does not begin with the call
			k, w := kept[int, int]{keeper: slowKeeper(takes)}, &worker{}
			for i := range 2 {
				k.keep(w, i, i, Outcome[int]{}, k.begin())
			}
			require.Equal(t, want, w.keeping, takes)

			var report Report
			fn := Func[int, int]{Plain: func(i int) (int, error) { time.Sleep(time.Second); return i, nil }, Keeper: slowKeeper(takes)}
			_, err := Run(t.Context(), fn, []int{0, 1, 2}, Config{Workers: 1, Report: &report})
			require.NoError(t, err)
			require.InDelta(t, 3*time.Second, report.Busy, float64(3*leastWait))
			require.Equal(t, 3*(time.Second+takes), report.Elapsed)
		})
	}
}

// An item of a batch took its share of the call.
func TestTimeOfAnItemOfABatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Second) // the clock does not begin with the call
		k := &memoryKeeper{}
		_, err := RunBatchesKept(t.Context(), func(_ context.Context, items []int) ([]int, error) {
			time.Sleep(3 * time.Second)
			return items, nil
		}, k, []int{7, 8, 9}, Config{ChunkSize: 3})
		require.NoError(t, err)
		for i := range 3 {
			require.Equal(t, Outcome[int]{Value: 7 + i, Attempts: 1, Took: time.Second}, k.kept[i])
		}
	})
}
