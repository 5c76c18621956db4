package live

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"

	"github.com/amorsize/amorsize"
)

// The defaults of [Options].
const (
	DefaultMaxRuns    = 1000
	DefaultMaxViewers = 64
)

// ErrInvalid matches errors about [Options].
var ErrInvalid = errors.New("live: invalid")

// Options are the settings of a [Page]. The zero value is ready.
type Options struct {
	// Title is the title of the page; "amorsize" if it is empty.
	Title string
	// MaxRuns is how many ended runs are kept, at least 1; 0 is [DefaultMaxRuns]. The oldest are
	// dropped.
	MaxRuns int
	// MaxViewers is how many viewers there may be at once, at least 1; 0 is [DefaultMaxViewers].
	// Further ones get a 503.
	MaxViewers int
	// Errors shows the error that a run has ended with. The errors of a function may contain
	// items.
	Errors bool
}

// Page shows runs. It is safe for concurrent use, has no goroutine of its own, and must not be
// copied.
type Page struct {
	opts   Options
	closed chan struct{}

	mu      sync.Mutex
	runs    []*run // in the order in which they began
	next    int    // the number of the next one
	dropped int    // runs that are no longer kept
	viewers int
	over    bool
}

// New returns a page without runs, or an error that matches [ErrInvalid].
func New(o Options) (*Page, error) {
	switch {
	case o.MaxRuns < 0:
		return nil, fmt.Errorf("%w: MaxRuns = %d: must be at least 1, or 0 for the default", ErrInvalid, o.MaxRuns)
	case o.MaxViewers < 0:
		return nil, fmt.Errorf("%w: MaxViewers = %d: must be at least 1, or 0 for the default", ErrInvalid, o.MaxViewers)
	}
	if o.Title == "" {
		o.Title = "amorsize"
	}
	if o.MaxRuns == 0 {
		o.MaxRuns = DefaultMaxRuns
	}
	if o.MaxViewers == 0 {
		o.MaxViewers = DefaultMaxViewers
	}
	return &Page{opts: o, closed: make(chan struct{})}, nil
}

// Handler returns a page of all runs of the process that begin from now on. Call it once: each
// page keeps its own runs, as long as the process lives. Mount it at a path that ends with a
// slash.
func Handler() http.Handler {
	p, _ := New(Options{}) // valid
	amorsize.Watch(p.Observer)
	return p
}

// Observer returns an observer for one run, by which the page shows it:
// amorsize.WithObserver(page.Observer(amorsize.RunInfo{Name: "crawl", Started: time.Now()})), or
// for all runs amorsize.Watch(page.Observer).
func (p *Page) Observer(info amorsize.RunInfo) amorsize.Observer {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next++
	r := newRun(p.next, info, p.opts.Errors)
	p.runs = append(p.runs, r)
	p.forget()
	return r
}

// forget drops runs that have ended, if there are too many. mu is held.
func (p *Page) forget() {
	if len(p.runs) <= p.opts.MaxRuns+16 { // several at a time, since each pass looks at all runs
		return
	}
	ended := 0
	for _, r := range p.runs {
		if r.ended() {
			ended++
		}
	}
	p.runs = slices.DeleteFunc(p.runs, func(r *run) bool {
		if ended <= p.opts.MaxRuns || !r.ended() {
			return false
		}
		ended--
		p.dropped++
		return true
	})
}

// Close ends the streams of all viewers, so that a server can shut down. They see no further
// updates.
func (p *Page) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.over {
		p.over = true
		close(p.closed)
	}
}

// list returns the runs, and how many were dropped before.
func (p *Page) list() (runs []*run, dropped int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.runs), p.dropped
}

// find returns the run with a number, nil if there is none.
func (p *Page) find(id int) *run {
	p.mu.Lock()
	defer p.mu.Unlock()
	at, ok := slices.BinarySearchFunc(p.runs, id, func(r *run, id int) int { return r.id - id })
	if !ok {
		return nil
	}
	return p.runs[at]
}

// enter admits a viewer, if there is room.
func (p *Page) enter() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.viewers >= p.opts.MaxViewers || p.over {
		return false
	}
	p.viewers++
	return true
}

func (p *Page) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.viewers--
}
