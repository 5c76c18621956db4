package executor

import (
	"math"
	"time"

	"github.com/amorsize/amorsize/optimizer"
)

// forecast predicts the time of a run from its throughput so far. It is a state machine without
// a clock: its input is how many items are done, its output predictions.
//
// It only uses time during which the same bound limits the calls in flight: while their number
// grows, the throughput says little. It makes no prediction once half of the items are done: a
// prediction should not be hindsight.
type forecast struct {
	bounded bool          // something bounds the calls
	since   time.Duration // when that began, or the latest prediction was made
	done    int           // items by then
}

const (
	// forecastRounds is how many rounds of calls a prediction needs, by number and by time, and
	// forecastItems the least number of items.
	forecastRounds = 4
	forecastItems  = 24
	// forecastChange is the ratio by which the time of a call must have changed for the ramp to
	// be simulated again.
	forecastChange = 1.1
)

// achieved is what a run has achieved so far.
type achieved struct {
	after    time.Duration // the start of the run
	items    int           // that are done
	inFlight int           // calls
	latency  time.Duration // of one, 0 if not known
	bounded  bool          // something bounds the calls
}

// next takes what was achieved of total items, and returns the predicted time of the run, 0 as
// long as it is not known.
func (f *forecast) next(a achieved, total int) time.Duration {
	if !a.bounded || !f.bounded || a.items < f.done {
		f.bounded, f.since, f.done = a.bounded, a.after, a.items
		return 0
	}
	age, ran := a.after-f.since, a.items-f.done
	if 2*a.items >= total || age < max(1, forecastRounds*a.latency) || ran < max(forecastItems, forecastRounds*a.inFlight) {
		return 0
	}
	f.since, f.done = a.after, a.items
	return a.after + time.Duration(math.Min(float64(total-a.items)/float64(ran)*float64(age), math.MaxInt64/2))
}

// foresee makes a new prediction, if the run has achieved enough. It goes into the report;
// listeners are not notified.
func (p *planner) foresee(a achieved) {
	took := p.forecast.next(a, p.total)
	before := p.plan.PredictedDuration
	if took == 0 || p.cfg.rate > 0 && took < before*5/4 && took > before*4/5 {
		return // a declared rate is exact; a measured one includes a burst
	}
	if before > 0 {
		p.plan.PredictedSpeedup *= float64(before) / float64(took)
	}
	p.plan.PredictedDuration, p.plan.AtBest = took, false
}

// foreseeBudgets makes the prediction longer if budgets require it, from what calls have cost
// so far.
func (p *planner) foreseeBudgets() {
	for _, b := range p.cfg.budgets {
		if took := b.took(p.total); took > p.plan.PredictedDuration {
			p.plan.PredictedDuration, p.plan.AtBest = took, false
		}
	}
}

// foreseeGrowth simulates the ramp again when the time of a call is better known: the first
// calls to end are the short ones.
func (p *planner) foreseeGrowth(c waitingCalls) {
	if p.cfg.Plan != nil || p.cfg.learned != nil || !p.revised || c.base == 0 {
		return // the first two did not begin with the ramp
	}
	sample := p.plan.Sample
	cv := max(sample.CV, c.variation)
	ratio := float64(c.base) / sample.ItemNanos
	if ratio > forecastChange || ratio < 1/forecastChange || cv > sample.CV+0.05 {
		sample.ItemNanos, sample.CV = float64(c.base), cv
		p.againWaiting(sample, c)
	}
}

// foreseeLearned is for a run that begins with the limit that earlier ones have found.
func (p *planner) foreseeLearned(plan *optimizer.Plan, limit int) {
	limit = min(limit, plan.MaxWorkers)
	if !plan.AtBest || limit == 0 {
		return
	}
	rounds := (p.total + limit - 1) / limit
	took := time.Duration(rounds) * plan.Sample.ItemTime()
	plan.PredictedSpeedup *= float64(plan.PredictedDuration) / float64(max(1, took))
	plan.PredictedDuration, plan.AtBest = took, false
}
