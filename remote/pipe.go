package remote

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/remote/internal/frame"
	"github.com/amorsize/amorsize/remote/internal/store"
)

// errGivenBack is a chunk whose worker is stopped before an item of it was begun, or that ended in the middle.
var errGivenBack = errors.New("remote: the worker is stopped")

// errEnough is a chunk that the worker has no use for now.
var errEnough = errors.New("remote: the worker has enough to do")

// limits are what a pipe must know of the cluster.
type limits struct {
	resultBytes int
	chunkTime   time.Duration
	shed        func(ctx context.Context, kept store.Chunk, pieces []store.Chunk) (bool, error)
}

// pipe is one stream that runs all chunks of a function which this process has: so what it has learned of how many
// calls the service rewards is kept from one chunk to the next, and a chunk's last items do not leave workers idle.
type pipe interface {
	// work runs the items of a chunk and says what became of them.
	work(ctx context.Context, c store.Chunk) (store.Done, error)
	// give has chunks under way end with the items that were begun; the others are for other workers.
	give()
	// close waits for the stream to end, once no chunk is under way and the context of items has ended.
	close()
	// rate is how many items per second the function does here; 0 if that is not known yet.
	rate() float64
	// ended says that the stream has: it runs nothing any more.
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
	loads []*load[T, R] // that have begun and have items under way, by their first item in the stream
	next  int           // the index in the stream of the next item
	err   error         // what the stream ended with
	given bool
}

func (f *Func[T, R]) open(ctx context.Context, limits limits) pipe {
	p := &flow[T, R]{fn: f, limits: limits, chunks: make(chan *load[T, R]), giving: make(chan struct{}), over: make(chan struct{})}
	go p.run(ctx)
	return p
}

// run is the stream, from when the worker starts until it has stopped.
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
		if l := p.of(r.Index); l.ended(r, ctx.Err() != nil) {
			p.forget(l)
		}
	}
}

// feed yields the items of one chunk after the other. When ctx ends so must it: the stream waits for it.
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
		if l.complete() { // before its last item was handed over, or it had none
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

// forget is called when a chunk has no item under way and will have none. Until then its items must be found.
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

// work decodes, has the stream run the items, and encodes: the two in the goroutine of the chunk, so that many
// chunks share the cores.
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

// patience is how long a chunk may take, in what it should take, until what was not begun of it goes to others.
const patience = 4

// reserve is how many chunks wait in any case, so that one is there when the stream wants one.
const reserve = 2

// goneFor is how long a chunk is away, about, that was given back, until it is fetched again.
const goneFor = 1500 * time.Millisecond

// wanted is how many chunks should wait: what is run before one comes back that was given away.
func (p *flow[T, R]) wanted(items int) int64 {
	return reserve + int64(p.pace.rate()*goneFor.Seconds())/int64(max(items, 1))
}

// enter hands a chunk to the stream. If the stream has enough to do, others may have it.
func (p *flow[T, R]) enter(ctx context.Context, l *load[T, R]) error {
	late := time.NewTicker(patience * p.limits.chunkTime)
	defer late.Stop()
	p.entering.Add(1)
	defer p.entering.Add(-1)
	for {
		select {
		case p.chunks <- l:
			return nil
		case <-late.C:
			if p.entering.Load() > p.wanted(len(l.items)) {
				return errEnough
			}
		case <-p.giving:
			return errGivenBack
		case <-p.over:
			return p.broken()
		case <-ctx.Done():
			return errGivenBack
		}
	}
}

// await waits for a chunk. One that takes long, or whose worker is stopped, keeps the items that were begun, and
// the others go to other workers: so it does not matter much if a chunk is too large.
func (p *flow[T, R]) await(ctx context.Context, l *load[T, R]) error {
	late := time.NewTimer(patience * p.limits.chunkTime)
	defer late.Stop()
	giving := p.giving
	for {
		select {
		case <-l.done:
			if l.spoiled() {
				return errGivenBack
			}
			return nil
		case <-p.over:
			if l.complete() {
				continue
			}
			return p.broken()
		case <-giving:
			giving = nil
			if l.untouched() {
				return errGivenBack
			}
		case <-late.C:
			late.Reset(patience * p.limits.chunkTime)
		}
		if err := p.shed(ctx, l); err != nil {
			return err
		}
	}
}

// shed gives away what was not begun of a chunk.
func (p *flow[T, R]) shed(ctx context.Context, l *load[T, R]) error {
	rest, from := l.cut()
	if len(rest) == 0 {
		return nil
	}
	kept := l.chunk
	kept.Count, kept.Items = from, pack(l.items[:from])
	// if it is somebody else's by now, the result will be refused
	_, err := p.limits.shed(ctx, kept, pieces(l.chunk, rest, from, p.pace.rate()*p.limits.chunkTime.Seconds()))
	return err
}

// pieces are chunks of what is given away: of so many items each, or a hundredth if that is more.
func pieces(c store.Chunk, rest [][]byte, from int, size float64) []store.Chunk {
	const most = 100
	each := max(int(size), (len(rest)+most-1)/most, 1)
	var chunks []store.Chunk
	for len(rest) > 0 {
		n := min(each, len(rest))
		chunks = append(chunks, store.Chunk{
			Key:   store.Key{Run: c.Run, Round: c.Round, Start: c.Start + int64(from)},
			Count: n, Items: pack(rest[:n]), Alone: c.Alone,
		})
		if last := &chunks[len(chunks)-1]; c.Round > 0 {
			last.Start, _, _ = store.Unindexed(rest[0]) // it was read when the chunk was
		}
		rest, from = rest[n:], from+n
	}
	return chunks
}

func pack(items [][]byte) []byte {
	var packed []byte
	for _, item := range items {
		packed = frame.Append(packed, item)
	}
	return packed
}

// broken is why the stream has ended, which it should not while there are chunks.
func (p *flow[T, R]) broken() error {
	p.lock.Lock()
	defer p.lock.Unlock()
	var canceled *amorsize.CanceledError
	if p.err == nil || errors.As(p.err, &canceled) {
		return errGivenBack
	}
	return p.err
}
