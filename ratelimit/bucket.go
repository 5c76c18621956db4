package ratelimit

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/amorsize/amorsize/internal/clock"
)

// bucket is a token bucket implemented by virtual scheduling: the generic cell rate
// algorithm (GCRA) of ITU-T I.371, in whole numbers.
//
// All its state is one instant, the theoretical arrival time (TAT) at which the bucket is
// full again. Taking a token moves the TAT by the time between two tokens; that is
// allowed as long as the TAT is at most a full bucket's time from now.
//
// Instants are ticks since epoch. Everything but word and grace never changes: a new
// rate, or a new epoch, makes a new bucket and leaves the old one's word held for ever,
// so that a call that still has the old bucket can't confuse their instants.
type bucket struct {
	rate
	epoch   time.Duration // the instant 0
	burst   int64         // tokens when full
	depth   int64         // ticks when full; 0 if too many: then everything uses the lock
	horizon uint64        // nanoseconds after epoch up to which ticks fit in a word
	word    atomic.Int64  // the TAT, or held
	grace   atomic.Int64  // nanoseconds after epoch until which the bucket is not clipped, or noGrace
}

// held, in a bucket's word, says that the TAT is in Limiter.tat, under its lock.
const held = math.MinInt64

// noGrace is the epoch: until then the bucket has nothing that could be clipped.
const noGrace = 0

// wordBits is how many bits a TAT in a word may have, so that adding a bucket's depth,
// which is at most half of that, can't overflow.
const wordBits = 62

// newBucket returns a bucket that is held.
func newBucket(r rate, burst int64, epoch time.Duration) *bucket {
	b := &bucket{rate: r, burst: burst, epoch: epoch}
	if fits(uint64(burst), r.token, wordBits-1) {
		b.depth = burst * int64(r.token)
		b.horizon = (1 << wordBits) / r.ticks
	}
	b.word.Store(held)
	return b
}

// How much of a late wake-up is compensated: the time of a number of tokens, within
// bounds.
const (
	creditTokens = 200
	leastCredit  = 2 * time.Millisecond // a timer oversleeps by 1 ms, and a batch takes 0.3
	mostCredit   = 20 * time.Millisecond
)

// credit returns for how long tokens may accumulate above the burst after a late wake-up.
// At high rates, more would be a burst that the service notices; at low rates, only a
// longer stall loses a token.
func (b *bucket) credit() time.Duration {
	if b.token/uint64(mostCredit/creditTokens) >= b.ticks {
		return mostCredit
	}
	return max(leastCredit, time.Duration(creditTokens*b.token/b.ticks))
}

// outcome is the result of an attempt to take tokens without the lock.
type outcome int

const (
	unknown outcome = iota // only known with the lock
	taken
	denied
)

// take takes whole tokens, at most a full bucket, if they are available: with one read of
// the clock and no lock, unless the lock is held or calls wait.
//
// It is safe if clock readings are used in a different order than they were made: the TAT
// never moves back here.
func (b *bucket) take(tokens int64) (now time.Duration, came outcome) {
	now = clock.Now()
	since := int64(now - b.epoch)
	if uint64(since) >= b.horizon { // or before the epoch
		return now, unknown
	}
	at, cost := since*int64(b.ticks), tokens*int64(b.token)
	full := at // the TAT of a full bucket
	if since <= b.grace.Load() {
		full -= int64(b.credit()) * int64(b.ticks) // may be before the epoch, unlike any TAT
	}
	for {
		tat := b.word.Load() // read after the clock, otherwise another call could have changed it in between
		if tat < 0 {
			return now, unknown
		}
		next := max(tat, full) + cost
		if next-at > b.depth {
			return now, denied
		}
		if b.word.CompareAndSwap(tat, next) {
			return now, taken
		}
	}
}

// Under the lock, instants and costs are in fine ticks, 2^20 per tick, because amounts
// are in 2^-20 tokens: so these are whole numbers, too. All stay below 2^125: an instant
// is at most 2^63 ns of 2^34 ticks after the origin, and so is a wait.

// origin is the epoch in fine ticks. It is far from 0, because a TAT can lie before it:
// if the bucket holds more than its burst for the first in line.
var origin = uint128{hi: 1 << 60}

// instant returns the clock's instant in fine ticks.
func (b *bucket) instant(now time.Duration) uint128 {
	since := max(0, now-b.epoch)
	return origin.plus(uint128{lo: uint64(since)}.times(b.ticks).shifted(fineBits))
}

// cost returns the cost of n tokens, n above 0, in fine ticks; false if they take longer
// than a time.Duration can hold.
func (b *bucket) cost(n float64) (uint128, bool) {
	cost := amount(n).times(b.token)
	return cost, b.nanos(cost) < math.MaxInt64
}

// nanos returns fine ticks in nanoseconds, rounded up, at most the largest.
func (b *bucket) nanos(fine uint128) time.Duration {
	return time.Duration(min(fine.over(b.ticks<<fineBits), math.MaxInt64))
}

// whole returns fine ticks in nanoseconds, rounded down.
func (b *bucket) whole(fine uint128) time.Duration {
	return b.nanos(fine.plus(uint128{lo: 1})) - 1
}

// fullFor returns the TAT of a bucket that is full at an instant, or has grown to hold
// cost if that is more than a full bucket.
func (b *bucket) fullFor(cost uint128, at time.Duration) uint128 {
	return b.instant(at).minus(cost.minus(b.full()))
}

// full returns the fine ticks of a full bucket.
func (b *bucket) full() uint128 {
	return uint128{lo: uint64(b.burst)}.times(b.token).shifted(fineBits)
}

// tokens returns fine ticks in tokens.
func (b *bucket) tokens(fine uint128) float64 {
	return fine.float() / (1 << fineBits) / float64(b.token)
}

// load returns a word's TAT in fine ticks.
func load(word int64) uint128 { return origin.plus(uint128{lo: uint64(word)}.shifted(fineBits)) }

// store returns the word of a TAT in fine ticks, if it has one without rounding.
func store(tat uint128) (int64, bool) {
	if tat.less(origin) {
		return 0, false
	}
	tat = tat.minus(origin)
	ok := tat.lo<<(64-fineBits) == 0 && tat.hi>>(wordBits+fineBits-64) == 0
	return int64(tat.hi<<(64-fineBits) | tat.lo>>fineBits), ok
}
