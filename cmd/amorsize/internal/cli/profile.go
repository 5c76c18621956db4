package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/gofunc"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/history"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
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
				return &exitError{code: exitFailed}
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
		return nil, usage(err)
	}
	if len(list) == 0 {
		return nil, usagef("no items to measure with: give some with --range, ::: or on standard input")
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
	p := newProfileOf(m, total, fileSlots())
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

// The trials of a number of workers, each with a few items for every worker.
const (
	trials       = 3
	trialPerEach = 4
)

// verify tries the recommended number of workers, if the work waits: alone, an item
// costs the cores more than in company, since waking up is shared; and whatever is
// waited for may have room for fewer.
func (p *profile) verify(ctx context.Context, sub subject, list []items.Item, m *measured, total int) error {
	if m.Class() == sampling.CPUBound {
		return nil
	}
	cores := runtime.GOMAXPROCS(0)
	for range trials {
		workers := min(p.Workers, len(list))
		if workers < 2 {
			return nil
		}
		r, err := sub.at(ctx, list[:min(len(list), trialPerEach*workers)], workers)
		if err != nil {
			return err
		}
		achieved := float64(r.Items) / r.Wall.Seconds()
		busy := r.CPU.Seconds() / r.Wall.Seconds() / float64(cores)
		rounds := math.Ceil(float64(r.Items) / float64(workers))
		expected := float64(r.Items) / (rounds * m.Wall.Seconds())
		if achieved < 0.7*expected && busy < 0.7 { // Little's law, and a quarter to spare
			p.Workers, p.Binding = max(1, int(math.Ceil(1.25*achieved*m.Wall.Seconds()))), "what is waited for"
			p.Limits = append(p.Limits, jobs.Limit{Name: p.Binding, Slots: p.Workers})
			m.Served = achieved
			return nil
		}
		before := m.CPU
		m.CPU = min(m.CPU, r.CPU/time.Duration(r.Items))
		plan := jobs.NewPlan(m.Cost, total, jobs.Caps{Files: fileSlots()})
		p.CPU, p.Class, p.Workers, p.Binding, p.Limits = m.CPU.Seconds(), m.Class().String(), plan.Slots, plan.Binding, plan.Limits
		if float64(m.CPU) > 0.8*float64(before) || p.Workers <= workers {
			return nil
		}
	}
	return nil
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

// The race detector is shown so many items, and is given that much more time than
// the budget: it slows everything down.
const (
	raceItems = 200
	raceTime  = 20 * time.Second
)

// raceCheck asks the race detector.
func (f *measureFlags) raceCheck(ctx context.Context, sub subject, fn *gofunc.Function, list []items.Item) *race {
	function, ok := sub.(*functionSubject)
	if !ok {
		return nil
	}
	target := fn.Target()
	loaded, err := gofunc.Load(ctx, target, gofunc.Options{Tags: f.golang.tags, Race: true})
	if err != nil {
		return &race{Why: err.Error()}
	}
	raced, err := loaded.Function(function.batch > 1)
	if err != nil {
		return &race{Why: err.Error()}
	}
	binary, err := raced.Build(ctx)
	if err != nil {
		return &race{Why: "it can't be built with -race: " + firstLine(err.Error())}
	}
	defer binary.Close()
	limited, cancel := context.WithTimeout(ctx, 5*f.budget+raceTime)
	defer cancel()
	run := function.run(list[:min(len(list), raceItems)])
	run.Workers = 4
	verdict, err := binary.CheckRace(limited, run)
	if err != nil {
		return &race{Why: "it took too long"}
	}
	return &race{Found: verdict.Found, Text: verdict.Text}
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return line
}

// text is the profile for a person.
func (p *profile) text(s *session, head *heading, m measured) string {
	var b strings.Builder
	b.WriteString(s.term.Paint("1", head.what) + "\n")
	notes := head.lines
	switch {
	case p.Race == nil:
	case p.Race.Found:
		notes = append(notes, s.term.Paint("31", "not safe for concurrent calls: "+p.Race.Text))
	case p.Race.Why != "":
		notes = append(notes, "no race check: "+p.Race.Why)
	default:
		notes = append(notes, "race check: clean")
	}
	if len(notes) > 0 {
		b.WriteString("  " + strings.Join(notes, " · ") + "\n")
	}
	fmt.Fprintf(&b, "  item %s ± %.0f %%  CPU %s  waiting %.0f %%", jobs.Short(m.Wall), 100*m.CV, jobs.Short(m.CPU), 100*(1-m.Share()))
	if head.fn != nil {
		fmt.Fprintf(&b, "  %.0f allocs %s", m.Allocs, jobs.Bytes(int64(m.Bytes)))
	} else {
		fmt.Fprintf(&b, "  memory %s", jobs.Bytes(m.Memory))
	}
	fmt.Fprintf(&b, "  (%s sampled)\n", jobs.Count(m.Items))
	fmt.Fprintf(&b, "  class: %s\n", p.Class)
	if m.Failed > 0 {
		fmt.Fprintf(&b, "  %d of them failed, first: %v\n", m.Failed, m.First)
	}
	b.WriteString(s.term.Explain(jobs.Plan{Cost: m.Cost, Limits: p.Limits, Binding: p.Binding}) + "\n")
	b.WriteString("\n  workers   expected   speedup\n")
	for _, c := range p.Predicted {
		mark := " "
		if c.Workers == p.Workers {
			mark = ">"
		}
		fmt.Fprintf(&b, "%s %7d %10s %9.2f\n", mark, c.Workers, short(c.Wall), c.Speedup)
	}
	b.WriteString(p.advice(head, m))
	return b.String()
}

// advice is the recommendation, and how to write it.
func (p *profile) advice(head *heading, m measured) string {
	var b strings.Builder
	workers := "1 worker"
	if p.Workers > 1 {
		workers = fmt.Sprintf("%d workers", p.Workers)
	}
	fmt.Fprintf(&b, "\n  recommend: %s (%s)", workers, p.Binding)
	for _, c := range p.Predicted {
		if c.Workers == p.Workers && c.Workers > 1 {
			fmt.Fprintf(&b, " -> about %.1f× as fast as one", c.Speedup)
		}
	}
	b.WriteString("\n")
	if head.fn == nil {
		size := ""
		if m.Start > 0 && m.Start > 10*m.Item {
			size = " --batch auto"
		}
		fmt.Fprintf(&b, "  run:       amorsize run%s -- %s   (finds it by itself; -j %d fixes it)\n", size, shellLine(head.argv), p.Workers)
		return b.String()
	}
	call := "amorsize.ExecuteContext(ctx, " + p.functionCode(head) + ", items"
	switch {
	case head.fn.Batch:
		call = "amorsize.ExecuteBatches(ctx, " + p.functionCode(head) + ", items"
	case p.Workers == 1:
		call += ", amorsize.WithWorkers(1)"
	}
	fmt.Fprintf(&b, "  in code:   results, err := %s)\n", call)
	return b.String()
}

// functionCode is the function as an argument of ExecuteContext: with the wrap
// that its shape needs.
func (p *profile) functionCode(head *heading) string {
	fn, code := head.fn, head.code
	if code == "" {
		code = "fn"
	}
	if fn.Context && fn.Result && fn.Fails {
		return code
	}
	arg := "item"
	if fn.Context {
		arg = "ctx, item"
	}
	list := "T"
	if fn.Batch {
		list = "[]T"
	}
	result := "R"
	body := fmt.Sprintf("return %s(%s), nil", code, arg)
	switch {
	case fn.Result && fn.Fails:
		body = fmt.Sprintf("return %s(%s)", code, arg)
	case fn.Fails:
		result, body = "struct{}", fmt.Sprintf("return struct{}{}, %s(%s)", code, arg)
	case !fn.Result:
		result, body = "struct{}", fmt.Sprintf("%s(%s); return struct{}{}, nil", code, arg)
	}
	if fn.Batch {
		result = "[]" + result
	}
	return fmt.Sprintf("func(ctx context.Context, item %s) (%s, error) { %s }", list, result, body)
}
