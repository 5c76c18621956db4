package executor

import (
	"math"
	"time"
)

// pace is how fast items have been completed recently.
type pace struct {
	at        time.Duration
	completed int
	seen      time.Duration // followed so far, pauses left out
	rate      float64       // per second: the mean at first, later older items decay to 1/e in paceMemory
}

const paceMemory = 5 * time.Second

// longestLeft bounds the shown remaining time of a run, and of a pause: centuries.
const longestLeft = math.MaxInt64 / 4 * time.Nanosecond

// follow takes how many items are completed now. Items completed in a pause are ignored.
func (p *pace) follow(now time.Duration, completed int, paused bool) {
	took, done := now-p.at, completed-p.completed
	if took <= 0 {
		return
	}
	p.at, p.completed = now, completed
	if paused {
		return
	}
	p.seen += took
	weight := max(float64(took)/float64(p.seen), 1-math.Exp(-float64(took)/float64(paceMemory)))
	p.rate += (float64(done)/took.Seconds() - p.rate) * weight
}
