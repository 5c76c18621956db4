// Package hillclimb decides how many workers run calls that compute.
//
// Such calls share the cores: beyond those more workers achieve nothing, and below them
// a lock, memory bandwidth or garbage collection may be what bounds. So other numbers are
// tried, and kept if they pay: hill climbing, as the .NET thread pool does (Fuentes, MSDN
// Magazine, September 2010), with trials long enough to tell. Calls that turn out to wait are
// the business of internal/adaptive.
package hillclimb

import (
	"fmt"
	"math"
	"runtime"
	"time"
)

// The patience of a [Controller]. Each figure is argued in docs/how-it-works.md.
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

type phase int

const (
	hold    phase = iota // keep the level, and measure it
	probe                // try another level
	confirm              // back at the level, to compare like with like
)

// Controller decides how many workers run calls that compute. It is a state
// machine without clock and goroutine: fed with observations, it answers with
// decisions.
//
// It starts with the planned number. What half of it would achieve is tried out
// now and then, first if company seems useless and after firstCheck, then ever
// more rarely: a trial costs a millisecond of one worker. A trial compares rates
// before, during and after it (ABA), so that items that get dearer or cheaper on
// the way do not count for or against it.
//
// Calls that turn out to wait are the business of internal/adaptive.
type Controller struct {
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

// Decision is what to do after an observation.
type Decision struct {
	Limit    int
	NewEpoch bool   // forget what was observed so far
	Waits    bool   // the calls wait: leave it to others
	Reason   string // why the limit changed
}

// Start is what a [Controller] begins with.
type Start struct {
	Workers        int     // as planned
	ItemNanos      float64 // what an item takes one worker alone; 0 if unknown
	Floor, Ceiling int     // bounds of the limit; a ceiling above the cores is for calls that turn out to wait
	Fixed          bool    // the limit stays
	MemoryBinds    bool    // the plan was for fewer workers for want of memory
}

// New returns a controller that starts with the plan.
func New(now time.Duration, s Start) Controller {
	c := Controller{fixed: s.Fixed, floor: max(1, s.Floor), ceiling: max(1, s.Floor, s.Ceiling), room: math.MaxInt}
	c.level = max(c.floor, s.Workers)
	if s.ItemNanos > 0 {
		c.base = 1e9 / s.ItemNanos
	}
	if s.MemoryBinds {
		c.cut = c.ceiling // most bounds it
	}
	c.rest(now, time.Duration(s.ItemNanos))
	return c
}

// Level is the limit in force, or to go back to from a trial.
func (c *Controller) Level() int { return c.level }

// Trying reports whether another level is being tried.
func (c *Controller) Trying() bool { return c.phase != hold }

// Fixed reports whether the limit stays.
func (c *Controller) Fixed() bool { return c.fixed }

// Cut reports whether memory has lowered the level.
func (c *Controller) Cut() bool { return c.cut > 0 }

// Told reports whether the calls were measured and found to wait.
func (c *Controller) Told() bool { return c.told }

// ForgetBase is for a plan whose cost of an item is only a guess.
func (c *Controller) ForgetBase() { c.base = 0 }

// rest schedules the next trial, long enough after now for the cost of a trial
// of minItems calls to stay near 1 %.
func (c *Controller) rest(now, callTime time.Duration) {
	c.pause = max(firstCheck, 50*minItems*callTime)
	c.checkAt = now + c.pause
}

// Allow bounds the level to what memory allows, and reports whether that changed
// it. What memory has cut off comes back when there is room.
func (c *Controller) Allow(workers int) (changed bool) {
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
func (c *Controller) most(o Observation) int {
	return max(c.floor, min(c.ceiling, c.room, o.Procs))
}

// Next takes an Observation and answers with a decision.
func (c *Controller) Next(o Observation) Decision {
	if c.fixed {
		return Decision{Limit: c.level}
	}
	if most := c.most(o); c.level > most {
		c.level, c.phase = most, hold
		return Decision{Limit: most, NewEpoch: true, Reason: fmt.Sprintf("%d cores left", most)}
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
func (c *Controller) watch(o Observation) Decision {
	if c.discoverWaiting(o) {
		return Decision{Limit: c.level, Waits: true}
	}
	if !o.settled(0.05) {
		return Decision{Limit: c.level}
	}
	doubtful := !c.trial.doubted && c.level > 1 && o.rate() < 1.25*c.base
	if !doubtful && o.Now < c.checkAt {
		return Decision{Limit: c.level}
	}
	c.trial.doubted = c.trial.doubted || doubtful
	return c.try(o)
}

// Learn takes what the calls have been found to spend their time on.
func (c *Controller) Learn(waits bool) { c.told = c.told || !c.fixed && waits }

// discoverWaiting reports whether calls that were taken for computing wait:
// the cores are next to idle although all workers are in a call, or partly idle
// although every worker so far has paid in full (under a shared lock none does).
func (c *Controller) discoverWaiting(o Observation) bool {
	if o.Running < 1 || c.ceiling <= o.Procs {
		return false // it would make no difference
	}
	if c.told || o.idle() > 0.7 {
		return true
	}
	return o.idle() > 0.3 && c.level >= o.Procs && o.settled(0.1) &&
		c.base > 0 && o.rate() > 0.75*c.base*float64(c.level)
}

// try begins a trial of another level.
func (c *Controller) try(o Observation) Decision {
	level := c.candidate(o)
	if level == c.level {
		c.checkAt = o.Now + c.pause
		return Decision{Limit: c.level, NewEpoch: true}
	}
	c.phase = probe
	c.trial.level, c.trial.before, c.trial.callTime = level, o.rate(), o.Mean()
	return Decision{Limit: level, NewEpoch: true}
}

// candidate returns the level to try: half or double, down and up in turn.
func (c *Controller) candidate(o Observation) int {
	down, up := c.level/2, c.level*2
	down, up = max(c.floor, down), min(up, c.most(o), c.level+min(up, o.Left))
	if c.trial.upwardsNext && up > c.level || down == c.level {
		return up
	}
	return down
}

// judge ends a trial as soon as its outcome is clear.
func (c *Controller) judge(o Observation) Decision {
	if !o.settled(0.05) {
		if o.Age > max(20*time.Millisecond, 4*minItems*c.trial.callTime) {
			return c.reject(o)
		}
		return Decision{Limit: c.trial.level}
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
	return Decision{Limit: c.level, NewEpoch: true}
}

// compare ends a trial whose outcome was not clear, after a second look at the
// level that it is compared with.
func (c *Controller) compare(o Observation) Decision {
	if !o.settled(0.05) {
		if o.Age > max(40*time.Millisecond, 8*minItems*c.trial.callTime) {
			return c.reject(o)
		}
		return Decision{Limit: c.level}
	}
	gain := c.trial.rate / ((c.trial.before + o.rate()) / 2)
	if c.trial.level > c.level && gain > 1.08 || c.trial.level < c.level && gain > 0.97 {
		return c.accept(o)
	}
	return c.reject(o)
}

// accept makes the tried level the level.
func (c *Controller) accept(o Observation) Decision {
	up := c.trial.level > c.level
	reason := fmt.Sprintf("%d workers do not raise throughput", c.level)
	if up {
		reason = "more workers raised throughput"
	}
	c.phase, c.level, c.cut = hold, c.trial.level, 0
	c.trial.upwardsNext = up || c.level == 1
	c.rest(o.Now, c.trial.callTime)
	return Decision{Limit: c.level, NewEpoch: true, Reason: reason}
}

// reject goes back to the level and calls it into question less often.
func (c *Controller) reject(o Observation) Decision {
	c.phase = hold
	c.trial.upwardsNext = c.trial.level < c.level
	c.pause = min(4*c.pause, max(maxCheck, 50*minItems*c.trial.callTime))
	c.checkAt = o.Now + c.pause
	return Decision{Limit: c.level, NewEpoch: true}
}
