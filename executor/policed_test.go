package executor

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/executor/internal/source"
	"github.com/amorsize/amorsize/internal/clock"
)

// While an item is measured it is known whether its call is in a policy or in the function, and since when. Of one
// that is not measured, nothing is known.
func TestWhereACallIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Second) // the clock does not begin with the call
		w := &worker{}
		require.False(t, w.inPolicies(), "no item has begun")
		w.beginPoliced()
		require.False(t, w.inPolicies(), "it is not measured")
		require.Zero(t, w.enter(1, 1))
		require.False(t, w.policed.inside.Load())
		w.leave(0, 1, nil)

		w.policed.sampling = true
		require.Equal(t, clock.Now(), w.beginPoliced())
		require.True(t, w.inPolicies())
		time.Sleep(time.Second)
		entered := w.enter(1, 1)
		require.Equal(t, clock.Now(), entered)
		require.EqualValues(t, entered, w.policed.entered.Load())
		require.False(t, w.inPolicies())
		time.Sleep(time.Second)
		w.leave(entered, 1, nil)
		require.True(t, w.inPolicies(), "it may be retried")

		w.policed.sampling = false
		w.beginPoliced()
		require.False(t, w.inPolicies(), "the next item is not measured")
	})
}

// oneLine has all items wait in one line, in which nothing holds them back.
type oneLine struct{}

func (oneLine) Of(int) (line uint64, ok bool) { return 1, true }
func (oneLine) Wait(int) time.Duration        { return 0 }

// An item whose call begins has passed its policies: the next one of its line may start.
func TestACallThatBeginsLetsTheNextItemStart(t *testing.T) {
	for _, measured := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			lanes := source.NewLanes(source.NewSlice(0, 2), oneLine{})
			w := &worker{lanes: lanes}
			w.policed.sampling = measured
			w.claimed, _, _ = lanes.Take(1, 2)
			var next span
			go func() { next, _, _ = lanes.Take(1, 2) }()
			w.beginPoliced()
			synctest.Wait()
			require.Zero(t, next, "it would wait behind the first one")
			w.enter(1, 1)
			synctest.Wait()
			require.Equal(t, span{Lo: 1, Hi: 2}, next)
			lanes.Stop()
		})
	}
}
