package concurrency

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

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/internal/waiting"
)

const ms = time.Millisecond

var errOther = errors.New("no such row")

type statusError int

func (e statusError) Error() string   { return fmt.Sprint("status ", int(e)) }
func (e statusError) StatusCode() int { return int(e) }

func TestPolicyIsValidated(t *testing.T) {
	for field, p := range map[string]Policy{
		"Min":        {Min: -1},
		"Max":        {Min: 5, Max: 4},
		"Initial":    {Min: 5, Max: 9, Initial: 4},
		"OnLimit":    {OnLimit: 2},
		"MaxWait":    {MaxWait: -1},
		"MaxWaiting": {MaxWaiting: -1},
	} {
		_, err := New(p)
		var invalid *InvalidError
		require.ErrorAs(t, err, &invalid, field)
		require.ErrorIs(t, err, ErrInvalid)
		require.Equal(t, field, invalid.Field)
		require.Panics(t, func() { MustNew(p) })
		_, err = NewKeyed[string](p, 0)
		require.ErrorIs(t, err, ErrInvalid)
	}
	_, err := New(Policy{Initial: 10, Max: 9})
	require.ErrorIs(t, err, ErrInvalid)
	_, err = NewKeyed[string](Policy{}, -1)
	require.ErrorIs(t, err, ErrInvalid)
	for limit, p := range map[int]Policy{
		16: {}, 20: {Min: 20}, 3: {Max: 3}, 7: {Min: 7, Max: 7}, 100: {Initial: 100}, 20_000: {Min: 20_000},
	} {
		require.Equal(t, limit, MustNew(p).Stats().Limit)
	}
}

// As many as may be are in flight, the others wait, and are served in the order in which
// they came.
func TestFirstComeFirstServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := MustNew(Policy{Min: 3, Max: 3})
		var mu sync.Mutex
		var order []int
		var inFlight, most atomic.Int64
		start := time.Now()
		var group sync.WaitGroup
		for i := range 10 {
			group.Go(func() {
				err := l.Do(t.Context(), func(context.Context) error {
					most.Store(max(most.Load(), inFlight.Add(1)))
					mu.Lock()
					order = append(order, i)
					mu.Unlock()
					time.Sleep(30 * ms)
					inFlight.Add(-1)
					return nil
				})
				assert.NoError(t, err)
			})
			time.Sleep(ms)
			synctest.Wait()
		}
		require.Equal(t, Stats{Limit: 3, InFlight: 3, Waiting: 7}, l.Stats())
		group.Wait()
		require.Equal(t, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, order)
		require.EqualValues(t, 3, most.Load())
		require.Zero(t, l.Stats().InFlight)
		require.Equal(t, 120*ms, time.Since(start), "ten calls of 30 ms, three at a time")
	})
}

func TestReject(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, d := dialled(Policy{OnLimit: Reject}, 2)
		first, err := l.Acquire(t.Context())
		require.NoError(t, err)
		second, ok := l.TryAcquire()
		require.True(t, ok)
		_, ok = l.TryAcquire()
		require.False(t, ok)

		// Before anything is known, all are told the same.
		var full *FullError
		for range 2 {
			_, err = l.Acquire(t.Context())
			require.ErrorAs(t, err, &full)
			require.ErrorIs(t, err, ErrFull)
			require.Equal(t, FullError{Limit: 2, RetryAfter: 100 * ms}, *full)
			require.Equal(t, 100*ms, full.Refused())
		}
		// Then each is told a time of its own: two calls end in 20 ms.
		d.due, d.latency = true, 20*ms
		first.Done(nil)
		_, err = l.Acquire(t.Context())
		require.NoError(t, err)
		for i := range 10 {
			err := l.Do(t.Context(), func(context.Context) error { return nil })
			require.ErrorAs(t, err, &full)
			require.Equal(t, time.Duration(i+1)*10*ms, full.RetryAfter)
		}
		// But for no more than a minute beyond.
		for range 10_000 {
			_, err = l.Acquire(t.Context())
			require.ErrorAs(t, err, &full)
			require.LessOrEqual(t, full.RetryAfter, time.Minute+10*ms)
		}
		time.Sleep(time.Hour)
		_, err = l.Acquire(t.Context())
		require.ErrorAs(t, err, &full)
		require.Equal(t, 10*ms, full.RetryAfter)
		second.Cancel()
		require.Equal(t, 1, l.Stats().InFlight)
	})
}

func TestMaxWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := MustNew(Policy{Min: 1, Max: 1, MaxWait: 50 * ms, MaxWaiting: 2})
		p, err := l.Acquire(t.Context())
		require.NoError(t, err)
		start := time.Now()
		errs := make(chan error, 2)
		for range 2 {
			go func() { _, err := l.Acquire(t.Context()); errs <- err }()
		}
		synctest.Wait()
		_, err = l.Acquire(t.Context())
		var full *FullError
		require.ErrorAs(t, err, &full)
		require.Equal(t, 2, full.Waiting)
		require.Zero(t, time.Since(start), "the third is not let into the line")
		for range 2 {
			require.ErrorIs(t, <-errs, ErrFull)
		}
		require.Equal(t, 50*ms, time.Since(start))
		require.Equal(t, 0, l.Stats().Waiting)

		// Whoever is served in the instant in which the wait ends is served.
		go func() { _, err := l.Acquire(t.Context()); errs <- err }()
		time.Sleep(50 * ms)
		p.Done(nil)
		synctest.Wait()
		if err := <-errs; err != nil {
			require.ErrorIs(t, err, ErrFull)
			require.Zero(t, l.Stats().InFlight)
		} else {
			require.Equal(t, 1, l.Stats().InFlight)
		}
	})
}

// A line for one has a place for one.
func TestLineOfOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := MustNew(Policy{Max: 1, MaxWaiting: 1})
		require.Equal(t, 1, l.p.Min, "by default")
		first, err := l.Acquire(t.Context())
		require.NoError(t, err)
		served := make(chan error, 1)
		go func() {
			p, err := l.Acquire(t.Context())
			p.Cancel()
			served <- err
		}()
		synctest.Wait()
		_, err = l.Acquire(t.Context())
		require.ErrorIs(t, err, ErrFull)
		first.Cancel()
		require.NoError(t, <-served)
	})
}

// One that is cancelled takes nothing, and those behind it move up.
func TestCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := MustNew(Policy{Min: 1, Max: 1})
		p, err := l.Acquire(t.Context())
		require.NoError(t, err)
		cause := errors.New("the user left")
		ctx, cancel := context.WithCancelCause(t.Context())
		first, second := make(chan error, 1), make(chan error, 1)
		go func() { _, err := l.Acquire(ctx); first <- err }()
		synctest.Wait()
		go func() { _, err := l.Acquire(t.Context()); second <- err }()
		synctest.Wait()
		cancel(cause)
		err = <-first
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, err, cause)
		require.Equal(t, 1, l.Stats().Waiting)
		p.Done(nil)
		require.NoError(t, <-second)

		_, err = l.Acquire(ctx)
		require.ErrorIs(t, err, cause, "nor is it let in")
		require.Equal(t, Stats{Limit: 1, InFlight: 1}, l.Stats())
	})
}

// One that is served and cancelled in the same instant gives its place back.
func TestCancelledAsServed(t *testing.T) {
	for range 100 {
		synctest.Test(t, func(t *testing.T) {
			l := MustNew(Policy{Min: 1, Max: 1})
			p, _ := l.TryAcquire()
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() {
				p, err := l.Acquire(ctx)
				if err == nil {
					p.Cancel()
				}
				done <- err
			}()
			synctest.Wait()
			p.Done(nil)
			cancel()
			<-done
			require.Zero(t, l.Stats().InFlight)
		})
	}
}

// Whatever becomes of a call, its place is free afterwards.
func TestCapacityComesBack(t *testing.T) {
	l := MustNew(Policy{Min: 4, Max: 4})
	ended, end := context.WithCancel(t.Context())
	end()
	for name, call := range map[string]func(context.Context) error{
		"ok":         func(context.Context) error { return nil },
		"error":      func(context.Context) error { return errOther },
		"overload":   func(context.Context) error { return statusError(503) },
		"cancel":     func(context.Context) error { return ended.Err() },
		"panic":      func(context.Context) error { panic("no") },
		"panic(nil)": func(context.Context) error { panic(nil) },
		"Goexit":     func(context.Context) error { runtime.Goexit(); return nil },
	} {
		for range 10 {
			done := make(chan any, 1)
			go func() {
				defer func() { done <- recover() }()
				_ = l.Do(t.Context(), call)
			}()
			<-done
		}
		require.Zero(t, l.Stats().InFlight, name)
		require.NoError(t, l.Do(t.Context(), func(context.Context) error { return nil }), name)
	}
	require.ErrorIs(t, l.Do(ended, func(context.Context) error { return nil }), context.Canceled)
	require.ErrorIs(t, l.Do(t.Context(), nil), ErrInvalid)
	require.ErrorIs(t, l.Do(nil, func(context.Context) error { return nil }), ErrInvalid) //nolint:staticcheck // it is what is tested
	require.Zero(t, l.Stats().InFlight)
}

