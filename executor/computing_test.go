package executor

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/internal/hillclimb"
	"github.com/amorsize/amorsize/optimizer"
	"github.com/amorsize/amorsize/sampling"
)

// Each change of the number of workers is told, with its reason, is in the report, and begins an epoch.
func TestChangesOfComputing(t *testing.T) {
	procs := runtime.GOMAXPROCS(0)
	for name, c := range map[string]struct {
		workers int
		change  func(r *run)
		want    Change
	}{
		"memory": {2 * procs, func(r *run) { r.room.allowed.Store(1); r.room.unit = 1 << 18 }, Change{
			Workers: 1, Reason: "memory: a call uses 256 KiB, the limit is 0 B",
		}},
		"more than there are cores": {2 * procs, func(*run) {}, Change{
			Workers: procs, Reason: fmt.Sprintf("%d cores left", procs),
		}},
		"they wait": {1, func(r *run) { r.scheduler.control.Learn(true); r.crew.workers = []*worker{inCall(1, 0)} }, Change{
			Workers: optimizer.First(sampling.Sample{CPUKnown: true}, procs), Reason: "cores are idle: the calls are I/O-bound",
		}},
	} {
		r := wired(Config{}, 1000)
		r.planner.top = 1000
		r.scheduler.control = hillclimb.New(0, hillclimb.Start{Workers: c.workers, Ceiling: 1000})
		r.crew.limit.Store(int64(c.workers))
		c.change(r)
		epoch := r.scheduler.epoch.number.Load()
		told, _ := r.scheduler.decideComputing(r.start + time.Second)
		c.want.At = time.Second
		require.Equal(t, &c.want, told, name)
		require.Equal(t, []Change{c.want}, r.record.changes, name)
		require.EqualValues(t, c.want.Workers, r.crew.limit.Load(), name)
		require.Equal(t, epoch+1, r.scheduler.epoch.number.Load(), name)
		require.Equal(t, r.start+time.Second, r.scheduler.epoch.since, name)

		if !r.scheduler.waits() { // else that is for the tracker
			again, _ := r.scheduler.decideComputing(r.start + 2*time.Second)
			require.Nil(t, again, "%s: it is as it should be", name)
		}
	}
}

// Workers that memory has cut off come back when there is room.
func TestRoomAgain(t *testing.T) {
	procs := runtime.GOMAXPROCS(0)
	if procs == 1 {
		t.Skip("one core has one worker")
	}
	r := wired(Config{}, 1000)
	r.planner.top = 1000
	r.scheduler.control = hillclimb.New(0, hillclimb.Start{Workers: procs, Ceiling: 1000})
	r.room.allowed.Store(1)
	told, _ := r.scheduler.decideComputing(r.start)
	require.Equal(t, 1, told.Workers)
	r.room.allowed.Store(1000)
	told, _ = r.scheduler.decideComputing(r.start)
	require.Equal(t, &Change{Workers: procs, Reason: "memory: there is room for more calls"}, told)
}
