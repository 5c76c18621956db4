package jobs

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/optimizer"
	"github.com/amorsize/amorsize/progress"
	"github.com/amorsize/amorsize/sampling"
)

// A batch is so large that its start is 2 % of it, if there are enough items for every slot to have four batches.
// It takes at most half a second.
const (
	startShare   = 0.02
	longestBatch = 500 * time.Millisecond
	leastBatches = 4
)

// batch returns how many items a job should have; left is -1 if it is not known.
func (c Cost) batch(left, slots, most int) int {
	item := max(c.Item, time.Microsecond)
	size := float64(c.Start) / (startShare * float64(item))
	size = min(size, float64(longestBatch)/float64(item), float64(most))
	if left >= 0 {
		size = min(size, float64(left)/float64(leastBatches*slots))
	}
	return max(1, int(size))
}

// Limit is one thing that bounds the number of slots.
type Limit struct {
	Name  string `json:"name"`
	Slots int    `json:"slots"`
}

// Plan is how a run continues after its sample, and why.
type Plan struct {
	Slots   int     `json:"workers"`
	Most    int     `json:"most"`
	Batch   int     `json:"batch"`
	Fixed   bool    `json:"fixed"` // the number is the caller's
	Binding string  `json:"binding"`
	Limits  []Limit `json:"limits"`
	Cost    Cost    `json:"-"`
	Cores   int     `json:"cores"`
	Left    int     `json:"-"` // items after the sample; -1 if that is not known
	Reason  string  `json:"-"` // the engine's, for calls whose plan it makes
	// Expected is how long the rest should take, and Serial how long it would take one at a time; 0 if the number
	// of items is not known.
	Expected, Serial time.Duration `json:"-"`
}

// Caps are bounds that don't come from the sample.
type Caps struct {
	Files int // slots that open files allow a run that measures its number; 0 is none
	Fixed int // slots that they allow a run whose number is fixed; 0 is none
	Works int // jobs that may be read and unfinished, in addition to what the slots need; 0 is none
	Start int // slots that a run may begin with; 0 is none
}

// makePlan computes the slots that keep the cores busy, cores × wall / CPU, and their bounds.
func makePlan(c Cost, size Size, batch BatchSize, left int, caps Caps, perSecond float64) Plan {
	host := sampling.CurrentHost()
	p := Plan{
		Cost: c, Left: left, Cores: max(1, host.Procs), Batch: max(1, batch.Fixed),
		Slots: optimizer.MaxWaiting, Most: optimizer.MaxWaiting,
	}
	p.limitByCost(host.Available())
	if caps.Files > 0 {
		p.limitAll("files", caps.Files)
	}
	if size.Most > 0 {
		p.limitAll("--jobs", size.Most)
	}
	if perSecond > 0 { // Little's law
		p.limit("rate", int(math.Ceil(perSecond*c.Wall.Seconds()))+1)
	}
	if batch.Auto {
		p.Batch = c.batch(left, cmpOr(size.Fixed, p.Slots), cmpOr(batch.Most, mostItems))
	}
	if left >= 0 {
		p.limit("items", (left+p.Batch-1)/p.Batch)
	}
	if caps.Start > 0 && (left < 0 || left > caps.Start) {
		p.limit("start", caps.Start)
	}
	if size.Fixed > 0 {
		p.fix(size.Fixed, caps.Fixed)
	}
	p.predict(left, perSecond)
	return p
}

// limit bounds the initial slots.
func (p *Plan) limit(name string, slots int) {
	slots = max(1, slots)
	p.Limits = append(p.Limits, Limit{name, slots})
	if slots < p.Slots {
		p.Slots, p.Binding = slots, name
	}
}

// limitAll also bounds the slots that the run may grow to.
func (p *Plan) limitAll(name string, slots int) {
	p.limit(name, slots)
	p.Most = min(p.Most, max(1, slots))
}

// limitByCost bounds the slots by the cores and the memory that jobs need; bytes is the available memory, 0 if
// that is not known.
func (p *Plan) limitByCost(bytes uint64) {
	cpu := cpuSlots(p.Cores, p.Cost.Share())
	p.limit("cpu", cpu)
	if p.Cost.Jobs > 0 {
		p.Most = min(p.Most, 2*cpu) // the cores can't feed more, unless the sample was far from usual
	}
	if bytes > 0 && p.Cost.Memory > 0 {
		p.limitAll("memory", optimizer.MemoryWorkers(bytes, float64(p.Cost.Memory), optimizer.MaxWaiting))
	}
}

// fix uses the caller's number, or as much of it as open files allow: 0 is all.
func (p *Plan) fix(slots, files int) {
	p.Slots, p.Fixed, p.Binding = slots, true, "--jobs"
	if files > 0 && files < slots {
		p.Slots, p.Binding = files, "files"
	}
	p.Most = p.Slots
}

