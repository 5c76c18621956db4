package executor

import (
	"context"

	"github.com/amorsize/amorsize/executor/internal/source"
	"github.com/amorsize/amorsize/internal/clock"
)

// What the engine does otherwise where items come from a feed.

// nextArrived is next for a feed: it waits for an item, and takes a block of
// those that are there. While it waits, the alarm is off.
func (o *solo) nextArrived() bool {
	size := o.sampler.Next()
	s, ok := o.arrivals.TakeAlone(size)
	if !ok {
		began := clock.Now()
		if !o.await() {
			o.total = o.arrivals.Seen()
			return false
		}
		o.sampler.Exclude(clock.Now() - began)
		s, _ = o.arrivals.TakeAlone(size)
	}
	o.span = s
	o.alarm.enter(inBlock)
	return true
}

// await waits for an item. It reports false if there will be none, or the run is over.
func (o *solo) await() bool {
	o.alarm.enter(idle)
	if !o.arrivals.AwaitAlone() {
		o.alarm.enter(between)
		return false
	}
	o.arm()
	return true
}

// executeFeed runs items as they arrive, and leaves the run's error in left. It begins like any run: this goroutine runs what has arrived, and is
// measured; others join in if that takes long.
func executeFeed(ctx context.Context, r runner, arrivals *source.Arrivals, cfg Config, left *error) {
	var err error
	defer func() { *left = err }() // also after a Goexit
	defer holdOuter(ctx, cfg.Session).End()
	o := newSolo(ctx, r, source.Many, cfg, nil, arrivals)
	o.w.policed.sampling = true // it tells waiting in policies from the items' own time
	o.sampler.Brief()
	o.events.counted(-1)
	defer o.close(&err)
	err = o.execute()
}
