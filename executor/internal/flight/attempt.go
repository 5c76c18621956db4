package flight

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/amorsize/amorsize/internal/adaptive"
)

// Attempt is what a worker's attempts are known by: of a call, or of a range of them.
// The worker writes it, through a [Tracker]; others may read it. The zero value is between
// two attempts.
type Attempt struct {
	items    atomic.Int64  // that it is for, 0 between attempts
	cost     atomic.Uint64 // bits of a float64: that of an ordinary attempt is 1
	began    atomic.Int64
	epoch    atomic.Int64
	inFlight atomic.Int64 // with it

	turns   atomic.Int64 // see TookTurn
	watched int          // one more than the index in the tracker's list, 0 if not there
}

// TookTurn tells how many turns were taken with the one for the next attempt. Who takes
// over a turn begins a moment after its predecessor has ended, and where calls end together
// there would else seem to be few in flight.
func (a *Attempt) TookTurn(taken int) { a.turns.Store(int64(taken)) }

// load returns it, as one for so many items.
func (a *Attempt) load(items int) adaptive.Attempt {
	return adaptive.Attempt{
		Began: time.Duration(a.began.Load()), InFlight: int(a.inFlight.Load()), Epoch: a.epoch.Load(),
		Items: items, Cost: math.Float64frombits(a.cost.Load()),
	}
}

// Paused is an attempt that is held back. The zero value is none.
type Paused struct {
	items int
	cost  float64
	had   time.Duration // the time that it has had
}

// Items returns how many items it is for.
func (p Paused) Items() int { return p.items }

// begin notes that an attempt begins, as one of inFlight.
func (a *Attempt) begin(now time.Duration, items int, cost float64, inFlight, epoch int64) {
	a.inFlight.Store(max(inFlight, a.turns.Swap(0)))
	a.epoch.Store(epoch)
	a.began.Store(int64(now))
	a.cost.Store(math.Float64bits(cost))
	a.items.Store(int64(items))
}
