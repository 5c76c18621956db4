package flight

import "time"

// Run is one of those that share a limit. Its methods are called with a lock held: they
// take none, and wait for nothing.
type Run interface {
	// Bounds returns how many calls in flight the run must have and may have, and how many
	// it might have if it had more items: that it has few is no reason for other runs.
	Bounds() (least, most, reach int)
	// Demand returns how many of its workers are busy, and for how many more it has items.
	Demand() (busy, more int)
}

// Enlist begins the part of a run in the limit.
func (t *Tracker) Enlist(r Run, now time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.runs = append(t.runs, r)
	t.crowd.Store(int64(len(t.runs)))
	t.rebound(now)
}

// Delist ends it.
func (t *Tracker) Delist(r Run, now time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, other := range t.runs {
		if other == r {
			t.runs = append(t.runs[:i], t.runs[i+1:]...)
			t.crowd.Store(int64(len(t.runs)))
			t.rebound(now)
			return
		}
	}
}

// Shared reports whether several runs share the limit.
func (t *Tracker) Shared() bool { return t.crowd.Load() > 1 }

// Rebound takes note that the bounds of a run have changed.
func (t *Tracker) Rebound(now time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rebound(now)
	t.publish()
}

// rebound applies the bounds of the runs. mu is held.
func (t *Tracker) rebound(now time.Duration) {
	if len(t.runs) > 0 && t.law != nil {
		floor, ceiling := t.bounds()
		t.law.Bound(now, floor, ceiling)
	}
}

// bounds returns what the runs allow at the least and at the most: the most that
// any of them does. mu is held.
func (t *Tracker) bounds() (floor, ceiling int) {
	floor, ceiling = 1, 1
	for _, r := range t.runs {
		least, _, reach := r.Bounds()
		floor = max(floor, least)
		ceiling = max(ceiling, reach)
	}
	return floor, ceiling
}

// Crowded begins the first window anew if there are more calls than the limit, made
// before there was one: those that are under way tell nothing of it.
func (t *Tracker) Crowded(now time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.law != nil && t.Turns.Over() {
		t.law.Restart(now)
		t.publish()
	}
}

// Share returns how many calls a run may have in flight, within its own bounds: what
// the other runs leave, and a fair part at least. Room is not taken before another
// run has left it.
func (t *Tracker) Share(r Run) int {
	least, most, _ := r.Bounds()
	most = max(least, most)
	t.mu.Lock()
	defer t.mu.Unlock()
	_, ceiling := t.law.Bounds() // which may have fallen since
	limit := min(t.Limit(), ceiling)
	if len(t.runs) < 2 {
		return min(limit, most)
	}
	fair := max(1, limit/len(t.runs))
	mine, running := limit, 0
	for _, other := range t.runs {
		has, wants := other.Demand()
		running += has
		if other != r {
			_, their, _ := other.Bounds()
			mine -= min(fair, has+wants, their)
		}
	}
	has, _ := r.Demand()
	mine = min(max(fair, mine), has+max(0, limit-running))
	return max(1, least, min(mine, most))
}
