package executor

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/executor/internal/sizing"
	"github.com/amorsize/amorsize/internal/answer"
	"github.com/amorsize/amorsize/internal/waiting"
)

// tooLarge is what a service says of a batch that is.
type tooLarge struct{}

func (tooLarge) Error() string  { return "too large" }
func (tooLarge) TooLarge() bool { return true }

// policy is one that is a function.
type policy func(ctx context.Context, call func(context.Context) error) error

func (p policy) Do(ctx context.Context, call func(context.Context) error) error { return p(ctx, call) }

// refused is an answer of a service.
type refused int

func (r refused) Error() string   { return "refused" }
func (r refused) StatusCode() int { return int(r) }

// withdrawn is the error of a call that was not made.
type withdrawn struct{}

func (withdrawn) Error() string          { return "not made" }
func (withdrawn) Refused() time.Duration { return 0 }

// batched runs items 2 to 9 of ten in one claim, and returns the sizes of the calls.
func batched(t *testing.T, policies []Policy, fn func(call int, items []int) ([]int, error)) (b *batches[int, int], w *worker, sizes []int, err error) {
	t.Helper()
	items := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}
	counted := func(_ context.Context, items []int) ([]int, error) {
		sizes = append(sizes, len(items))
		return fn(len(sizes), items)
	}
	b = newBatches(counted, policies, items, make([]int, 10), sizing.NewBatch(sizing.BatchBounds{Target: time.Second, Most: 100}), kept[int, int]{})
	w = &worker{}
	err = b.run(t.Context(), w, span{Lo: 2, Hi: 9})
	return b, w, sizes, err
}

// nextSize is how many items the sizer gives a call after one item took 10 ms.
func nextSize(b *batches[int, int]) int {
	b.sizer.Succeeded(1, 10*time.Millisecond)
	return b.sizer.Size(0, 10_000, 1)
}

func same(_ int, items []int) ([]int, error) { return items, nil }

// A batch that is too large is made again in two halves.
func TestBatchHalves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // where calls take no time
		b, w, sizes, err := batched(t, nil, func(_ int, items []int) ([]int, error) {
			if len(items) > 2 {
				return nil, tooLarge{}
			}
			return items, nil
		})
		require.NoError(t, err)
		require.Equal(t, []int{7, 4, 2, 2, 3, 2, 1}, sizes)
		require.Equal(t, []int{0, 0, 2, 3, 4, 5, 6, 7, 8, 0}, b.out)
		require.Equal(t, 9, w.at)
		require.True(t, w.returned)
		require.Equal(t, 2, nextSize(b), "no more than what was not too large")

		_, w, sizes, err = batched(t, nil, func(int, []int) ([]int, error) { return nil, tooLarge{} })
		require.ErrorIs(t, err, errParts)
		require.Len(t, sizes, 13, "down to one item")
		require.Len(t, w.faults, 7)
		for i, f := range w.faults {
			require.Equal(t, span{Lo: 2 + i, Hi: 3 + i}, f.span)
		}
		_, w, sizes, err = batched(t, nil, func(call int, items []int) ([]int, error) {
			if call == 1 {
				return nil, tooLarge{}
			}
			return nil, errors.New("odd")
		})
		require.ErrorIs(t, err, errParts)
		require.Equal(t, []int{7, 4, 3}, sizes, "one half fails, and the other is run")
		require.Equal(t, []span{{Lo: 2, Hi: 6}, {Lo: 6, Hi: 9}}, []span{w.faults[0].span, w.faults[1].span})
	})
}

// What tells which items of a batch failed fits it if it names at least one, none that the batch does not have, and
// there is a result for each item.
func TestPartialErrorFits(t *testing.T) {
	odd := errors.New("odd")
	for name, c := range map[string]struct {
		failed  map[int]error
		results int
		fits    bool
	}{
		"one":              {map[int]error{1: odd}, 3, true},
		"the ends":         {map[int]error{0: odd, 2: odd}, 3, true},
		"all":              {map[int]error{0: odd, 1: odd, 2: odd}, 3, true},
		"none":             {nil, 3, false},
		"before the first": {map[int]error{-1: odd}, 3, false},
		"behind the last":  {map[int]error{3: odd}, 3, false},
		"without an error": {map[int]error{1: nil}, 3, false},
		"a result lacks":   {map[int]error{1: odd}, 2, false},
		"one too many":     {map[int]error{1: odd}, 4, false},
	} {
		require.Equal(t, c.fits, (&PartialError{Failed: c.failed}).within(3, c.results), name)
	}
}

