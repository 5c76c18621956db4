package ratelimit

import (
	"slices"
	"time"
)

// slacks is the history needed to correct an estimate as if the actual cost had been known from
// the start. The excess tokens then come off the TAT, unless the bucket would have been full
// meanwhile: tokens that would have come after that are lost. So the amount that comes off is
// at most the least lead of the TAT over the clock since then. The recorded leads since then
// are reduced by the same amount.
//
// The lead shrinks steadily and the TAT is moved only with the lock held, so it is enough to
// look whenever the lock is taken.
type slacks struct {
	open int    // calls that have not been settled
	seen uint64 // looks so far
	low  []low  // each is lower than all after it
}

// low is how far the TAT was ahead of the clock at a look.
type low struct {
	look  uint64
	slack uint128
}

// mostLows bounds the memory. Above it, older entries are merged.
const mostLows = 256

// mark returns a number that separates later looks from earlier ones.
func (s *slacks) mark() uint64 {
	if s == nil {
		return 0
	}
	return s.seen
}

// mark returns the mark of the line, which may be nil.
func (q *line) mark() uint64 {
	if q == nil {
		return 0
	}
	return q.costs.mark()
}

// look records how far the TAT is ahead of the clock.
func (s *slacks) look(slack uint128) {
	s.seen++
	for n := len(s.low); n > 0 && !s.low[n-1].slack.less(slack); n-- {
		s.low = s.low[:n-1]
	}
	if len(s.low) == mostLows {
		s.low[1].slack = s.low[0].slack
		s.low = slices.Delete(s.low, 0, 1)
	}
	s.low = append(s.low, low{s.seen, slack})
}

// since returns the least that the TAT was ahead after a mark.
func (s *slacks) since(mark uint64) uint128 {
	for _, l := range s.low {
		if l.look > mark {
			return l.slack
		}
	}
	return maxUint128
}

// less reduces the recorded leads after a mark by an amount, which is at most what since
// returned.
func (s *slacks) less(mark uint64, by uint128) {
	for i := len(s.low) - 1; i >= 0 && s.low[i].look > mark; i-- {
		s.low[i].slack = s.low[i].slack.minus(by)
	}
	kept := s.low[:0]
	for _, l := range s.low {
		for n := len(kept); n > 0 && !kept[n-1].slack.less(l.slack); n-- {
			kept = kept[:n-1]
		}
		kept = append(kept, l)
	}
	s.low = kept
}

// noteSlack is a look, if any call needs it.
func (l *Limiter) noteSlack(b *bucket, now time.Duration) {
	if l.line != nil && l.line.costs != nil && l.line.costs.open > 0 {
		l.line.costs.look(l.tat.minus(b.instant(now)))
	}
}

// raise makes the TAT at least least, even if calls later turn out to cost less.
func (l *Limiter) raise(least uint128) {
	if l.line != nil && l.line.costs != nil && l.line.costs.open > 0 {
		l.line.costs.look(l.tat.minus(least))
	}
	l.tat = later(l.tat, least)
}

// forgotten returns what remains of the line when time went back: calls whose cost is not known
// have yet to end.
func (q *line) forgotten() *line {
	if q == nil || q.costs == nil {
		return nil
	}
	fresh := newLine()
	fresh.costs = q.costs
	return fresh
}

// takeBack returns the part of an estimate that a call did not cost.
func (l *Limiter) takeBack(g grant, estimated, actual float64) {
	b, now := l.lock()
	defer l.unlock(b, now)
	n := amount(estimated)
	if actual > 0 {
		n = n.minus(amount(actual))
	}
	cost := n.times(b.token)
	s := l.line.costs
	if b != g.b || s == nil { // tokens taken from another bucket don't concern this one
		return
	}
	cost = l.room(b, now, earlier(cost, s.since(g.mark)))
	s.less(g.mark, cost)
	l.tat = l.tat.minus(cost)
	l.noteSlack(b, now)
	l.serve(b, now)
	b.grace.Store(noGrace) // as in refund
}
