package executor

import (
	"context"
	"time"

	"github.com/amorsize/amorsize/internal/clock"
	"github.com/amorsize/amorsize/internal/hillclimb"
)

// What the engine does otherwise where items come from a feed.

// nextArrived is next for a feed: it waits for an item, and takes a block of
// those that are there. While it waits, the alarm is off.
func (o *opening) nextArrived() bool {
	f, next := o.feed, o.span.hi
	size := f.allow(o.sampler.Next(), 1)
	there := int(f.produced.Load()) - next
	if there == 0 {
		began := clock.Now()
		if there = o.await(next); there == 0 {
			return false
		}
		o.sampler.Exclude(clock.Now() - began)
	}
	size = min(size, there)
	o.span = span{next, next + size}
	f.claimed.Add(int64(size))
	f.makeRoom()
	o.alarm.enter(inBlock)
	return true
}

// await waits for items from next on, and returns how many have come: none if
// there will be none, or the run is over.
func (o *opening) await(next int) (there int) {
	f := o.feed
	f.waiting.Add(1)
	defer f.waiting.Add(-1)
	o.alarm.enter(idle)
	for {
		ended := f.ended.Load()
		if there = int(f.produced.Load()) - next; there > 0 {
			break
		}
		if ended {
			o.total = next
			o.alarm.enter(between)
			return 0
		}
		select {
		case <-f.arrived:
		case <-o.run.Done():
			o.alarm.enter(between)
			return 0
		}
	}
	o.arm()
	return there
}

// endOf returns s without what was taken from it while w was in the midst of it.
func (p *pool) endOf(w *worker, s span) span {
	if p.claims.feed != nil {
		s.hi = min(s.hi, w.to)
	}
	return s
}

// replaceCaller ends the part of the stream's own goroutine, which has run the
// first items: a Goexit of an item must end nothing but a helper.
func (p *pool) replaceCaller() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.caller.working {
		p.exit(p.caller)
		p.grow()
	}
}

// shortener is a runner whose claim can be shortened while it is being run.
type shortener interface {
	// shorten returns what the claim is shortened by.
	shorten() span
}

// shorten has others run what is left of the claim of w, but for the item being run.
func (p *pool) shorten(w *worker) bool {
	if r, ok := w.runner.(shortener); ok {
		rest := r.shorten()
		p.claims.giveBack(rest)
		return rest.lo < rest.hi
	}
	return w.signal.CompareAndSwap(goOn, split)
}

// executeFeed runs the items of a feed as they arrive, and leaves the run's error
// in it. It begins like any run: this goroutine runs what has arrived, and is
// measured; others join in if that takes long.
func executeFeed(ctx context.Context, r runner, f *feed, cfg Config) {
	var err error
	defer func() { f.err = err }() // also after a Goexit
	defer holdOuter(ctx, cfg.Session).End()
	o := newOpening(ctx, r, manyItems, cfg, nil, f)
	o.w.policed.sampling = true // it tells waiting in policies from the items' own time
	o.sampler.Brief()
	o.events.counted(-1)
	defer o.close(&err)
	err = o.execute()
}

// observeWaiting leaves workers that wait for items out of o: that a core is idle
// says nothing about the calls then. mu is held.
func (p *pool) observeWaiting(o *hillclimb.Observation) {
	inCalls := o.Busy
	for _, w := range p.workers {
		if w.size.Load() == 0 {
			o.Running--
		} else if began := max(p.mark.at, time.Duration(w.began.Load())); began < o.Now {
			inCalls += o.Now - began
		}
	}
	if o.Age > 0 {
		o.Occupied = float64(inCalls) / float64(o.Age)
	}
}
