// Package chunking decides how many items a chunk should have.
//
// A chunk costs the engine some time, whatever its size. So it should hold what one worker does in a while. The
// more workers there are, the longer that while must be, or they ask for more chunks than the database can serve.
// A chunk that is too large has a cost as well: if a worker dies, its unfinished work is repeated, and the last
// chunks of a run keep few workers busy.
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
	Probe    = 16 // items, while their time is unknown
	Blind    = 256
)

// Conditions are what is known when a chunk's size is chosen.
type Conditions struct {
	Rate     float64       // items per second of one worker; 0 if unknown
	Workers  int           // number of workers; 0 counts as 1
	Time     time.Duration // how long a worker should be busy with a chunk
	Capacity float64       // chunks per second that the database takes
	Left     int64         // items that are still to come; 0 if unknown
}

// share is how much of the database's capacity workers may use. The rest is for results that come in bursts, for
// readers and for the database's own work.
const share = 0.25

// tail is how many of the remaining chunks each worker should have, so that all end at about the same time.
const tail = 8

// Items is how many items the next chunk should have. It needs a rate.
func (c Conditions) Items() int {
	workers := float64(max(c.Workers, 1))
	busy := max(c.Time.Seconds(), workers/(share*c.Capacity))
	items := c.Rate * min(busy, MaxTime.Seconds())
	if c.Left > 0 {
		items = min(items, math.Ceil(float64(c.Left)/(tail*workers)))
	}
	return int(min(max(items, 1), MaxItems))
}

// Slots is how many chunks of that size a worker should have at once: as many as keep it busy for two chunks'
// time, so that one is available when another is done. It is no more than that, since others might use them.
func Slots(rate, items float64, time time.Duration, most int) int {
	if rate <= 0 || items <= 0 {
		return min(int(max(unknown, math.Ceil(Blind/max(items, 1)))), most)
	}
	return int(min(max(math.Ceil(2*rate*time.Seconds()/items)+1, 2), float64(most)))
}

// unknown is how many chunks, or more, a worker has at once of a function that it knows nothing about, as long as
// they have few items: each may take an hour, and the service may take hundreds.
const unknown = 16
