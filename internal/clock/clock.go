// Package clock is the one place that time comes from.
package clock

import (
	"bytes"
	"runtime"
	"time"
)

// base carries a monotonic reading, so every instant below is a difference of
// monotonic readings: no step of the wall clock can reach it. One time.Since
// is one clock read (about 35 ns); time.Now is two.
var base = time.Now()

// Now returns the monotonic time since an arbitrary moment before the first
// call. In a testing/synctest bubble it advances with the bubble's clock.
// Instants are comparable only with each other.
func Now() time.Duration { return time.Since(base) }

// Virtual reports whether now is an instant of a testing/synctest bubble. The
// clock of a bubble starts at the year 2000, decades away from any process's own.
func Virtual(now time.Duration) bool {
	const decade = 10 * 365 * 24 * time.Hour
	return now < -decade || now > decade
}

// Bubble tells one testing/synctest bubble from another: it is the number that the
// runtime gives the caller's, and empty outside of a bubble. The runtime tells it only
// at the head of a goroutine's stack trace, which takes some microseconds: ask where
// the clock is [Virtual].
func Bubble() string {
	head := make([]byte, 64)
	head = head[:runtime.Stack(head, false)]
	_, after, _ := bytes.Cut(head, []byte("bubble "))
	number, _, found := bytes.Cut(after, []byte("]"))
	if !found {
		return ""
	}
	return string(number)
}
