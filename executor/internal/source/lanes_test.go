package source

import (
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/internal/clock"
)

// pacedLines are lines of which each lets an item pass every so often: item i is of line
// i % lines, but for those below plain, which are of none.
type pacedLines struct {
	lines, plain int
	every        time.Duration

	mu   sync.Mutex
	next map[uint64]time.Duration // when the next item of the line may pass
}

func (p *pacedLines) Of(i int) (uint64, bool) { return uint64(i % p.lines), i >= p.plain }

func (p *pacedLines) Wait(i int) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if next, known := p.next[uint64(i%p.lines)]; known {
		return max(0, next-clock.Now())
	}
	return 0
}

// pass is what a policy does with a call. It reports how long it held it back.
func (p *pacedLines) pass(i int) (held time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := clock.Now()
	line := uint64(i % p.lines)
	if next, known := p.next[line]; known {
		held = max(0, next-now)
	}
	if p.next == nil {
		p.next = map[uint64]time.Duration{}
	}
	p.next[line] = now + held + p.every
	return held
}

// Whatever workers do, each item is claimed until it has been run once, and what their
// lines hold back takes no worker.
func TestLanesModel(t *testing.T) {
	for seed := range uint64(40) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1))
			total, workers := 1+random.IntN(300), 1+random.IntN(8)
			lines := &pacedLines{lines: 1 + random.IntN(12), plain: random.IntN(10), every: time.Duration(random.IntN(20)) * time.Millisecond}
			var from feed = NewSlice(0, total)
			var arrivals *Arrivals
			if random.IntN(2) == 0 {
				arrivals = NewArrivals(total, false)
				from = arrivals
			}
			l := NewLanes(from, lines)
			ran := make([]atomic.Int32, total)
			var group sync.WaitGroup
			for w := range workers {
				own := rand.New(rand.NewPCG(seed, uint64(w+2)))
				group.Go(func() {
					for {
						s, _, ok := l.Take(100, workers)
						if !ok {
							return
						}
						if own.IntN(10) == 0 {
							l.Return(s)
							continue
						}
						if s.Lo >= lines.plain {
							require.Zero(t, lines.pass(s.Lo), "it was held back")
						}
						if own.IntN(4) > 0 { // else its call ends without it
							l.Passed(s.Lo)
						}
						time.Sleep(time.Duration(own.IntN(5)) * time.Millisecond)
						ran[s.Lo].Add(1)
						l.Done(s.Lo)
					}
				})
			}
			if arrivals != nil {
				for n := 1; n <= total; n++ {
					arrivals.Arrive(n)
					if random.IntN(5) == 0 {
						time.Sleep(time.Millisecond)
					}
				}
				arrivals.End()
			}
			group.Wait()
			for i := range ran { // what a worker hands back when all others have gone is the caller's to see to
				if ran[i].Load() == 0 {
					require.NotZero(t, l.Left())
				} else {
					require.EqualValues(t, 1, ran[i].Load())
				}
			}
			require.Empty(t, l.taken)
			idle, _ := l.Demand()
			require.Zero(t, idle)
			require.Equal(t, total, l.Seen())
			if l.Left() == 0 {
				require.Empty(t, l.lanes)
				require.Empty(t, l.due)
			}
		})
	}
}

// Lines go one after the other, as they are due; what is left is told.
func TestLanesInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lines := &pacedLines{lines: 2, every: time.Second}
		l := NewLanes(NewSlice(0, 6), lines)
		take := func(want int, after time.Duration) {
			t.Helper()
			began := time.Now()
			s, waited, ok := l.Take(9, 1)
			require.True(t, ok)
			require.Equal(t, Span{want, want + 1}, s)
			require.Equal(t, after, time.Since(began))
			require.Equal(t, after > 0, waited)
			lines.pass(want)
			l.Passed(want)
			l.Done(want)
		}
		take(0, 0)
		take(1, 0)
		require.Zero(t, Parked(l))
		take(2, time.Second)
		take(3, 0)
		require.Equal(t, 2, l.Left())
		take(4, time.Second)
		require.Equal(t, 1, Parked(l))
		_, there := l.Demand()
		require.Equal(t, 1, there)
		require.Equal(t, []Span{{5, 6}}, l.Rest())
		require.Zero(t, Parked(l))
		require.Equal(t, 1, l.Left())
		require.Zero(t, Parked(NewSlice(0, 1)))
	})
}

// While an item of a line is on its way, no other of it is asked about; if it is handed back,
// it goes later.
func TestLanesOneOnItsWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLanes(NewSlice(0, 2), &pacedLines{lines: 1})
		s, _, _ := l.Take(1, 1)
		took := make(chan Span)
		go func() {
			second, _, _ := l.Take(1, 1)
			took <- second
		}()
		synctest.Wait()
		idle, there := l.Demand()
		require.Equal(t, []int{1, 0}, []int{idle, there})
		l.Return(s)
		require.Equal(t, Span{1, 2}, <-took)
		l.Passed(1)
		s, _, ok := l.Take(1, 1)
		require.True(t, ok)
		require.Equal(t, Span{0, 1}, s)
		l.Passed(0)
		_, _, ok = l.Take(1, 1)
		require.False(t, ok)
	})
}

// Who waits hears that the run is over.
func TestLanesStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lines := &pacedLines{lines: 1, every: time.Hour}
		lines.pass(0)
		l := NewLanes(NewSlice(0, 5), lines)
		var group sync.WaitGroup
		for range 3 {
			group.Go(func() {
				_, _, ok := l.Take(1, 3)
				require.False(t, ok)
			})
		}
		synctest.Wait()
		idle, _ := l.Demand()
		require.Equal(t, 3, idle)
		l.Stop()
		l.Stop()
		group.Wait()
		_, _, ok := l.Take(1, 1)
		require.False(t, ok)
		require.Equal(t, 5, l.Left())
		left := 0
		for _, s := range l.Rest() {
			left += s.Len()
		}
		require.Equal(t, 5, left)
	})
}

