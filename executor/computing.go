package executor

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"time"

	"github.com/amorsize/amorsize/optimizer"
	"github.com/amorsize/amorsize/sampling"
)

// The patience of a [computing]. Each figure is argued in docs/how-it-works.md.
const (
	// minEpoch is the shortest time over which rates are compared.
	minEpoch = 1 * time.Millisecond
	// minItems is the least number of items over which rates are compared.
	minItems = 8
	// longEpoch and manyChunks are enough for a comparison however much calls vary.
	longEpoch  = 6 * time.Millisecond
	manyChunks = 64
	// firstCheck is how long after a decision it is first called into question.
	firstCheck = 30 * time.Millisecond
	// maxCheck bounds how long a confirmed decision stands.
	maxCheck = 5 * time.Second
)

// observation is what an epoch has shown so far: the calls that began in it
// and have ended. Calls that began before it ran under another limit.
type observation struct {
	now, age  time.Duration
	running   int           // workers now
	reporting int           // workers that have ended a call
	chunks    int           // claims that have ended
	items     int           // calls that have ended
	busy      time.Duration // their time added up
	squares   float64       // Σ (ns of a chunk)² / items of it
	cores     float64       // cores that the process used, negative if unknown
	procs     int           // GOMAXPROCS
	left      int           // items not claimed
	occupied  float64       // workers in calls, on average; 0 if all were
}

// rate is the throughput in items per second by Little's law: workers over
// mean time in the call. Unlike a count over the wall time it is not rounded to
// whole calls, and a worker that has just started counts in full. It leaves out
// chunks that have not ended, which are the long ones, so it is bounded by what
// can have been done in the time, were those as good as done.
func (o observation) rate() float64 {
	if o.busy <= 0 {
		return 0
	}
	rate := float64(o.reporting) * float64(o.items) / o.busy.Seconds()
	if o.age >= minEpoch {
		open := float64(o.items) / float64(o.chunks) * float64(o.running)
		rate = min(rate, (float64(o.items)+open)/o.age.Seconds())
	}
	return rate
}

// mean returns the mean time of a call.
func (o observation) mean() time.Duration {
	if o.items == 0 {
		return 0
	}
	return o.busy / time.Duration(o.items)
}

// error returns the relative standard error of the mean.
func (o observation) error() float64 {
	if o.chunks < 2 || o.busy <= 0 {
		return math.Inf(1)
	}
	mean := float64(o.busy) / float64(o.items)
	variance := (o.squares - mean*float64(o.busy)) / float64(o.chunks-1)
	return math.Sqrt(max(0, variance)/float64(o.items)) / mean
}

// settled reports whether the epoch has seen enough for a comparison: the mean
// is known to the tolerance, or so many chunks have ended that it tells the
// throughput anyway. Under a shared lock it is only the latter: some workers
// wait long while others run on, and calls vary a lot at a steady throughput.
func (o observation) settled(tolerance float64) bool {
	return o.age >= minEpoch && o.items >= minItems && 4*o.reporting >= 3*o.running &&
		(o.error() <= tolerance || o.age >= longEpoch && o.chunks >= manyChunks)
}

// idle returns the share of the cores that the workers could use and do not,
// 0 if unknown.
func (o observation) idle() float64 {
	usable := float64(min(o.running, o.procs))
	if o.occupied > 0 {
		usable = min(usable, o.occupied)
	}
	if o.cores < 0 || usable == 0 {
		return 0
	}
	return max(0, 1-o.cores/usable)
}

type phase int

const (
	hold    phase = iota // keep the level, and measure it
	probe                // try another level
	confirm              // back at the level, to compare like with like
)

// computing decides how many workers run calls that compute. It is a state
// machine without clock and goroutine: fed with observations, it answers with
// decisions.
//
// It starts with the planned number. What half of it would achieve is tried out
// now and then, first if company seems useless and after firstCheck, then ever
// more rarely: a trial costs a millisecond of one worker. A trial compares rates
// before, during and after it (ABA), so that items that get dearer or cheaper on
// the way do not count for or against it.
//
// Calls that turn out to wait are the business of [adaptive].
type computing struct {
	fixed   bool
	floor   int     // never fewer than this
	ceiling int     // never more than this
	room    int     // nor than this, as memory allows
	cut     int     // the level before memory lowered it, 0 if it has not
	told    bool    // the calls were measured and found to wait
	base    float64 // items per second of one worker alone, 0 if unknown

	phase phase
	level int // the limit in force, or to go back to from a trial

	trial struct {
		level       int
		rate        float64 // found during the trial
		before      float64 // found before it
		callTime    time.Duration
		doubted     bool // whether the first doubt has been followed up
		upwardsNext bool
	}
	checkAt time.Duration // when to try another level
	pause   time.Duration // from one trial to the next
}

// decision is what to do after an observation.
type decision struct {
	limit    int
	newEpoch bool   // forget what was observed so far
	waits    bool   // the calls wait: leave it to others
	reason   string // why the limit changed
}

// newComputing starts with the plan and stays from floor to ceiling. A ceiling
// above the cores is for calls that turn out to wait.
func newComputing(plan optimizer.Plan, floor, ceiling int, fixed bool, now time.Duration) computing {
	c := computing{fixed: fixed, floor: max(1, floor), ceiling: max(1, floor, ceiling), room: math.MaxInt}
	c.level = max(c.floor, plan.Workers)
	perItem := plan.Sample.ItemNanos
	if perItem > 0 {
		c.base = 1e9 / perItem
	}
	if slices.ContainsFunc(plan.Limits, func(l optimizer.Limit) bool { return l.OfMemory() && l.Binding }) {
		c.cut = c.ceiling // most bounds it
	}
	c.rest(now, time.Duration(perItem))
	return c
}

