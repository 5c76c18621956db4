package profiling

import (
	"context"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/process"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/summary"
	"github.com/amorsize/amorsize/optimizer"
	"github.com/amorsize/amorsize/sampling"
)

// Profile is the result of a sample, and what follows from it. It has a field for each member of the JSON of
// amorsize profile, hence their number.
type Profile struct {
	V         int          `json:"v"`
	Cmd       string       `json:"cmd"`
	Target    string       `json:"target"`
	Type      string       `json:"type,omitempty"`  // of a function
	Place     string       `json:"place,omitempty"` // file:line of a function
	Class     string       `json:"class"`
	Items     int          `json:"items"` // that are to be run; -1 if not known
	Sampled   int          `json:"sampled"`
	Wall      float64      `json:"wall_s"`
	CPU       float64      `json:"cpu_s"`
	CV        float64      `json:"cv"`
	Memory    int64        `json:"rss_bytes"`
	Bytes     float64      `json:"alloc_bytes"`
	Allocs    float64      `json:"allocs"`
	Start     float64      `json:"start_s"`
	Item      float64      `json:"item_s"`
	Failed    int          `json:"failed"`
	Workers   int          `json:"workers"` // recommended
	Batch     int          `json:"batch"`   // recommended
	Binding   string       `json:"binding"`
	Limits    []jobs.Limit `json:"limits"`
	Predicted []Predicted  `json:"predicted"`
	Race      *Race        `json:"race,omitempty"`
	Host      summary.Host `json:"host"`

	measured Measured
	target   *Target
	engine   []optimizer.Candidate // what the engine expects of a function that computes
}

// Predicted is how long a number of workers should take.
type Predicted struct {
	Workers int     `json:"workers"`
	Wall    float64 `json:"wall_s"`
	Speedup float64 `json:"speedup"`
}

// Options say how a profile is made.
type Options struct {
	Budget time.Duration // of the sample, about
	Total  int           // items that are to be run; -1 if it is not known
}

// New makes a profile of the target, from some of the items.
func New(ctx context.Context, t *Target, list []items.Item, o Options) (*Profile, error) {
	m, err := t.Sample(ctx, list, o.Budget)
	if err != nil {
		return nil, err
	}
	p := newProfileOf(m, o.Total, process.FileSlots())
	p.Target, p.target = t.What, t
	if fn := t.Function; fn != nil {
		p.Target, p.Type, p.Place = fn.Name, fn.Type, fn.Place
		p.functionPlan(m, o.Total)
	}
	if t.CheckRace != nil {
		p.Race = t.CheckRace(ctx, list)
	}
	if p.Race != nil && p.Race.Found {
		p.Workers, p.Binding = 1, "not safe for concurrent calls"
	} else if err := p.verify(ctx, t, list, &m, o.Total); err != nil {
		return nil, err
	}
	p.predict(m, o.Total)
	p.measured = m
	return p, nil
}

func newProfileOf(m Measured, total, files int) *Profile {
	plan := jobs.NewPlan(m.Cost, total, jobs.Caps{Files: files})
	p := &Profile{
		V: summary.Version, Cmd: "profile", Class: m.Class().String(), Items: total, Sampled: m.Items,
		Wall: m.Wall.Seconds(), CPU: m.CPU.Seconds(), CV: m.CV, Memory: m.Memory, Bytes: m.Bytes, Allocs: m.Allocs,
		Start: m.Start.Seconds(), Item: m.Item.Seconds(), Failed: m.Failed,
		Workers: plan.Slots, Batch: plan.Batch, Binding: plan.Binding, Limits: plan.Limits,
	}
	host := sampling.CurrentHost()
	name, _ := os.Hostname()
	p.Host = summary.Host{Cores: runtime.GOMAXPROCS(0), Memory: host.MemoryTotal, Name: name}
	return p
}

// functionPlan uses the engine's plan for a function that computes: the engine knows the cost of a goroutine, and
// when one is enough.
func (p *Profile) functionPlan(m Measured, total int) {
	sample := sampling.Sample{
		ItemNanos: float64(m.Wall), CV: m.CV,
		CPUShare: m.Share(), CPUKnown: true, AllocBytes: m.Bytes, AllocKnown: true,
	}
	if sample.Workload() != sampling.CPUBound {
		return
	}
	if total < 0 {
		total = unknownItems
	}
	plan := optimizer.New(sample, sampling.CurrentHost(), optimizer.Constraints{Items: max(total, m.Items)})
	p.Workers, p.Batch, p.engine = plan.Workers, plan.ChunkSize, plan.Candidates
	for _, l := range plan.Limits {
		if l.Binding {
			p.Binding = l.Name
		}
	}
	if plan.Mode == optimizer.Serial {
		p.Binding = plan.Reason
	}
}

// unknownItems is for how many items times are predicted if it is not known how many there are.
const unknownItems = 1000

// predict predicts the time for each number of workers.
func (p *Profile) predict(m Measured, total int) {
	n := total
	if n < 0 {
		n = unknownItems
	}
	plan := jobs.NewPlan(m.Cost, n, jobs.Caps{})
	serial := time.Duration(n) * m.Wall
	for _, w := range ladder(p.Workers, max(4*runtime.GOMAXPROCS(0), 4*p.Workers), n) {
		took := plan.With(w, n) - m.Elapsed
		if last := len(p.engine) - 1; last >= 0 { // more workers than cores are no faster
			took = time.Duration(float64(serial) / p.engine[min(w-1, last)].Speedup)
		}
		if m.Served > 0 {
			took = max(took, time.Duration(float64(n)/m.Served*float64(time.Second)))
		}
		p.Predicted = append(p.Predicted, Predicted{w, took.Seconds(), float64(serial) / float64(max(1, took))})
	}
}

// ladder is 1, 2, 4, … up to most, and the numbers that matter.
func ladder(matters, most, items int) []int {
	var list []int
	for w := 1; w <= min(most, items, 1024); w *= 2 {
		list = append(list, w)
	}
	if matters >= 1 && matters <= items {
		list = append(list, matters)
	}
	slices.Sort(list)
	return slices.Compact(list)
}