// Who waits hears of an item that arrives.
func TestLanesOfArrivals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := NewArrivals(9, false)
		l := NewLanes(a, &pacedLines{lines: 9})
		took := make(chan Span)
		for i := range 3 {
			go func() {
				s, _, _ := l.Take(1, 1)
				took <- s
			}()
			synctest.Wait()
			a.Arrive(i + 1)
			require.Equal(t, Span{i, i + 1}, <-took)
		}
		require.Zero(t, a.idle.Load(), "nobody waits")
		go l.Take(1, 1)
		synctest.Wait()
		a.End()
	})
}

// asked are lines that say what they are told to.
type asked struct {
	mu   sync.Mutex
	wait time.Duration
	hold chan struct{} // an answer comes after one is received, if it is not nil
}

func (a *asked) Of(int) (uint64, bool) { return 0, true }

func (a *asked) Wait(int) time.Duration {
	if a.hold != nil {
		<-a.hold
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.wait
}

func (a *asked) say(wait time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.wait = wait
}

// When an item is done with, the next one is asked about again, at once; else after a second;
// and what was said at first is not exceeded.
func TestLanesAskAgain(t *testing.T) {
	for name, c := range map[string]struct {
		change func(l *Lanes, a *asked)
		after  time.Duration
	}{
		"done": {func(l *Lanes, a *asked) { a.say(0); l.Done(0); l.Done(0) }, 500 * time.Millisecond},
		"less": {func(_ *Lanes, a *asked) { a.say(0) }, time.Second},
		"soon": {func(_ *Lanes, a *asked) { a.say(700 * time.Millisecond) }, 1700 * time.Millisecond},
		"more": {func(_ *Lanes, a *asked) { a.say(time.Hour) }, 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := &asked{}
				l := NewLanes(NewSlice(0, 2), a)
				s, _, _ := l.Take(1, 1)
				require.Equal(t, Span{0, 1}, s)
				a.say(10 * time.Second)
				l.Passed(0)
				began := time.Now()
				time.AfterFunc(500*time.Millisecond, func() { c.change(l, a) })
				s, _, _ = l.Take(1, 1)
				require.Equal(t, Span{1, 2}, s)
				require.Equal(t, c.after, time.Since(began))
			})
		})
	}
}

// Who waits while the last item is being asked about hears that there is nothing left.
func TestLanesLastItem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &asked{hold: make(chan struct{})}
		l := NewLanes(NewSlice(0, 1), a)
		results := make(chan bool, 2)
		for range 2 {
			go func() {
				_, _, ok := l.Take(1, 1)
				results <- ok
			}()
			synctest.Wait()
		}
		a.hold <- struct{}{}
		got := []bool{<-results, <-results}
		require.ElementsMatch(t, []bool{true, false}, got)
	})
}

// exits are lines whose functions end the goroutine: one by Of, one by Wait.
type exits struct{ of, wait int }

func (e exits) Of(i int) (uint64, bool) {
	if i == e.of {
		runtime.Goexit()
	}
	return 0, true
}

func (e exits) Wait(i int) time.Duration {
	if i == e.wait {
		runtime.Goexit()
	}
	return 0
}

// An item whose line cannot be told goes unasked, and those behind it go too.
func TestLanesGoexit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLanes(NewSlice(0, 4), exits{of: 0, wait: 2})
		var mu sync.Mutex
		var ran []int
		var group sync.WaitGroup
		for range 3 { // two of them end early
			group.Go(func() {
				for {
					s, _, ok := l.Take(1, 1)
					if !ok {
						return
					}
					mu.Lock()
					ran = append(ran, s.Lo)
					mu.Unlock()
					l.Passed(s.Lo)
				}
			})
			synctest.Wait()
		}
		group.Wait()
		require.ElementsMatch(t, []int{0, 1, 2, 3}, ran)
		require.Zero(t, l.Left())
	})
}

// A list that is sorted takes the memory of its lines, and what is done is dropped.
func TestBacklog(t *testing.T) {
	var b backlog
	require.True(t, b.empty())
	for i := range 1000 {
		b.push(i)
	}
	require.Len(t, b.spans, 1)
	for i := range 1000 {
		require.Equal(t, i, b.first())
		b.pop()
	}
	require.True(t, b.empty())
	for i := range 5000 {
		b.push(2 * i)
	}
	for i := range 4000 {
		require.Equal(t, 2*i, b.first())
		b.pop()
	}
	require.LessOrEqual(t, len(b.spans), 2500)
	b.push(9999)
	for i := 4000; i < 5000; i++ {
		require.Equal(t, 2*i, b.first())
		b.pop()
	}
	require.Equal(t, 9999, b.first())
	b.pop()
	require.True(t, b.empty())
}

// A lane whose time comes before it was to is the first one then.
func TestLaneHeap(t *testing.T) {
	var h laneHeap
	lanes := make([]*lane, 9)
	for i := range lanes {
		lanes[i] = &lane{line: uint64(i), at: time.Duration(10 + i)}
		h.push(lanes[i])
	}
	for i := range slices.Backward(lanes) {
		lanes[i].at = time.Duration(i - 20)
		h.sooner(lanes[i])
		require.Same(t, lanes[i], h[0], "those that were moved before come later")
	}
	for i := range lanes {
		require.Same(t, lanes[i], h.pop())
	}
}