// forgetBase is for a plan whose cost of an item is only a guess.
func (c *computing) forgetBase() { c.base = 0 }

// rest schedules the next trial, long enough after now for the cost of a trial
// of minItems calls to stay near 1 %.
func (c *computing) rest(now, callTime time.Duration) {
	c.pause = max(firstCheck, 50*minItems*callTime)
	c.checkAt = now + c.pause
}

// allow bounds the level to what memory allows, and reports whether that changed
// it. What memory has cut off comes back when there is room.
func (c *computing) allow(workers int) (changed bool) {
	if c.fixed {
		return false
	}
	c.room = max(c.floor, workers)
	wanted := max(c.level, min(c.cut, c.ceiling, runtime.GOMAXPROCS(0)))
	level := min(wanted, c.room)
	if c.cut = 0; level < wanted {
		c.cut = wanted
	}
	if changed = level != c.level; changed {
		c.level, c.phase = level, hold
	}
	return changed
}

// most returns the highest limit that makes sense now.
func (c *computing) most(o observation) int {
	return max(c.floor, min(c.ceiling, c.room, o.procs))
}

// next takes an observation and answers with a decision.
func (c *computing) next(o observation) decision {
	if c.fixed {
		return decision{limit: c.level}
	}
	if most := c.most(o); c.level > most {
		c.level, c.phase = most, hold
		return decision{limit: most, newEpoch: true, reason: fmt.Sprintf("%d cores left", most)}
	}
	switch c.phase {
	case probe:
		return c.judge(o)
	case confirm:
		return c.compare(o)
	default:
		return c.watch(o)
	}
}

// watch keeps the level until there is a reason to try another one.
func (c *computing) watch(o observation) decision {
	if c.discoverWaiting(o) {
		return decision{limit: c.level, waits: true}
	}
	if !o.settled(0.05) {
		return decision{limit: c.level}
	}
	doubtful := !c.trial.doubted && c.level > 1 && o.rate() < 1.25*c.base
	if !doubtful && o.now < c.checkAt {
		return decision{limit: c.level}
	}
	c.trial.doubted = c.trial.doubted || doubtful
	return c.try(o)
}

// learn takes what the calls have been found to spend their time on.
func (c *computing) learn(w sampling.Workload) {
	c.told = c.told || !c.fixed && w != sampling.CPUBound
}

// discoverWaiting reports whether calls that were taken for computing wait:
// the cores are next to idle although all workers are in a call, or partly idle
// although every worker so far has paid in full (under a shared lock none does).
func (c *computing) discoverWaiting(o observation) bool {
	if o.running < 1 || c.ceiling <= o.procs {
		return false // it would make no difference
	}
	if c.told || o.idle() > 0.7 {
		return true
	}
	return o.idle() > 0.3 && c.level >= o.procs && o.settled(0.1) &&
		c.base > 0 && o.rate() > 0.75*c.base*float64(c.level)
}

// try begins a trial of another level.
func (c *computing) try(o observation) decision {
	level := c.candidate(o)
	if level == c.level {
		c.checkAt = o.now + c.pause
		return decision{limit: c.level, newEpoch: true}
	}
	c.phase = probe
	c.trial.level, c.trial.before, c.trial.callTime = level, o.rate(), o.mean()
	return decision{limit: level, newEpoch: true}
}

// candidate returns the level to try: half or double, down and up in turn.
func (c *computing) candidate(o observation) int {
	down, up := c.level/2, c.level*2
	down, up = max(c.floor, down), min(up, c.most(o), c.level+min(up, o.left))
	if c.trial.upwardsNext && up > c.level || down == c.level {
		return up
	}
	return down
}

// judge ends a trial as soon as its outcome is clear.
func (c *computing) judge(o observation) decision {
	if !o.settled(0.05) {
		if o.age > max(20*time.Millisecond, 4*minItems*c.trial.callTime) {
			return c.reject(o)
		}
		return decision{limit: c.trial.level}
	}
	c.trial.rate = o.rate()
	gain := c.trial.rate / c.trial.before
	up := c.trial.level > c.level
	switch {
	case up && gain > 1.4, !up && gain > 1.3:
		return c.accept(o)
	case up && gain < 1, !up && gain < 0.8:
		return c.reject(o)
	}
	c.phase = confirm
	return decision{limit: c.level, newEpoch: true}
}

// compare ends a trial whose outcome was not clear, after a second look at the
// level that it is compared with.
func (c *computing) compare(o observation) decision {
	if !o.settled(0.05) {
		if o.age > max(40*time.Millisecond, 8*minItems*c.trial.callTime) {
			return c.reject(o)
		}
		return decision{limit: c.level}
	}
	gain := c.trial.rate / ((c.trial.before + o.rate()) / 2)
	if c.trial.level > c.level && gain > 1.08 || c.trial.level < c.level && gain > 0.97 {
		return c.accept(o)
	}
	return c.reject(o)
}

// accept makes the tried level the level.
func (c *computing) accept(o observation) decision {
	up := c.trial.level > c.level
	reason := fmt.Sprintf("%d workers achieve no more", c.level)
	if up {
		reason = "more workers achieve more"
	}
	c.phase, c.level, c.cut = hold, c.trial.level, 0
	c.trial.upwardsNext = up || c.level == 1
	c.rest(o.now, c.trial.callTime)
	return decision{limit: c.level, newEpoch: true, reason: reason}
}

// reject goes back to the level and calls it into question less often.
func (c *computing) reject(o observation) decision {
	c.phase = hold
	c.trial.upwardsNext = c.trial.level < c.level
	c.pause = min(4*c.pause, max(maxCheck, 50*minItems*c.trial.callTime))
	c.checkAt = o.now + c.pause
	return decision{limit: c.level, newEpoch: true}
}
