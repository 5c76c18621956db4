package main

import (
	"runtime"
	"slices"
	"time"
)

// spin computes for n rounds; each depends on the one before.
//
//go:noinline
func spin(n int32) int32 {
	s := uint32(n) | 1
	for range n {
		s ^= s << 13
		s ^= s >> 17
		s ^= s << 5
	}
	return int32(s)
}

// spinItem is the function of the CPU suites: an item is its number of rounds.
func spinItem(n item) (result, error) { return spin(n), nil }

// nanosPerRound is how long a round of spin takes on this machine now: at best, since
// whatever else it is busy with only adds to that.
func nanosPerRound() float64 {
	const rounds = 2_000_000
	var times []float64
	for range 15 {
		start := time.Now()
		runtime.KeepAlive(spin(rounds))
		times = append(times, float64(time.Since(start))/rounds)
	}
	return slices.Min(times)
}

// roundsFor returns how many rounds take about d, at least 0.
func roundsFor(d time.Duration) item {
	const call = 1.5 // ns of the call itself
	return item(max(0, (float64(d)-call)/nanosPerRound()))
}

// repeat returns n equal items.
func repeat(n int, rounds item) []item {
	items := make([]item, n)
	for i := range items {
		items[i] = rounds
	}
	return items
}
