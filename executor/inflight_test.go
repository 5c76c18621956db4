package executor

import (
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A run may raise its calls to the number of cores at once, however few it has in flight.
func TestAsManyCallsAsCoresAreWanted(t *testing.T) {
	p := wired(Config{}, 9)
	p.planner.top = 1 << 20
	require.Equal(t, runtime.GOMAXPROCS(0), p.scheduler.inFlight(time.Second).want)
	for range runtime.GOMAXPROCS(0) + 1 {
		p.crew.workers = append(p.crew.workers, inCall(1, 0))
	}
	require.Equal(t, runtime.GOMAXPROCS(0)+1, p.scheduler.inFlight(time.Second).want)
}

// A single batch in flight shows how large a batch is.
func TestTheSizeOfASingleBatchInFlight(t *testing.T) {
	p := wired(Config{}, 9)
	p.batches = &batching{}
	p.crew.workers = []*worker{inCall(10, 0)}
	f := p.scheduler.inFlight(time.Second)
	require.Equal(t, []int{10, 10}, []int{f.units, f.size})
}

// Where there are no policies, none holds a call back.
func TestACallWithoutPoliciesIsInFlight(t *testing.T) {
	w := inCall(1, 0)
	w.policed.measuring.Store(true)
	for units, policies := range [][]Policy{{passing{}}, nil} {
		p := wired(Config{Policies: policies}, 9)
		p.crew.workers = []*worker{w}
		require.Equal(t, units, p.scheduler.inFlight(time.Second).units)
	}
}
