package ratelimit

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/amorsize/amorsize/internal/clock"
)

// bucket is a token bucket kept by virtual scheduling: the generic cell rate
// algorithm of ITU-T I.371, in whole numbers.
//
// All its state is one instant, the theoretical arrival time (TAT) at which the
// bucket is full again. Taking a token moves it by what a token takes to come;
// that is allowed as long as it stays within a full bucket's worth from now.
//
// Instants are ticks since epoch. Everything but word and grace never changes:
// a new rate, or a new epoch, makes a new bucket and leaves the old one's word
// held for ever, so that a call that still has the old one in hand can't take
// one's instant for the other's.
type bucket struct {
	rate
	epoch   time.Duration // the instant 0
	burst   int64         // tokens when full
	depth   int64         // ticks when full, or 0: too many, it all goes through the lock
	horizon uint64        // nanoseconds after epoch up to which ticks fit in a word
	word    atomic.Int64  // the TAT, or held
	grace   atomic.Int64  // nanoseconds after epoch up to which the bucket is not clipped, or noGrace
}

// held, in a bucket's word, says that the TAT is in Limiter.tat, under its lock.
const held = math.MinInt64

// noGrace is the epoch: nothing that a bucket could be clipped of has come until then.
const noGrace = 0

// wordBits is what a TAT in a word may take, so that adding a bucket's depth,
// which is half of that at most, can't overflow.
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

// What a late wake-up is made good for: the time of so many tokens, within bounds.
const (
	creditTokens = 200
	leastCredit  = 2 * time.Millisecond // a timer oversleeps by 1 ms, and a batch takes 0.3
	mostCredit   = 20 * time.Millisecond
)

// credit returns the time whose tokens a bucket may hold beyond its burst after a late
// wake-up. At high rates more would be a burst that the service sees; at low rates it
// takes a longer stall until a token is missed.
func (b *bucket) credit() time.Duration {
	if b.token/uint64(mostCredit/creditTokens) >= b.ticks {
		return mostCredit
	}
	return max(leastCredit, time.Duration(creditTokens*b.token/b.ticks))
}

// outcome is what came of an attempt to take tokens without the lock.
type outcome int

const (
	unknown outcome = iota // the lock's holder knows
	taken
	denied
)

// take takes whole tokens, at most a bucket's, if they are there: with one read
// of the clock and no lock, unless somebody holds it or waits.
//
// It is safe against clocks that were read in another order than they are used
// in: the TAT never moves back here.
func (b *bucket) take(tokens int64) (now time.Duration, came outcome) {
	now = clock.Now()
	since := int64(now - b.epoch)
	if uint64(since) >= b.horizon { // or before the epoch
		return now, unknown
	}
	at, cost := since*int64(b.ticks), tokens*int64(b.token)
	full := at // the TAT of a full bucket
	if since <= b.grace.Load() {
		full -= int64(b.credit()) * int64(b.ticks) // before the epoch, perhaps, as no TAT is
	}
	for {
		tat := b.word.Load() // after the clock, or another would have changed it meanwhile
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

// Under the lock, instants and costs are in fine ticks, 2^20 to a tick, as
// amounts are in 2^-20 tokens: so these are whole numbers, too. All stay below
// 2^125: an instant is at most 2^63 ns of 2^34 ticks after the origin, and so is a wait.

// origin is the epoch in fine ticks, so far from 0 that a TAT can lie before it: that
// of a bucket which holds more than its burst for the first in line.
var origin = uint128{hi: 1 << 60}

// instant returns the clock's instant in fine ticks.
func (b *bucket) instant(now time.Duration) uint128 {
	since := max(0, now-b.epoch)
	return origin.plus(uint128{lo: uint64(since)}.times(b.ticks).shifted(fineBits))
}

// cost returns what n tokens, n above 0, cost in fine ticks; false if they take
// longer to come than a time.Duration can hold.
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

// fullFor returns the TAT of a bucket that is full at an instant, or that has grown to
// what one who waits wants of it at a cost.
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
