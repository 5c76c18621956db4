package transport

import (
	"context"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// The delay is a tenth above the quantile of the latest answers: it is known from enough of them on, and then looked at
// once in sixteen.
func TestDelayOfAHedge(t *testing.T) {
	for _, quantile := range []float64{0.01, 0.5, 0.9, 0.95, 1} {
		h := &hedger{policy: Hedge{Quantile: quantile}}
		var all []time.Duration
		want := time.Duration(0)
		for i := range 3 * hedgeKept {
			took := time.Duration(1+i*7919%1000+i) * time.Millisecond
			all = append(all, took)
			h.answered(took)
			latest := slices.Sorted(slices.Values(all[max(0, len(all)-hedgeKept):]))
			if n := len(all); n == hedgeLeast || n > hedgeLeast && n%16 == 0 {
				at := latest[int(math.Ceil(quantile*float64(len(latest))))-1]
				want = at + at/10 + 1
			}
			require.Equal(t, want, h.begin(), len(all))
		}
	}
}

// A second request costs what it is allowed to, and what is not used is saved up to a bound.
func TestCreditOfAHedge(t *testing.T) {
	h := &hedger{policy: Hedge{Budget: 0.25}}
	for range 3 {
		h.begin()
		require.False(t, h.spend())
	}
	h.begin()
	require.True(t, h.spend())
	require.False(t, h.spend())
	for range 1000 * int(hedgeSaved) {
		h.begin()
	}
	for range int(hedgeSaved) {
		require.True(t, h.spend())
	}
	require.False(t, h.spend())
}

// A race whose request panicked is over: no second request is sent, and what was begun is ended.
func TestRaceThatPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &race{hedger: &hedger{policy: Hedge{Quantile: 0.9}, delay: time.Second}, ctx: t.Context()}
		var of context.Context
		require.PanicsWithValue(t, "odd", func() {
			_ = r.run(func(ctx context.Context) error {
				of = ctx
				r.sent()
				panic("odd")
			})
		})
		require.Error(t, of.Err())
		require.True(t, r.over)
		require.False(t, r.timer.Stop(), "it has been stopped")
		require.Zero(t, r.hedger.answers)
	})
}
