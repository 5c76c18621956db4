package circuitbreaker_test

import (
	"context"
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/circuitbreaker"
)

var errDown = errors.New("down")

func down(context.Context) error { return errDown }
func up(context.Context) error   { return nil }

// A breaker for each key: one that is open keeps nobody else's calls.
func TestKeyed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := circuitbreaker.MustNewKeyed[string](circuitbreaker.Policy{FailureThreshold: 2, OpenFor: 10 * time.Second, SuccessThreshold: 1}, 0)
		for range 2 {
			require.ErrorIs(t, k.Do(t.Context(), "a", down), errDown)
		}
		require.ErrorIs(t, k.Do(t.Context(), "a", up), circuitbreaker.ErrOpen)
		require.NoError(t, k.Do(t.Context(), "b", up))
		require.Equal(t, circuitbreaker.Open, k.State("a"))
		require.Equal(t, circuitbreaker.Closed, k.State("b"))
		require.Zero(t, k.WouldWait("a"), "it would be refused at once")
		require.Equal(t, 2, k.Len())
		time.Sleep(10 * time.Second)
		require.NoError(t, k.Use("a", func(b *circuitbreaker.Breaker) error { return b.Do(t.Context(), up) }))
		require.Equal(t, circuitbreaker.Closed, k.State("a"))

		called := 0
		fetch := circuitbreaker.WrapKeyed(k, func(n int) string { return "c" }, func(_ context.Context, n int) (int, error) {
			if called++; n == 0 {
				return 7, nil
			}
			return n, errDown
		})
		result, err := fetch(t.Context(), 0)
		require.NoError(t, err)
		require.Equal(t, 7, result)
		for _, want := range []error{errDown, errDown, circuitbreaker.ErrOpen} {
			_, err := fetch(t.Context(), 1)
			require.ErrorIs(t, err, want)
		}
		require.Equal(t, 3, called)
	})
}

// How long a call would wait is known while the breaker is open.
func TestKeyedWouldWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		policy := circuitbreaker.Policy{FailureThreshold: 1, OpenFor: 10 * time.Second, WhenOpen: circuitbreaker.Wait}
		k := circuitbreaker.MustNewKeyed[int](policy, 0)
		require.Zero(t, k.WouldWait(1))
		require.ErrorIs(t, k.Do(t.Context(), 1, down), errDown)
		time.Sleep(3 * time.Second)
		require.Equal(t, 7*time.Second, k.WouldWait(1))
		time.Sleep(7 * time.Second)
		require.Zero(t, k.WouldWait(1), "half-open")

		policy.MaxWait = 5 * time.Second
		k = circuitbreaker.MustNewKeyed[int](policy, 0)
		require.ErrorIs(t, k.Do(t.Context(), 1, down), errDown)
		require.Zero(t, k.WouldWait(1), "it would be refused at once")
		time.Sleep(5 * time.Second)
		require.Equal(t, 5*time.Second, k.WouldWait(1), "as long as it may")
		time.Sleep(time.Second)
		require.Equal(t, 4*time.Second, k.WouldWait(1))
	})
}

// Breakers that are closed are dropped, by time or for want of room; those that are open stay.
func TestKeyedRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := circuitbreaker.MustNewKeyed[int](circuitbreaker.Policy{FailureThreshold: 1, OpenFor: time.Hour}, 2)
		require.Error(t, k.Do(t.Context(), 1, down))
		require.NoError(t, k.Do(t.Context(), 2, up))
		require.NoError(t, k.Do(t.Context(), 3, up), "the closed one goes")
		require.Equal(t, 2, k.Len())
		require.Equal(t, circuitbreaker.Open, k.State(1))
		require.Error(t, k.Do(t.Context(), 3, down))
		err := k.Do(t.Context(), 4, up)
		var tooMany *circuitbreaker.TooManyKeysError
		require.ErrorAs(t, err, &tooMany)
		require.ErrorIs(t, err, circuitbreaker.ErrTooManyKeys)
		require.EqualError(t, err, "circuitbreaker: too many keys are in use: 2")
		require.Positive(t, tooMany.Refused())
		require.Zero(t, k.WouldWait(4))
		require.Equal(t, circuitbreaker.Closed, k.State(4))
		time.Sleep(11 * time.Minute)
		require.NoError(t, k.Do(t.Context(), 4, up), "those that nobody has asked for in a while go")

		k = circuitbreaker.MustNewKeyed[int](circuitbreaker.Policy{}, 0)
		require.NoError(t, k.Do(t.Context(), 1, up))
		time.Sleep(9 * time.Minute)
		require.NoError(t, k.Do(t.Context(), 2, up))
		require.Equal(t, 2, k.Len())
		time.Sleep(2 * time.Minute)
		require.NoError(t, k.Do(t.Context(), 2, up))
		require.Equal(t, 1, k.Len())
	})
}

func TestKeyedRefuses(t *testing.T) {
	_, err := circuitbreaker.NewKeyed[int](circuitbreaker.Policy{}, -1)
	require.ErrorIs(t, err, circuitbreaker.ErrInvalid)
	_, err = circuitbreaker.NewKeyed[int](circuitbreaker.Policy{FailureThreshold: -1}, 0)
	require.ErrorIs(t, err, circuitbreaker.ErrInvalid)
	require.Panics(t, func() { circuitbreaker.MustNewKeyed[int](circuitbreaker.Policy{}, -1) })
	k := circuitbreaker.MustNewKeyed[float64](circuitbreaker.Policy{}, 0)
	require.ErrorIs(t, k.Do(t.Context(), math.NaN(), up), circuitbreaker.ErrInvalid)
}

// A key that was looked at, or called for, can make room for another.
func TestKeysAreGivenBack(t *testing.T) {
	k := circuitbreaker.MustNewKeyed[int](circuitbreaker.Policy{WhenOpen: circuitbreaker.Wait}, 1)
	for key, use := range []func(key int) error{
		func(key int) error { return k.Do(t.Context(), key, up) },
		func(key int) error { return k.Use(key, func(*circuitbreaker.Breaker) error { return nil }) },
		func(key int) error { require.Zero(t, k.WouldWait(key)); return nil },
		func(key int) error { require.Equal(t, circuitbreaker.Closed, k.State(key)); return nil },
		func(key int) error { return k.Do(t.Context(), key, up) },
	} {
		require.NoError(t, use(key))
		require.Equal(t, 1, k.Len())
	}
}

// atFault is an error that says itself whether it is the service's fault.
type atFault bool

func (atFault) Error() string   { return "judged" }
func (f atFault) Failure() bool { return bool(f) }

// An error that says that it is nobody's failure is a success of the service, unless the policy says otherwise.
func TestErrorsThatSayIt(t *testing.T) {
	judge := func(err error) bool { return err != nil }
	odd := func(error) bool { panic("odd") }
	for _, c := range []struct {
		err  atFault
		is   func(error) bool
		want circuitbreaker.State
	}{
		{false, nil, circuitbreaker.Closed}, {true, nil, circuitbreaker.Open},
		{false, judge, circuitbreaker.Open}, {true, judge, circuitbreaker.Open},
		{false, odd, circuitbreaker.Open}, // nobody has judged it
	} {
		b := circuitbreaker.MustNew(circuitbreaker.Policy{FailureThreshold: 1, IsFailure: c.is})
		require.ErrorIs(t, b.Do(t.Context(), func(context.Context) error { return c.err }), c.err)
		require.Equal(t, c.want, b.State(), c)
	}
}