// Of a batch that tells which of its items failed, the others count, and a retry is given
// only those.
func TestPartsOfABatch(t *testing.T) {
	odd := errors.New("odd")
	partial := func(failed ...int) *PartialError {
		e := &PartialError{Failed: map[int]error{}}
		for _, i := range failed {
			e.Failed[i] = odd
		}
		return e
	}
	b, w, sizes, err := batched(t, nil, func(_ int, items []int) ([]int, error) { return items, partial(1, 6) })
	require.ErrorIs(t, err, errParts)
	require.Equal(t, []int{7}, sizes)
	require.Equal(t, []int{0, 0, 2, 0, 4, 5, 6, 7, 0, 0}, b.out)
	require.Len(t, w.faults, 2)
	require.Equal(t, span{Lo: 3, Hi: 4}, w.faults[0].span)
	require.Equal(t, &ItemError{Index: 8, Attempts: 1, Err: odd}, w.faults[1].err)
	require.Equal(t, 4, nextSize(b), "it is not for its size")

	again := policy(func(ctx context.Context, call func(context.Context) error) error {
		if err := call(ctx); err == nil {
			return nil
		}
		return call(ctx)
	})
	b, w, sizes, err = batched(t, []Policy{again}, func(call int, items []int) ([]int, error) {
		if call == 1 {
			return items, partial(1, 6)
		}
		require.Equal(t, []int{3, 8}, items)
		return items, partial(1)
	})
	require.ErrorIs(t, err, errParts)
	require.Equal(t, []int{7, 2}, sizes)
	require.Equal(t, []int{0, 0, 2, 3, 4, 5, 6, 7, 0, 0}, b.out)
	require.Len(t, w.faults, 1)
	require.Equal(t, &ItemError{Index: 8, Attempts: 2, Err: odd}, w.faults[0].err)

	b, w, _, err = batched(t, []Policy{again}, func(call int, items []int) ([]int, error) {
		if call == 1 {
			return items, partial(0)
		}
		return items, nil
	})
	require.NoError(t, err)
	require.Equal(t, []int{0, 0, 2, 3, 4, 5, 6, 7, 8, 0}, b.out)
	require.Empty(t, w.faults)
}

// A policy that answers without a call that did all has no results to show.
func TestBatchAnsweredByAPolicy(t *testing.T) {
	swallows := policy(func(ctx context.Context, call func(context.Context) error) error {
		_ = call(ctx)
		_ = call(ctx)
		return nil
	})
	_, w, _, err := batched(t, []Policy{swallows}, func(call int, items []int) ([]int, error) {
		if call == 2 {
			return nil, errors.New("odd")
		}
		return items, nil
	})
	require.ErrorIs(t, err, errParts)
	require.ErrorIs(t, w.faults[0].err, ErrResultCount)
	b, _, sizes, err := batched(t, nil, same)
	require.NoError(t, err)
	require.Equal(t, []int{7}, sizes)
	b.chain = func(context.Context) error { return nil }
	w = &worker{}
	require.ErrorIs(t, b.run(t.Context(), w, span{Lo: 2, Hi: 4}), errParts)
	require.Equal(t, &BatchError{Index: 2, Size: 2, Err: &countError{got: 0, want: 2}}, w.faults[0].err)
	require.Equal(t, span{Lo: 4, Hi: 9}, b.failed(4, span{Lo: 2, Hi: 9}))
	b.span = span{Lo: 4, Hi: 6}
	require.Equal(t, span{Lo: 4, Hi: 6}, b.failed(4, span{Lo: 2, Hi: 9}))
	b.span = span{Lo: 4, Hi: 4}
	require.Equal(t, span{Lo: 4, Hi: 9}, b.failed(4, span{Lo: 2, Hi: 9}))
}