func TestPermitIsGivenBackOnce(t *testing.T) {
	l, d := dialled(Policy{}, 2)
	p, ok := l.TryAcquire()
	require.True(t, ok)
	other, ok := l.TryAcquire()
	require.True(t, ok)
	p.Done(nil)
	again, ok := l.TryAcquire() // which has the place that p had
	require.True(t, ok)
	p.Done(nil)
	p.Cancel()
	require.Equal(t, 2, l.Stats().InFlight)
	require.Equal(t, 1, d.done)
	again.Cancel()
	other.Cancel()
	require.Zero(t, l.Stats().InFlight)
	Permit{}.Done(nil)
	Permit{}.Cancel()
}

func TestChangesAreTold(t *testing.T) {
	var changes []Change
	var l *Limiter
	l, d := dialled(Policy{OnChange: func(c Change) {
		changes = append(changes, c)
		_ = l.Stats() // it may call the limiter
		panic("told enough")
	}}, 1)
	p, _ := l.TryAcquire()
	d.silent = 3
	more, ok := l.TryAcquire()
	require.True(t, ok, "the law has allowed more")
	require.Equal(t, []Change{{From: 1, To: 3, Reason: "by hand"}}, changes)
	require.EqualValues(t, 1, l.Stats().Panics)
	p.Done(nil)
	more.Done(nil)
	require.Len(t, changes, 1)
}

func TestUncontendedCallsAllocateNothing(t *testing.T) {
	l := MustNew(Policy{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		p, _ := l.Acquire(ctx)
		p.Done(nil)
	}))
	call := func(context.Context) error { return nil }
	require.Zero(t, testing.AllocsPerRun(1000, func() { _ = l.Do(ctx, call) }))
	double := Wrap(l, func(_ context.Context, n int) (int, error) { return 2 * n, nil })
	require.LessOrEqual(t, testing.AllocsPerRun(1000, func() { _, _ = double(ctx, 1) }), 2.0) // the closures of Call
}

// listener is who runs the calls.
type listener struct {
	lines []waiting.Line
	ended int
}

func (l *listener) HoldBegins(line waiting.Line) uint64 {
	l.lines = append(l.lines, line)
	return 1
}

func (l *listener) HoldEnds(uint64) { l.ended++ }

// The law is told that more calls would tell nothing where nobody wants one, or where there are more than
// the limit already; at the limit they would.
func TestSaturated(t *testing.T) {
	l, d := dialled(Policy{}, 2)
	for _, c := range []struct {
		inFlight int
		wanted   bool
		want     bool
	}{{1, true, false}, {2, true, false}, {3, true, true}, {2, false, true}} {
		l.flight.n, l.wanted = c.inFlight, c.wanted
		l.observe()
		require.Equal(t, c.want, d.conditions.Saturated, c)
	}
}

// How long a limiter has been idle counts from the end of its latest call, and it is not idle during one.
func TestIdleFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := MustNew(Policy{})
		p, err := l.Acquire(t.Context())
		require.NoError(t, err)
		time.Sleep(time.Minute)
		require.EqualValues(t, -1, l.idleFor(), "it is not idle")
		p.Done(nil)
		require.Zero(t, l.idleFor())
		time.Sleep(time.Second)
		require.Equal(t, time.Second, l.idleFor())
	})
}

// Who runs the calls is told that one waits, in which line, and that there are others.
func TestWaitingIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var heard listener
		ctx := context.WithValue(t.Context(), waiting.Key{}, &heard)
		l := MustNew(Policy{Min: 1, Max: 1, MaxWait: ms})
		k := MustNewKeyed[int](Policy{Min: 1, Max: 1, MaxWait: ms}, 0)
		p, err := l.Acquire(ctx)
		require.NoError(t, err)
		q, err := k.Acquire(ctx, 7)
		require.NoError(t, err)
		require.Empty(t, heard.lines)
		_, err = l.Acquire(ctx)
		require.ErrorIs(t, err, ErrFull)
		_, err = k.Acquire(ctx, 7)
		require.ErrorIs(t, err, ErrFull)
		require.Equal(t, waiting.Line{Of: l, By: (*told)(l)}, heard.lines[0])
		require.True(t, heard.lines[1].OneOfMany)
		require.Equal(t, 2, heard.ended)
		p.Done(nil)
		q.Done(nil)
	})
}
