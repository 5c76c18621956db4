package executor

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/executor/internal/sizing"
	"github.com/amorsize/amorsize/executor/internal/source"
)

// channel is a source of items that come over a channel: a new one in one file. It shows
// what a source has to do, and nothing else in the engine knows of it.
type channel struct {
	items <-chan source.Span
	done  <-chan struct{} // of the run

	mu       sync.Mutex
	returned []source.Span
	seen     atomic.Int64
	idle     atomic.Int64
	ended    atomic.Bool
}

func (c *channel) Take(int, int) (s source.Span, waited, ok bool) {
	c.mu.Lock()
	if n := len(c.returned); n > 0 {
		s, c.returned = c.returned[n-1], c.returned[:n-1]
		c.mu.Unlock()
		return s, false, true
	}
	c.mu.Unlock()
	c.idle.Add(1)
	defer c.idle.Add(-1)
	select {
	case s, ok = <-c.items:
		if ok {
			c.seen.Add(int64(s.Len()))
		} else {
			c.ended.Store(true)
		}
	case <-c.done:
	}
	return s, true, ok
}

func (c *channel) Return(s source.Span) {
	if s.Len() == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.returned = append(c.returned, s)
}

func (c *channel) Left() int {
	if !c.ended.Load() {
		return source.Many
	}
	left := 0
	for _, s := range c.Rest() {
		left += s.Len()
	}
	return left
}

func (c *channel) Demand() (idle, there int) { return int(c.idle.Load()), len(c.items) }
func (c *channel) Seen() int                 { return int(c.seen.Load()) }
func (c *channel) Stop()                     {}

func (c *channel) Rest() []source.Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]source.Span(nil), c.returned...)
}

func TestAnotherSource(t *testing.T) {
	const n = 300
	for _, cfg := range []Config{{}, {Workers: 3}, {MaxWorkers: 1}, {Errors: Collect}} {
		synctest.Test(t, func(t *testing.T) {
			c := &calls[int, int]{items: make([]int, n), out: make([]int, n)}
			var ran [n]atomic.Int32
			for i := range n {
				c.items[i] = i
			}
			c.fn.Plain = func(i int) (int, error) {
				ran[i].Add(1)
				time.Sleep(time.Millisecond)
				return i + 1, nil
			}
			items := make(chan source.Span)
			go func() {
				for i := 0; i < n; i += 3 {
					items <- source.Span{Lo: i, Hi: i + 3}
				}
				close(items)
			}()
			r := wired(cfg, n)
			r.caller, r.runner = &worker{runner: c}, c
			r.planner.plan.Workers, r.planner.plan.MaxWorkers = 4, 16
			r.scheduler.sizer = sizing.Fixed(3)
			r.of(&channel{items: items, done: r.ctx.Done()})
			require.NoError(t, r.run(func() {}))
			for i := range n {
				require.EqualValues(t, 1, ran[i].Load(), "item %d", i)
				require.Equal(t, i+1, c.out[i])
			}
			require.Equal(t, n, r.source.Seen())
		})
	}
}