// What becomes of a claim when its run ends, or when it is told to stop.
func TestBatchStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	b := newBatches(func(ctx context.Context, items []int) ([]int, error) {
		cancel()
		return nil, ctx.Err()
	}, nil, make([]int, 9), make([]int, 9), nil, kept[int, int]{})
	w := &worker{}
	require.ErrorIs(t, b.run(ctx, w, span{Lo: 2, Hi: 9}), context.Canceled)
	require.Equal(t, 2, w.at)
	require.Empty(t, w.faults)
	w.signal.Store(halt)
	require.NoError(t, b.run(t.Context(), w, span{Lo: 3, Hi: 9}))
	require.Equal(t, 3, w.at)
	require.InDelta(t, 1, b.cost(5), 0, "of a fixed size")

	halted := newBatches(func(_ context.Context, items []int) ([]int, error) {
		if len(items) == 2 {
			w.signal.Store(halt)
		}
		if len(items) > 2 {
			return nil, tooLarge{}
		}
		return items, nil
	}, nil, make([]int, 9), make([]int, 9), nil, kept[int, int]{})
	w = &worker{}
	require.NoError(t, halted.run(t.Context(), w, span{Lo: 0, Hi: 4}))
	require.Equal(t, 2, w.at, "the second half is left")
}

// A refusal as too large is permanent for whoever would repeat the same call. Of one item it is what it is.
func TestTooLargeIsNotRepeated(t *testing.T) {
	permanent := map[int]bool{}
	size := 0
	sees := policy(func(ctx context.Context, call func(context.Context) error) error {
		err := call(ctx)
		p, ok := errors.AsType[interface {
			error
			Permanent() bool
		}](err)
		permanent[size] = ok && p.Permanent()
		return err
	})
	_, _, _, err := batched(t, []Policy{sees}, func(_ int, items []int) ([]int, error) { size = len(items); return nil, tooLarge{} })
	require.ErrorIs(t, err, errParts)
	require.True(t, permanent[7])
	require.Contains(t, permanent, 1)
	require.False(t, permanent[1])
}

// A keeper is told nothing of a batch that was cut off, or not begun: its items are run again another time.
func TestKeeperOfABatchThatStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	k := &memoryKeeper{}
	calls := 0
	b := newBatches(func(ctx context.Context, items []int) ([]int, error) {
		if calls++; calls == 2 {
			cancel()
			return nil, ctx.Err()
		}
		return items, nil
	}, nil, make([]int, 9), make([]int, 9), nil, kept[int, int]{keeper: k})
	w := &worker{}
	require.NoError(t, b.run(ctx, w, span{Lo: 6, Hi: 9}))
	require.Len(t, k.kept, 3)
	require.ErrorIs(t, b.run(ctx, w, span{Lo: 3, Hi: 6}), context.Canceled)
	require.Len(t, k.kept, 3, "the call was cut off")
	clear(k.kept)
	w.signal.Store(halt)
	require.NoError(t, b.run(t.Context(), w, span{Lo: 0, Hi: 3}))
	require.Empty(t, k.kept, "there was no call")

	// What an attempt before has completed is done.
	ctx, cancel = context.WithCancel(t.Context())
	again := policy(func(ctx context.Context, call func(context.Context) error) error {
		_ = call(ctx)
		return call(ctx)
	})
	calls = 0
	b = newBatches(func(ctx context.Context, items []int) ([]int, error) {
		if calls++; calls == 2 {
			cancel()
			return nil, ctx.Err()
		}
		return items, &PartialError{Failed: map[int]error{1: errors.New("odd")}}
	}, []Policy{again}, []int{0, 1, 2}, make([]int, 3), nil, kept[int, int]{keeper: k})
	require.ErrorIs(t, b.run(ctx, &worker{}, span{Lo: 0, Hi: 3}), context.Canceled)
	require.Len(t, k.kept, 2, "but for the one that failed")
	require.Equal(t, []int{0, 2}, []int{k.kept[0].Value, k.kept[2].Value})
	require.NotContains(t, k.kept, 1)
}

