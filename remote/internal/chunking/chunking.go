// Package chunking says how many items a chunk should have.
//
// A chunk costs the engine some time, whatever is in it. So it should hold what one worker does in a while, and
// the more workers there are the longer that while must be, or they ask for more chunks than the database gives
// out. A chunk that is too large costs something as well: what a worker that dies had begun is done again, and the
// last chunks of a run keep few workers busy.
package chunking

import (
	"math"
	"time"
)

// Bounds of a chunk.
const (
	MaxItems = 10_000
	MaxBytes = 256 << 10 // of encoded items, about
	MaxTime  = 10 * time.Second
	Probe    = 16 // items, as long as nobody knows what they take
	Blind    = 256
)

// Conditions are what is known when a chunk is cut.
type Conditions struct {
	Rate     float64       // items per second of one worker; 0 if unknown
	Workers  int           // that there are; 0 counts as 1
	Time     time.Duration // that a worker should be busy with a chunk
	Capacity float64       // chunks per second that the database takes
	Left     int64         // items that are still to come; 0 if unknown
}

// share is how much of the database's capacity workers may ask for, the rest is room for results that come in
// bursts, for those who read and for the database's own work.
const share = 0.25

// tail is how many chunks each worker should have of what is left, so that they end at about the same time.
const tail = 8

// Items is how many items the next chunk should have. It is not asked without a rate.
func (c Conditions) Items() int {
	workers := float64(max(c.Workers, 1))
	busy := max(c.Time.Seconds(), workers/(share*c.Capacity))
	items := c.Rate * min(busy, MaxTime.Seconds())
	if c.Left > 0 {
		items = min(items, math.Ceil(float64(c.Left)/(tail*workers)))
	}
	return int(min(max(items, 1), MaxItems))
}

// Slots is how many chunks of so many items a worker should have at once: what keeps it busy for two chunks' time,
// so that one is there when another is done, and no more than that, since others might have them.
func Slots(rate, items float64, time time.Duration, most int) int {
	if rate <= 0 || items <= 0 {
		return min(int(max(unknown, math.Ceil(Blind/max(items, 1)))), most)
	}
	return int(min(max(math.Ceil(2*rate*time.Seconds()/items)+1, 2), float64(most)))
}

// unknown is how many chunks a worker has at once of a function that it knows nothing of, or more, as long as they
// have few items: each may take an hour, and the service may take hundreds.
const unknown = 16
