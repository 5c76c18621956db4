package executor

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// An attempt costs no allocation.
func TestGateAllocations(t *testing.T) {
	g := new(gate)
	g.open(0, 16, time.Millisecond, 10)
	w := &worker{}
	g.join(&w.account)
	now := time.Duration(0)
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		g.enter(&w.account, now, 1, 1)
		now += time.Millisecond
		g.leave(&w.account, now, 1, nil)
		if g.due.Load() {
			g.review(now, false, math.Inf(1), false)
		}
	}))
	require.Zero(t, g.inFlight.Load())
}