// A keeper is told of the batch that a panic or a Goexit has ended: of its items, those that an attempt has completed are
// done, the others failed. What was done before is not told again.
func TestKeeperOfABatchThatIsLost(t *testing.T) {
	odd := errors.New("odd")
	again := policy(func(ctx context.Context, call func(context.Context) error) error {
		_ = call(ctx)
		return call(ctx)
	})
	for name, c := range map[string]struct {
		end func()
		why error
	}{"a panic": {func() { panic(odd) }, odd}, "a Goexit": {runtime.Goexit, ErrGoexit}} {
		k := &memoryKeeper{}
		calls := 0
		b := newBatches(func(_ context.Context, items []int) ([]int, error) {
			switch calls++; calls {
			case 3:
				return items, &PartialError{Failed: map[int]error{1: odd}}
			case 4:
				c.end()
			}
			return items, nil
		}, []Policy{again}, []int{0, 1, 2, 3, 4, 5}, make([]int, 6), nil, kept[int, int]{keeper: k})
		w := &worker{}
		require.NoError(t, b.run(t.Context(), w, span{Lo: 0, Hi: 3}), name)
		require.Len(t, k.kept, 3, name)
		clear(k.kept)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = b.run(t.Context(), w, span{Lo: 3, Hi: 6})
		}()
		<-ended
		require.Len(t, k.kept, 3, name)
		require.Equal(t, Outcome[int]{Value: 3, Attempts: 2}, k.kept[3], name)
		require.ErrorIs(t, k.kept[4].Err, c.why, name)
		require.Equal(t, 2, k.kept[4].Attempts, name)
		require.Equal(t, Outcome[int]{Value: 5, Attempts: 2}, k.kept[5], name)
	}
}

// A batch that is too large is not to be made again as it is, one of a single item may be: it can't be made smaller.
func TestTooLargeIsPermanent(t *testing.T) {
	sees := map[int][]bool{}
	var size int
	watching := policy(func(ctx context.Context, call func(context.Context) error) error {
		err := call(ctx)
		require.ErrorIs(t, err, tooLarge{})
		sees[size] = append(sees[size], answer.Permanent(err))
		return err
	})
	_, w, _, err := batched(t, []Policy{watching}, func(_ int, items []int) ([]int, error) {
		size = len(items)
		return nil, tooLarge{}
	})
	require.ErrorIs(t, err, errParts)
	require.Equal(t, map[int][]bool{7: {true}, 4: {true}, 3: {true}, 2: {true, true, true}, 1: make([]bool, 7)}, sees)
	require.Equal(t, &BatchError{Index: 2, Size: 1, Err: tooLarge{}}, w.faults[0].err)
}

// After an attempt that completed what was left, a batch is whole again: a policy that fails it fails all of it, and
// one that has it made again has all of it made.
func TestBatchCompletedInParts(t *testing.T) {
	odd, late := errors.New("odd"), errors.New("late")
	for name, times := range map[string]int{"fails": 2, "made again": 3} {
		var given [][]int
		repeats := policy(func(ctx context.Context, call func(context.Context) error) error {
			for range times {
				_ = call(ctx)
			}
			return late
		})
		b, w, _, err := batched(t, []Policy{repeats}, func(call int, items []int) ([]int, error) {
			if given = append(given, items); call == 1 {
				return items, &PartialError{Failed: map[int]error{1: odd, 6: odd}}
			}
			return items, nil
		})
		require.ErrorIs(t, err, errParts)
		require.Equal(t, [][]int{{2, 3, 4, 5, 6, 7, 8}, {3, 8}, {2, 3, 4, 5, 6, 7, 8}}[:times], given, name)
		require.Equal(t, []int{0, 0, 2, 3, 4, 5, 6, 7, 8, 0}, b.out, name)
		require.Len(t, w.faults, 1, name)
		require.Equal(t, &BatchError{Index: 2, Size: 7, Err: late}, w.faults[0].err, name)
	}
}

// What the sizer is told of calls.
func TestBatchTells(t *testing.T) {
	odd := errors.New("odd")
	b, _, _, err := batched(t, nil, func(int, []int) ([]int, error) { return nil, odd })
	require.ErrorIs(t, err, errParts)
	require.Equal(t, 4, nextSize(b), "seven failed: the middle between that and one")
	told := func(items int, err error) int {
		b, _, _, _ := batched(t, nil, same)
		b.sizer = sizing.NewBatch(sizing.BatchBounds{Target: time.Second, Most: 100})
		b.tell(items, 0, err)
		return nextSize(b)
	}
	require.Equal(t, 4, told(4, withdrawn{}), "it was not made")
	require.Equal(t, 2, told(4, odd))
	require.Equal(t, 2, told(3, tooLarge{}))
	require.InDelta(t, 1, b.cost(5), 0, "nothing is known")
	b.sizer = sizing.NewBatch(sizing.BatchBounds{Target: time.Second, Given: 10})
	b.tell(10, 10*time.Second, nil)
	require.InDelta(t, 1, b.cost(5), 0, "the size is given")
	b.sizer = nil
	b.tell(5, 0, nil)
	require.InDelta(t, 1, b.cost(5), 0)
	short := func(_ int, items []int) ([]int, error) { return items[1:], nil }
	_, w, _, _ := batched(t, nil, short)
	require.Equal(t, &BatchError{Index: 2, Size: 7, Err: &countError{got: 6, want: 7}}, w.faults[0].err)
}

