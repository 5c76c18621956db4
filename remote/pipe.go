package remote

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/remote/internal/store"
)

// errGivenBack is a chunk whose worker was stopped before any item began, or that ended in the middle.
var errGivenBack = errors.New("remote: the worker is stopped")

// errEnough is a chunk that the worker does not need now.
var errEnough = errors.New("remote: the worker has enough items")

// limits are what a pipe must know of the cluster.
type limits struct {
	resultBytes int
	chunkTime   time.Duration
	shed        func(ctx context.Context, kept store.Chunk, pieces []store.Chunk) (bool, error)
}

// pipe is one stream that runs all chunks of a function in this process. So the number of calls in flight that it
// found is kept from one chunk to the next, and a chunk's last items do not leave workers idle.
type pipe interface {
	// work runs the items of a chunk and returns their outcomes.
	work(ctx context.Context, c store.Chunk) (store.Done, error)
	// give ends chunks in flight with the items that have begun; the others are for other workers.
	give()
	// close waits for the stream to end, once no chunk is in flight and the context of items has ended.
	close()
	// rate is how many items per second the function does here; 0 if that is not known yet.
	rate() float64
	// ended says that the stream has ended and runs nothing more.
	ended() bool
}

// flow is the pipe of a function.
type flow[T, R any] struct {
	fn     *Func[T, R]
	limits limits
	chunks chan *load[T, R]
	giving chan struct{} // closed by give
	over   chan struct{} // closed when the stream has ended
	pace   pace

	entering atomic.Int64 // chunks that wait for their turn

	lock  sync.Mutex
	loads []*load[T, R] // loads that have begun and have items in flight, by their first item in the stream
	next  int           // the index in the stream of the next item
	err   error         // the error that ended the stream
	given bool
}

func (f *Func[T, R]) open(ctx context.Context, limits limits) pipe {
	if f.batch != nil {
		return &batches[T, R]{fn: f, ctx: ctx, limits: limits, turn: make(chan struct{}, 1), giving: make(chan struct{})}
	}
	p := &flow[T, R]{fn: f, limits: limits, chunks: make(chan *load[T, R]), giving: make(chan struct{}), over: make(chan struct{})}
	go p.run(ctx)
	return p
}

// run is the stream, from the start of the worker until it has stopped.
func (p *flow[T, R]) run(ctx context.Context) {
	defer close(p.over)
	items := func(yield func(T) bool) { p.feed(ctx, yield) }
	for r := range amorsize.Stream(ctx, p.fn.guarded, items, p.fn.options()...) {
		if r.Index < 0 {
			p.lock.Lock()
			p.err = r.Err
			p.lock.Unlock()
			continue
		}
		if l := p.of(r.Index); l.ended(&r, ctx.Err() != nil) {
			p.forget(l)
		}
	}
}

// feed yields the items of one chunk after the other. It must end when ctx ends: the stream waits for it.
func (p *flow[T, R]) feed(ctx context.Context, yield func(T) bool) {
	for {
		l := p.wait(ctx)
		if l == nil {
			return
		}
		p.lock.Lock()
		l.base = p.next
		p.loads = append(p.loads, l)
		p.lock.Unlock()
		p.pace.begin()
		for {
			item, more := l.take()
			if !more {
				break
			}
			if !yield(item) {
				l.spoil()
				return
			}
		}
		if l.complete() { // complete before its last item was handed over, or without items
			p.forget(l)
		}
		p.lock.Lock()
		p.next = l.base + l.fed // nobody else writes it
		p.lock.Unlock()
	}
}

// wait returns the next chunk, nil if there will be none.
func (p *flow[T, R]) wait(ctx context.Context) *load[T, R] {
	select {
	case l := <-p.chunks:
		return l
	case <-ctx.Done():
		return nil
	}
}

// of finds the chunk of an item of the stream.
func (p *flow[T, R]) of(index int) *load[T, R] {
	p.lock.Lock()
	defer p.lock.Unlock()
	at, _ := slices.BinarySearchFunc(p.loads, index, func(l *load[T, R], index int) int {
		if l.base <= index {
			return -1
		}
		return 1
	})
	return p.loads[at-1]
}

// forget is called when a chunk has no item in flight and will have none. Until then its items must be found.
func (p *flow[T, R]) forget(l *load[T, R]) {
	p.lock.Lock()
	defer p.lock.Unlock()
	if at := slices.Index(p.loads, l); at >= 0 {
		p.loads = slices.Delete(p.loads, at, at+1)
		p.pace.end(l.count())
	}
}

func (p *flow[T, R]) ended() bool {
	select {
	case <-p.over:
		return true
	default:
		return false
	}
}

func (p *flow[T, R]) rate() float64 { return p.pace.rate() }

func (p *flow[T, R]) give() {
	p.lock.Lock()
	defer p.lock.Unlock()
	if !p.given {
		p.given = true
		close(p.giving)
	}
}

func (p *flow[T, R]) close() { <-p.over }

// work decodes, runs the items in the stream, and encodes. Decoding and encoding happen in the goroutine of the
// chunk, so that many chunks share the cores.
func (p *flow[T, R]) work(ctx context.Context, c store.Chunk) (store.Done, error) {
	l, err := newLoad(p.fn, c)
	if err != nil {
		return store.Done{}, err
	}
	if err := p.enter(ctx, l); err != nil {
		return store.Done{}, err
	}
	if err := p.await(ctx, l); err != nil {
		return store.Done{}, err
	}
	done := l.packed(p.fn, p.limits.resultBytes)
	if rate := p.pace.news(); rate > 0 {
		done.Rate, done.Function = rate, p.fn.id
	}
	return done, nil
}

// broken is why the stream has ended, which it should not do while there are chunks.
func (p *flow[T, R]) broken() error {
	p.lock.Lock()
	defer p.lock.Unlock()
	var canceled *amorsize.CanceledError
	if p.err == nil || errors.As(p.err, &canceled) {
		return errGivenBack
	}
	return p.err
}
