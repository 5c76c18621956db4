package cli

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/history"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/process"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/summary"
	"github.com/amorsize/amorsize/optimizer"
	"github.com/amorsize/amorsize/sampling"
)

func sqrt(x float64) float64 { return math.Sqrt(x) }

// profile is what a sample says, and what follows from it.
type profile struct {
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
	Predicted []predicted  `json:"predicted"`
	Race      *race        `json:"race,omitempty"`
	Host      summary.Host `json:"host"`
}

// predicted is what so many workers should take.
type predicted struct {
	Workers int     `json:"workers"`
	Wall    float64 `json:"wall_s"`
	Speedup float64 `json:"speedup"`
}

// race is what the race detector says.
type race struct {
	Found bool   `json:"found"`
	Text  string `json:"text,omitempty"`
	Why   string `json:"why,omitempty"` // there is no verdict
}

func newProfile() *cobra.Command {
	var f measureFlags
	c := &cobra.Command{
		Use:     "profile [flags] PKG.Func | -- command [argument]...",
		Aliases: []string{"optimize"},
		Short:   "Sample items: what one costs, and what more workers would give",
		Long: `Run some of the items one after the other, and tell what one costs, whether it
computes or waits, what each number of workers would give and what binds it, and
the code or the command line to use. Results are dropped.

For a Go function the race detector says whether it may be called concurrently.` + goHelp,
		Example: `  amorsize profile ./calc.Square --range 1000
  amorsize profile -a urls -- curl -sf {}`,
		RunE: func(c *cobra.Command, args []string) error {
			p, err := measureProfile(c, &f, args)
			if err != nil {
				return err
			}
			if p.Race != nil && p.Race.Found {
				return exit.With(exit.Failed, nil)
			}
			return nil
		},
	}
	g := newGroup("Go function, further")
	g.set.BoolVar(&f.race, "race", true, "ask the race detector whether calls may run at the same time")
	f.bind(c, 2*time.Second, g)
	return c
}

// measureProfile makes a profile, shows it and keeps it.
func measureProfile(c *cobra.Command, f *measureFlags, args []string) (*profile, error) {
	s, sub, head, err := f.open(c, args)
	if err != nil {
		return nil, err
	}
	defer sub.close()
	defer func() { _ = s.input.Close() }()
	ctx, stop := s.interruptible()
	defer stop()
	list, err := s.measurable()
	if err != nil {
		return nil, err
	}
	p, m, err := f.profile(ctx, s, sub, head, list)
	if err = s.interrupted(err); err != nil {
		return nil, err
	}
	if f.json {
		raw, err := json.Marshal(p)
		if err != nil {
			return nil, err
		}
		if err := s.term.Text(append(raw, '\n'), false); err != nil {
			return nil, err
		}
	} else if err := s.term.Text([]byte(p.text(s, head, m)), false); err != nil {
		return nil, err
	}
	return p, keepHistory(s, "profile", head.what, p)
}

// keepHistory keeps what was measured; that there is no place for it is no failure.
func keepHistory(s *session, cmd, what string, data any) error {
	if err := history.Save(cmd, what, data); err != nil {
		s.term.Say("amorsize: not kept: " + err.Error())
	}
	return nil
}

// mostMeasured is how many items are held to be measured.
const mostMeasured = 100_000

// measurable reads the items.
func (s *session) measurable() ([]items.Item, error) {
	list := jobs.Collect(s.input.All(), mostMeasured)
	if err := s.input.Err(); err != nil {
		return nil, exit.Usage(err)
	}
	if len(list) == 0 {
		return nil, exit.Usagef("no items to measure with: give some with --range, ::: or on standard input")
	}
	return list, nil
}

func (f *measureFlags) profile(ctx context.Context, s *session, sub subject, head *heading, list []items.Item) (*profile, measured, error) {
	m, err := sub.sample(ctx, list, f.budget)
	if err != nil {
		return nil, m, err
	}
	total := s.input.Total()
	if total < 0 && len(list) < mostMeasured {
		total = len(list)
	}
	p := newProfileOf(m, total, process.FileSlots())
	p.Target = head.what
	if head.fn != nil {
		p.Target, p.Type, p.Place = head.fn.Name, head.fn.Type, head.fn.Place
		p.functionPlan(m, total)
		if f.race {
			p.Race = f.raceCheck(ctx, sub, head.fn, list)
			if p.Race.Found {
				p.Workers, p.Binding = 1, "not safe for concurrent calls"
			}
		}
	}
	if p.Race == nil || !p.Race.Found {
		if err := p.verify(ctx, sub, list, &m, total); err != nil {
			return nil, m, err
		}
	}
	p.predict(m, total)
	return p, m, nil
}

func newProfileOf(m measured, total, files int) *profile {
	plan := jobs.NewPlan(m.Cost, total, jobs.Caps{Files: files})
	p := &profile{
		V: summary.Version, Cmd: "profile", Class: m.Class().String(), Items: total, Sampled: m.Items,
		Wall: m.Wall.Seconds(), CPU: m.CPU.Seconds(), CV: m.CV, Memory: m.Memory, Bytes: m.Bytes, Allocs: m.Allocs,
		Start: m.Start.Seconds(), Item: m.Item.Seconds(), Failed: m.Failed,
		Workers: plan.Slots, Batch: max(1, plan.Batch), Binding: plan.Binding, Limits: plan.Limits,
	}
	host := sampling.CurrentHost()
	name, _ := os.Hostname()
	p.Host = summary.Host{Cores: runtime.GOMAXPROCS(0), Memory: host.MemoryTotal, Name: name}
	if m.Start > 0 {
		p.Batch = 1
	}
	return p
}

// functionPlan takes the engine's plan for a function that computes: it knows what
// a goroutine costs, and when one is enough.
func (p *profile) functionPlan(m measured, total int) {
	sample := sampling.Sample{
		ItemNanos: float64(m.Wall), CV: m.CV,
		CPUShare: m.Share(), CPUKnown: true, AllocBytes: m.Bytes, AllocKnown: true,
	}
	if sample.Workload() != sampling.CPUBound {
		return
	}
	plan := optimizer.New(sample, sampling.CurrentHost(), optimizer.Constraints{Items: max(total, m.Items)})
	p.Workers, p.Batch = plan.Workers, plan.ChunkSize
	for _, l := range plan.Limits {
		if l.Binding {
			p.Binding = l.Name
		}
	}
	if plan.Mode == optimizer.Serial {
		p.Binding = plan.Reason
	}
}

// predict tells what each number of workers would take.
func (p *profile) predict(m measured, total int) {
	n := total
	if n < 0 {
		n = 1000
	}
	plan := jobs.NewPlan(m.Cost, n, jobs.Caps{})
	serial := time.Duration(n) * m.Wall
	for _, w := range ladder(p.Workers, max(4*runtime.GOMAXPROCS(0), 4*p.Workers), n) {
		took := plan.With(w, n) - m.Elapsed
		if m.Served > 0 {
			took = max(took, time.Duration(float64(n)/m.Served*float64(time.Second)))
		}
		p.Predicted = append(p.Predicted, predicted{w, took.Seconds(), float64(serial) / float64(max(1, took))})
	}
}

// ladder is 1, 2, 4, … up to most, with the numbers that matter among them.
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