func cmpOr(a, b int) int {
	if a != 0 {
		return a
	}
	return b
}

// mostAtOnce is the maximum number of slots at the beginning of a run: measurements raise it.
const mostAtOnce = 256

// cpuSlots is how many jobs keep the cores busy. Below a thousandth of a core a
// job's share is noise.
func cpuSlots(cores int, share float64) int {
	share = max(share, 0.001)
	if share >= computing {
		return int(math.Round(float64(cores) / share))
	}
	return int(math.Ceil(spare * float64(cores) / share))
}

// Jobs that wait don't take turns at the cores by themselves: a quarter more of them keeps the cores busy, and
// costs no time.
const (
	computing = 0.7 // share from which jobs compute
	spare     = 1.25
)

func (p *Plan) predict(left int, perSecond float64) {
	if left < 0 || p.Cost.Jobs == 0 {
		return
	}
	job := p.Cost.Wall
	if p.Cost.Start+p.Cost.Item > 0 {
		job = p.Cost.Start + time.Duration(p.Batch)*p.Cost.Item
	}
	jobs := float64((left + p.Batch - 1) / p.Batch)
	p.Serial = time.Duration(jobs*float64(job)) + p.Cost.Elapsed
	// Slots beyond what the cores feed add nothing.
	rate := min(float64(p.Slots), float64(p.Cores)/max(p.Cost.Share(), 0.001))
	rest := time.Duration(math.Ceil(jobs/rate) * float64(job))
	if perSecond > 0 {
		rest = max(rest, seconds(float64(left)/perSecond))
	}
	p.Expected = rest + p.Cost.Elapsed
}

// engine returns the plan in the engine's form: it begins with this number of calls that wait for processes, knows
// how long one takes alone, and continues from there by measurement.
func (p *Plan) engine() amorsize.Option {
	if p.Fixed {
		return amorsize.WithWorkers(p.Slots)
	}
	if p.Cost.Jobs == 0 { // the engine makes the plan
		return amorsize.WithMaxWorkers(p.Most)
	}
	// Without a CPUShare the calls wait, as they do in this process: the other processes' work does not count.
	sample := sampling.Sample{
		Items: p.Cost.Jobs, Elapsed: p.Cost.Elapsed, ItemNanos: float64(p.Cost.Wall), CV: p.Cost.CV, CPUKnown: true,
	}
	plan := optimizer.New(sample, sampling.CurrentHost(), optimizer.Constraints{Items: optimizer.MaxWaiting, MaxWorkers: p.Most})
	plan.Mode, plan.Workers, plan.MaxWorkers = optimizer.Parallel, p.Slots, p.Most
	return amorsize.WithPlan(plan)
}

// Why explains in a sentence what binds the number of slots.
func (p *Plan) Why() string {
	if p.Fixed && p.Binding == "files" {
		return fmt.Sprintf("open files allow at most %d slots, fewer than --jobs; ulimit -n shows the limit", p.Slots)
	}
	if p.Fixed {
		return "the number was given with --jobs"
	}
	if p.Reason != "" {
		return p.Reason
	}
	c := p.Cost
	var b strings.Builder
	fmt.Fprintf(&b, "one job takes %s, of which %s CPU (%.0f %% waiting) -> %d cores can feed about %d",
		Short(c.Wall), Short(c.CPU), 100*(1-c.Share()), p.Cores, cpuSlots(p.Cores, c.Share()))
	if c.Memory > 0 {
		fmt.Fprintf(&b, "; memory %s each", Bytes(c.Memory))
	}
	if p.Binding != "cpu" {
		b.WriteString("; " + p.bindingText())
	}
	return b.String()
}

func (p *Plan) bindingText() string {
	switch p.Binding {
	case "memory":
		return fmt.Sprintf("memory has room for %d", p.Slots)
	case "files":
		return fmt.Sprintf("open files allow %d", p.Slots)
	case "rate":
		return fmt.Sprintf("the rate needs at most %d", p.Slots)
	case "items":
		return "only " + progress.Plural(p.Slots, "job") + " left"
	case "start":
		return fmt.Sprintf("a run starts with at most %d", p.Slots)
	}
	return fmt.Sprintf("%s allows %d", p.Binding, p.Slots)
}

// NewPlan makes the plan for a cost that was measured elsewhere; left is -1 if the
// number of items is not known.
func NewPlan(c Cost, left int, caps Caps) Plan {
	return makePlan(c, Size{}, BatchSize{Fixed: 1}, left, caps, 0)
}

// With returns how long the rest would take with that number of slots instead.
func (p Plan) With(slots, left int) time.Duration {
	p.Slots = slots
	p.predict(left, 0)
	return p.Expected
}
