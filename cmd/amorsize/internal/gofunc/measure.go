package gofunc

import (
	"context"
	"io"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
)

// Block are calls that were timed together.
type Block struct {
	Items int
	Wall  time.Duration
}

// Sample is the measured cost of calls one after the other.
type Sample struct {
	Items     int // calls; of a batch function, batches
	Wall, CPU time.Duration
	Bytes     float64 // allocated, a call
	Allocs    float64 // a call
	Blocks    []Block
	Failed    int
	First     error // a failure of the function
}

// Run says how to run a function to measure it.
type Run struct {
	Items   []items.Item
	Batch   int
	Workers int
	Budget  time.Duration
	Output  io.Writer // of the function; nil drops it
	Dir     string
}

func (r Run) env(mode string) []string {
	return []string{
		"AMORSIZE_MODE=" + mode, "AMORSIZE_BATCH=" + strconv.Itoa(max(1, r.Batch)),
		"AMORSIZE_WORKERS=" + strconv.Itoa(r.Workers), "AMORSIZE_BUDGET=" + r.Budget.String(),
	}
}

// measure starts the harness on the run's items, unless one would be changed on the way.
func (b *Binary) measure(ctx context.Context, run Run, env ...string) (*program, error) {
	lines := make([][]byte, len(run.Items))
	for i, it := range run.Items {
		line, err := it.Encoded()
		if err != nil {
			return nil, refuse("%v", err)
		}
		lines[i] = line
	}
	p, err := b.start(ctx, run.Output, run.Dir, env...)
	if err != nil {
		return nil, err
	}
	go writeLines(p.in, lines)
	return p, nil
}

// startUp is how long the program may take until its first call begins.
const startUp = 30 * time.Second

// hangs is how many times the budget a single call may take.
const hangs = 5

// Sample makes the calls one after the other until the budget is used up. For a call that never ends, it reports
// where it hangs.
func (b *Binary) Sample(ctx context.Context, run Run) (*Sample, error) {
	p, err := b.measure(ctx, run, run.env("sample")...)
	if err != nil {
		return nil, err
	}
	s := &Sample{}
	at, of := 1, 1
	var hung atomic.Bool
	watch := time.AfterFunc(hangs*run.Budget+startUp, func() { hung.Store(true); interrupt(p.cmd) })
	defer watch.Stop()
	ended, err := p.read(func(r *record) {
		watch.Reset(hangs * run.Budget)
		if r.Type == "start" {
			at, of = r.N, r.Items
		}
		s.add(r)
	})
	if err != nil {
		return nil, err
	}
	watch.Stop()
	err = p.end()
	switch {
	case ended:
		return s, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case hung.Load():
		return nil, refuse("item %d still running after %v; raise --budget or profile a smaller item\n%s", at, hangs*run.Budget, stack(p.errs.String()))
	}
	return nil, p.died(at, of, err)
}

// add adds what a record says of calls.
func (s *Sample) add(r *record) {
	switch r.Type {
	case "block":
		s.Blocks = append(s.Blocks, Block{r.Items, time.Duration(r.Wall)})
		s.Failed += r.Failed
		if s.First == nil {
			s.First = r.failure()
		}
	case "sample":
		n := max(1, float64(r.Items))
		s.Items, s.Wall, s.CPU = r.Items, time.Duration(r.Wall), time.Duration(r.CPU)
		s.Bytes, s.Allocs = r.Bytes/n, r.Allocs/n
	}
}

// stack returns the goroutine that hangs, from the dump of all: the first one in a function outside the runtime.
func stack(text string) string {
	for part := range strings.SplitSeq(text, "\n\n") {
		if strings.HasPrefix(part, "goroutine ") && strings.Contains(part, "amzGuard") {
			if at := strings.Index(part, "\nmain.amzGuard"); at > 0 {
				return part[:at]
			}
			lines := strings.Split(part, "\n")
			return strings.Join(lines[:min(len(lines), 7)], "\n")
		}
	}
	return ""
}

// Parallel is the throughput of a number of workers.
type Parallel struct {
	Items     int
	Wall, CPU time.Duration
	P95, Max  time.Duration
	Failed    int
	First     error
}

// Parallel makes the calls with run.Workers workers.
func (b *Binary) Parallel(ctx context.Context, run Run) (*Parallel, error) {
	p, err := b.measure(ctx, run, run.env("parallel")...)
	if err != nil {
		return nil, err
	}
	var result *Parallel
	ended, err := p.read(func(r *record) {
		if r.Type == "parallel" {
			result = &Parallel{
				Items: r.Items, Wall: time.Duration(r.Wall), CPU: time.Duration(r.CPU),
				P95: time.Duration(r.P95), Max: time.Duration(r.Max), Failed: r.Failed, First: r.failure(),
			}
		}
	})
	if err != nil {
		return nil, err
	}
	err = p.end()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if !ended || result == nil {
		return nil, p.died(1, len(run.Items), err)
	}
	return result, nil
}

// Race is the verdict of the race detector.
type Race struct {
	Found bool
	Text  string // "write at calc/calc.go:43", … if there was one
}

var raceAccess = regexp.MustCompile(`(?m)^(?:Previous )?((?i:read|write)) at 0x[0-9a-f]+ by .*:\n(?:  .*\n)*?  (\S.*)\n      (\S+:\d+)`)

// CheckRace makes calls with several workers in a harness built with the race detector.
func (b *Binary) CheckRace(ctx context.Context, run Run) (Race, error) {
	p, err := b.measure(ctx, run, append(run.env("race"), "GORACE=halt_on_error=0 exitcode=66")...)
	if err != nil {
		return Race{}, err
	}
	for {
		if _, err := p.next(); err != nil {
			break
		}
	}
	_ = p.end()
	text := p.errs.String()
	if !strings.Contains(text, "WARNING: DATA RACE") {
		return Race{}, ctx.Err()
	}
	verdict := Race{Found: true, Text: "a data race"}
	for _, m := range raceAccess.FindAllStringSubmatch(text, -1) {
		access := strings.ToLower(m[1])
		if strings.Contains(m[3], "zz_amorsize") {
			continue
		}
		dir, file := filepath.Split(m[3])
		verdict.Text = access + " at " + filepath.Join(filepath.Base(dir), file)
		if access == "write" { // more useful than a read
			break
		}
	}
	return verdict, nil
}