// Policies that look at the result of a call are shown that of the latest one, and none where the call had none.
func TestPoliciesSeeTheResultsOfABatch(t *testing.T) {
	var seen [][]int
	used := func(result []int, _ error) float64 { seen = append(seen, result); return 0 }
	again := policy(func(ctx context.Context, call func(context.Context) error) error {
		_ = call(ctx)
		_ = call(ctx)
		return call(ctx)
	})
	policies := []Policy{again, Cost(free{}, func([]int) float64 { return 1 }, used)}
	_, _, _, err := batched(t, policies, func(call int, items []int) ([]int, error) {
		switch call {
		case 1:
			return items, &PartialError{Failed: map[int]error{1: errors.New("odd"), 6: errors.New("odd")}}
		case 2:
			return nil, errors.New("odd")
		}
		return []int{30, 80}, nil
	})
	require.NoError(t, err)
	require.Equal(t, [][]int{{2, 3, 4, 5, 6, 7, 8}, nil, {30, 80}}, seen)
}

// What a policy makes a batch wait, around the function or within it, is not the time of the call.
func TestTimeOfABatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Hour) // the clock does not begin with the call
		slow := policy(func(ctx context.Context, call func(context.Context) error) error {
			time.Sleep(time.Minute)
			defer time.Sleep(time.Minute)
			return call(ctx)
		})
		for name, measured := range map[string]bool{"measured": true, "not measured": false} {
			fn := func(ctx context.Context, items []int) ([]int, error) {
				hold := waiting.Begin(ctx, waiting.Line{})
				time.Sleep(time.Hour)
				hold.End()
				time.Sleep(70 * time.Millisecond)
				return items, nil
			}
			bounds := sizing.BatchBounds{Target: time.Second, Most: 100}
			told, expected := sizing.NewBatch(bounds), sizing.NewBatch(bounds)
			w := &worker{call: newCallContext(&runContext{Context: t.Context()}, &Config{})}
			w.policed.sampling = measured
			b := newBatches(fn, []Policy{slow}, make([]int, 7), make([]int, 7), told, kept[int, int]{})
			require.NoError(t, b.run(w.call, w, span{Hi: 7}), name)
			expected.Succeeded(7, 70*time.Millisecond)
			require.Equal(t, expected.Size(0, 7, 1), told.Size(0, 7, 1), name) // the last ones: that settles it
			want, _ := expected.Unit()
			took, calls := told.Unit()
			require.Equal(t, want, took, name)
			require.Positive(t, took, name)
			require.Equal(t, 1, calls, name)
			if measured {
				require.EqualValues(t, 1, w.policed.ownItems.Load())
				require.EqualValues(t, 70*time.Millisecond, w.policed.ownTime.Load())
				require.Equal(t, time.Hour+2*time.Minute, w.policed.waited)
			} else {
				require.Zero(t, w.policed.waited)
			}
		}
	})
}

// The items of a batch that a policy refuses are known as those for which no call was made.
func TestBatchWithoutACall(t *testing.T) {
	odd := errors.New("odd")
	for name, c := range map[string]struct {
		policy Policy
		unmade int
	}{
		"refused":  {policy(func(context.Context, func(context.Context) error) error { return odd }), 7},
		"answered": {policy(func(context.Context, func(context.Context) error) error { return nil }), 7},
		"called":   {policy(func(ctx context.Context, call func(context.Context) error) error { _ = call(ctx); return odd }), 0},
	} {
		_, w, _, err := batched(t, []Policy{c.policy}, same)
		require.ErrorIs(t, err, errParts, name)
		require.Equal(t, c.unmade, w.unmade, name)
	}
}
