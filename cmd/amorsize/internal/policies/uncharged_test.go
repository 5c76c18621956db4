package policies

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/process"
	"github.com/amorsize/amorsize/transport"
)

// An attempt that fails while a breaker is open is made again: not at once, as the breaker may
// be another host's, and not for ever.
func TestUncharged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := &Set{}
		u := &uncharged{set: set, giveUp: time.Minute}
		calls := 0
		fails := func(retry bool) func(context.Context) error {
			return func(context.Context) error {
				calls++
				return &Failure{Err: errors.New("down"), Retry: retry}
			}
		}
		require.EqualError(t, u.Do(t.Context(), fails(true)), "down")
		require.Equal(t, 1, calls, "no breaker is open")

		set.opened("down")
		require.EqualError(t, u.Do(t.Context(), fails(false)), "down")
		require.Equal(t, 2, calls, "another try would not help")

		calls = 0
		began := time.Now()
		require.ErrorIs(t, u.Do(t.Context(), fails(true)), ErrGaveUp)
		require.InDelta(t, 61, time.Since(began).Seconds(), 1)
		require.InDelta(t, 60+10, calls, 2)

		set.closed()
		set.opened("down")
		calls = 0
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		require.EqualError(t, u.Do(ctx, fails(true)), "down")
		require.InDelta(t, 10+10, calls, 2)

		calls = 0
		require.NoError(t, u.Do(t.Context(), func(context.Context) error {
			if calls++; calls < 3 {
				return &Failure{Err: errors.New("down"), Retry: true}
			}
			return nil
		}))
		require.Equal(t, 3, calls)
	})
}

// invalid is an error that no other attempt would mend.
type invalid struct{}

func (invalid) Error() string   { return "invalid" }
func (invalid) Permanent() bool { return true }

// With a breaker for each key, whose items are parked, an attempt that fails when one has been
// open for too long ends the run, whether or not it is worth another; but what is an item's own
// does not.
func TestUnchargedByKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		set := &Set{ByKey: &ByKey{}}
		u := &uncharged{set: set, giveUp: time.Minute}
		fails := func(err error) func(context.Context) error {
			return func(context.Context) error { return &Failure{Err: err} }
		}
		down := errors.New("down")
		set.opened("down")
		require.ErrorIs(t, u.Do(t.Context(), fails(down)), down)
		time.Sleep(time.Minute)
		require.NotErrorIs(t, u.Do(t.Context(), fails(down)), ErrGaveUp, "not for longer yet")
		time.Sleep(time.Nanosecond)
		require.ErrorIs(t, u.Do(t.Context(), fails(down)), ErrGaveUp)
		for _, own := range []error{
			&process.OutputError{Err: down}, &process.SpawnError{Err: syscall.EMFILE}, invalid{}, &transport.StatusError{Code: 404},
		} {
			require.NotErrorIs(t, u.Do(t.Context(), fails(own)), ErrGaveUp, "%v", own)
		}
		require.ErrorIs(t, u.Do(t.Context(), fails(&transport.StatusError{Code: 500})), ErrGaveUp)
	})
}
