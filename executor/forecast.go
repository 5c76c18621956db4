package executor

import (
	"math"
	"time"

	"github.com/amorsize/amorsize/optimizer"
	"github.com/amorsize/amorsize/sampling"
)

// forecast predicts what a run takes by what it achieves. It is a state machine
// without clock: told how many items are done, it answers with predictions.
//
// It looks at the time during which one and the same thing bounds the calls in flight:
// while they grow in number, what is achieved says little. It says nothing any more
// when half of the items are done: a prediction should not be hindsight.
type forecast struct {
	bounded bool          // something bounds the calls
	since   time.Duration // that is so, or the latest prediction was made
	done    int           // items by then
}

const (
	// forecastRounds is how many rounds of calls a prediction is made on, by number
	// and by time, and forecastItems the least number of items.
	forecastRounds = 4
	forecastItems  = 24
	// forecastChange is by how much it must have changed what a call takes, as a ratio,
	// for the ramp to be followed again.
	forecastChange = 1.1
)

// next takes how many of total items are done since start, with so many calls in
// flight that take so long, and whether something bounds them. It returns what the
// run will take, 0 as long as that is not known.
func (f *forecast) next(now time.Duration, done, total, inFlight int, latency time.Duration, bounded bool) time.Duration {
	if !bounded || !f.bounded || done < f.done {
		f.bounded, f.since, f.done = bounded, now, done
		return 0
	}
	age, ran := now-f.since, done-f.done
	if 2*done >= total || age < max(1, forecastRounds*latency) || ran < max(forecastItems, forecastRounds*inFlight) {
		return 0
	}
	f.since, f.done = now, done
	return now + time.Duration(math.Min(float64(total-done)/float64(ran)*float64(age), math.MaxInt64/2))
}

// foresee makes the prediction anew, if the run has achieved enough. It goes into the
// report; nobody is told of it meanwhile. mu is held.
func (p *pool) foresee(now time.Duration) {
	if p.claims.feed != nil {
		return
	}
	var took time.Duration
	switch m := &p.story.last; {
	case p.adapts.Load() && m.Bound == "" && 2*int(p.ran.Load()) < p.total:
		p.foreseeGrowth(m.Base)
		return
	case p.adapts.Load():
		took = p.forecast.next(now-p.start, int(p.ran.Load()), p.total, m.InFlight+m.Held, m.Latency, m.Bound != "")
	case p.plan.PredictedDuration == 0: // a fixed number, and no sample; what a trial achieves says nothing
		took = p.forecast.next(now-p.start, int(p.ran.Load()), p.total, len(p.workers), 0, !p.control.Trying())
	}
	before := p.plan.PredictedDuration
	if took == 0 || p.cfg.rate > 0 && took < before*5/4 && took > before*4/5 {
		return // a rate that is known is exact, one that is measured has a burst in it
	}
	if before > 0 {
		p.plan.PredictedSpeedup *= float64(before) / float64(took)
	}
	p.plan.PredictedDuration, p.plan.AtBest = took, false
}

// foreseeGrowth follows the ramp again when it is better known what a call takes: the
// first to end are the short ones. mu is held.
func (p *pool) foreseeGrowth(base time.Duration) {
	if p.cfg.Plan != nil || p.cfg.learned != nil || !p.revised || base == 0 {
		return // the first two did not begin with the ramp
	}
	sample := p.plan.Sample
	cv := max(sample.CV, p.latencies.variation())
	ratio := float64(base) / sample.ItemNanos
	if ratio > forecastChange || ratio < 1/forecastChange || cv > sample.CV+0.05 {
		sample.ItemNanos, sample.CV = float64(base), cv
		p.replanWaiting(sample)
	}
}

// replanWaiting makes the plan again for calls that wait. mu is held.
func (p *pool) replanWaiting(sample sampling.Sample) *optimizer.Plan {
	p.replan(sample)
	if later := p.story.began - sample.Elapsed; later > 0 && p.plan.PredictedDuration > 0 {
		p.plan.PredictedDuration += later // the ramp began only then
	}
	plan := p.plan
	return &plan
}

// foreseeLearned is for a run that begins with the limit that earlier ones have found.
func (p *pool) foreseeLearned(plan *optimizer.Plan) {
	limit := min(int(p.gate.limit.Load()), plan.MaxWorkers)
	if !plan.AtBest || limit == 0 {
		return
	}
	rounds := (p.total + limit - 1) / limit
	took := time.Duration(rounds) * plan.Sample.ItemTime()
	plan.PredictedSpeedup *= float64(plan.PredictedDuration) / float64(max(1, took))
	plan.PredictedDuration, plan.AtBest = took, false
}

// paced is a policy that tells the rate at which calls may start, and how many may at
// once before it counts.
type paced interface {
	Rate() float64
	Burst() int64
}

// askRate asks the policies for the lowest rate, and its burst: once, since they are
// not ours, and must not be called with a lock held.
func (c *Config) askRate() {
	for _, policy := range c.Policies {
		if l, ok := policy.(paced); ok {
			if r := l.Rate(); r > 0 && (c.rate == 0 || r < c.rate) {
				c.rate, c.burst = r, float64(l.Burst())
			}
		}
	}
}
