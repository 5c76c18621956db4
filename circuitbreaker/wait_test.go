package circuitbreaker_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/circuitbreaker"
	"github.com/amorsize/amorsize/internal/waiting"
)

// listener notes when it was told that a call is held back, and no longer.
type listener struct{ began, ended []time.Time }

func (l *listener) HoldBegins(waiting.Line) uint64 {
	l.began = append(l.began, time.Now())
	return 7
}

func (l *listener) HoldEnds(ticket uint64) {
	if ticket == 7 {
		l.ended = append(l.ended, time.Now())
	}
}

// Whoever runs the calls is told of one that waits, from when it does until it may pass.
func TestWaitingIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := circuitbreaker.MustNew(circuitbreaker.Policy{FailureThreshold: 1, SuccessThreshold: 1, OpenFor: time.Minute, WhenOpen: circuitbreaker.Wait})
		fail(t, b, 1)
		began := time.Now()
		var l listener
		ctx := context.WithValue(t.Context(), waiting.Key{}, waiting.Listener(&l))
		require.NoError(t, b.Do(ctx, func(context.Context) error {
			require.Equal(t, []time.Time{began.Add(time.Minute)}, l.ended)
			return nil
		}))
		require.NoError(t, b.Do(ctx, returns(nil)))
		require.Equal(t, listener{[]time.Time{began}, []time.Time{began.Add(time.Minute)}}, l)
	})
}

// A call waits for as long as it is allowed to, if that is until it may pass: at that very
// moment, whichever of the two is seen first.
func TestMaxWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bounds := map[time.Duration]bool{time.Minute - 1: false, time.Minute + 1: true, 0: true, time.Nanosecond: false, time.Minute: true}
		for range 20 {
			for most, waits := range bounds {
				b := circuitbreaker.MustNew(circuitbreaker.Policy{
					FailureThreshold: 1, SuccessThreshold: 1, OpenFor: time.Minute, WhenOpen: circuitbreaker.Wait, MaxWait: most,
				})
				fail(t, b, 1)
				start := time.Now()
				permit, err := b.Allow(t.Context())
				if !waits {
					require.ErrorIs(t, err, circuitbreaker.ErrOpen, most)
					require.Zero(t, time.Since(start), most)
					continue
				}
				require.NoError(t, err, most)
				require.Equal(t, time.Minute, time.Since(start), most)
				permit.Done(nil)
				require.Equal(t, circuitbreaker.Closed, b.State())
			}
		}
	})
}
