package executor

import (
	"log/slog"
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
	"github.com/amorsize/amorsize/internal/scenarios"
)

// backlogModel is what a backlog should be: a list.
type backlogModel struct {
	list    []notice
	waiting int // of them expendable
}

func (m *backlogModel) add(n notice) {
	if n.expendable() && m.waiting == MaxBacklog {
		m.remove(slices.IndexFunc(m.list, func(n notice) bool { return n.expendable() }))
	}
	if m.list = append(m.list, n); n.expendable() {
		m.waiting++
	}
}

func (m *backlogModel) remove(at int) {
	if m.list[at].expendable() {
		m.waiting--
	}
	m.list = slices.Delete(m.list, at, at+1)
}

// Listeners are slow if their last calls took longer than a bound, one after the other.
func TestSlowListeners(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEvents(&Config{Progress: func(Progress) {}}, 9, clock.Now())
		e.mu.Lock()
		defer e.mu.Unlock()
		for i, took := range []time.Duration{slowCall + 1, slowCall + 1, slowCall, slowCall + 1} {
			e.call(func() { time.Sleep(took) })
			require.Equal(t, []int{1, 2, 0, 1}[i], e.teller.slow)
		}
	})
}

// What comes out, and what is dropped, is as a list has it.
func TestBacklog(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var b backlog
	var model backlogModel
	kinds := []EventKind{Started, Planning, Planned, LimitChanged, ChunkDone, Progressed, Finished}
	number := 0
	for phase := range 6 {
		for range []int{50, MaxBacklog + 100, 300, 500, 40, 7}[phase] {
			if phase%2 == 0 && random.IntN(3) > 0 { // the list is slow: the odd phases fill it up
				got, ok := b.next()
				require.Equal(t, len(model.list) > 0, ok)
				if ok {
					require.Equal(t, model.list[0], got)
					model.remove(0)
				}
				continue
			}
			number++
			n := notice{event: Event{Kind: ChunkDone}, number: number}
			if number%1000 < 20 {
				n.event.Kind = kinds[random.IntN(len(kinds))]
			}
			b.add(n)
			model.add(n)
		}
		require.Equal(t, len(model.list), b.len())
	}
	b.trim()
	model.list = slices.DeleteFunc(model.list, func(n notice) bool { return n.expendable() })
	for n, ok := b.next(); ok; n, ok = b.next() {
		require.Equal(t, model.list[0], n)
		model.list = model.list[1:]
	}
	require.Empty(t, model.list)
}

// told is a call of a progress function.
type told struct {
	at        time.Duration
	completed int
}

// progressModel says when progress is told: at is when items end, takes how long the
// calls take, end when the run ends.
func progressModel(at, takes []time.Duration, interval, end time.Duration) (calls []told) {
	last, busy := time.Duration(0), time.Duration(0)
	for {
		next := last + max(heartbeat, interval)
		news := slices.IndexFunc(at, func(t time.Duration) bool { return t > last })
		if news >= 0 {
			next = min(next, max(at[news], last+interval))
		}
		next = max(next, busy)
		completed := 0
		for _, t := range at {
			if t <= next {
				completed++
			}
		}
		if next >= end || completed == len(at) {
			break
		}
		busy, last = next+takes[len(calls)%len(takes)], next
		calls = append(calls, told{next, completed})
	}
	return append(calls, told{max(end, busy), len(at)})
}

// Progress is told the latest state, when there is some and at the heartbeat, never
// twice at once, and at the end; exactly when the model has it.
func TestProgressIsTheLatestState(t *testing.T) {
	for seed := range uint64(200) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 3))
			interval := []time.Duration{1, 10 * time.Millisecond, 100 * time.Millisecond, 3 * time.Second}[seed%4]
			var at, takes []time.Duration
			for now := time.Duration(0); len(at) < 60; {
				pause := time.Duration(random.ExpFloat64() * float64(30*time.Millisecond))
				if random.IntN(20) == 0 {
					pause *= 100
				}
				now += pause + 1
				at = append(at, now)
			}
			for range 7 {
				takes = append(takes, time.Duration(random.IntN(4)/3*random.IntN(int(2*time.Second)))+1)
			}
			end := at[len(at)-1] + 1

			var got []told
			start := clock.Now()
			busy := false
			e := newEvents(&Config{ProgressInterval: interval, Progress: func(p Progress) {
				require.False(t, busy)
				busy = true
				require.Equal(t, clock.Now()-start, p.Elapsed, "no old news")
				got = append(got, told{p.Elapsed, p.Completed})
				time.Sleep(takes[(len(got)-1)%len(takes)])
				busy = false
			}}, len(at), start)
			e.wake()
			for _, at := range at {
				time.Sleep(at - (clock.Now() - start))
				e.chunk(1, 1)
			}
			time.Sleep(time.Nanosecond)
			e.close()
			e.finish(new(Report))
			require.Equal(t, progressModel(at, takes, interval, end), got, "seed %d", seed)
		})
	}
}

// Whatever listeners do, what they are told is in order, one at a time, and what they
// are not told is counted; the run ends with their last calls.
func TestListenersDelayNothing(t *testing.T) {
	for seed := range uint64(scenarios.Fewer(60)) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 4))
			slowest := []time.Duration{0, time.Microsecond, 5 * time.Millisecond, 500 * time.Millisecond}[seed%4]
			chunks := []int{0, 3, 500, MaxBacklog / 4}[random.IntN(4)]
			const workers = 8
			var mu sync.Mutex // tried only: calls do not overlap
			listen := func() {
				require.True(t, mu.TryLock())
				defer mu.Unlock()
				if slowest > 0 {
					time.Sleep(time.Duration(random.Int64N(int64(slowest))) + slowest/2)
				}
			}
			var seen []Event
			var last Progress
			start := clock.Now()
			e := newEvents(&Config{
				Observers: []Observer{ObserverFunc(func(event Event) { seen = append(seen, event); listen() })},
				Progress:  func(p Progress) { last = p; listen() },
			}, workers*chunks, start)
			e.tell(Event{Kind: Started})
			if seed%3 > 0 {
				e.wake()
			}
			var group sync.WaitGroup
			for w := range workers {
				pauses := rand.New(rand.NewPCG(seed, uint64(w)))
				group.Go(func() {
					for i := range chunks {
						if pauses.IntN(200) == 0 {
							time.Sleep(time.Duration(pauses.IntN(20)) * time.Millisecond)
						}
						e.chunk(1, 1)
						if i == 2 && w == 0 {
							e.tell(Event{Kind: Planned})
						}
					}
				})
			}
			group.Wait()
			ended := clock.Now()
			e.close()
			report := new(Report)
			require.Empty(t, e.finish(report))
			after := clock.Now() - ended
			// A call under way, one of each kind that nobody may miss, and the ends.
			require.LessOrEqual(t, after, farewell+6*(slowest+slowest/2), "slowest %v", slowest)
			if slowest > time.Second/3 && chunks > 500 {
				require.NotZero(t, report.Dropped)
			}
			if slowest == 0 && chunks <= 500 {
				require.Zero(t, report.Dropped)
			}
			checkTold(t, seen, workers*chunks, report.Dropped)
			require.Equal(t, workers*chunks, last.Completed)
		})
	}
}

// checkTold holds events against what happened. How often it is told how the run goes is not looked
// at: that may be dropped as well.
func checkTold(t *testing.T, seen []Event, chunks, dropped int) {
	kinds, sum, next, room := map[EventKind]int{}, 0, 0, 0
	for i, e := range seen {
		kinds[e.Kind]++
		sum += e.Dropped
		if i > 0 {
			require.GreaterOrEqual(t, e.Elapsed, seen[i-1].Elapsed)
			require.GreaterOrEqual(t, e.Completed, seen[i-1].Completed)
		}
		room += e.Dropped
		if e.Kind == ChunkDone {
			require.GreaterOrEqual(t, e.Chunk, next)
			require.LessOrEqual(t, e.Chunk, next+room, "what is missing was dropped")
			next, room = e.Chunk+1, 0
		}
	}
	require.Equal(t, 1, kinds[Started])
	require.Equal(t, 1, kinds[Finished])
	require.Equal(t, chunks > 2, kinds[Planned] == 1)
	require.Equal(t, Started, seen[0].Kind)
	require.Equal(t, Finished, seen[len(seen)-1].Kind)
	require.Equal(t, dropped, sum)
	require.LessOrEqual(t, chunks-kinds[ChunkDone], dropped)
}

// A slow progress function leaves an observer its time, and the other way round.
func TestListenersTakeTurns(t *testing.T) {
	for _, slow := range []struct{ progress, observer time.Duration }{{500 * time.Millisecond, 0}, {500 * time.Millisecond, 100 * time.Millisecond}, {0, 500 * time.Millisecond}} {
		synctest.Test(t, func(t *testing.T) {
			seen, told, longest := 0, 0, time.Duration(0)
			last := clock.Now()
			var ended atomic.Bool
			e := newEvents(&Config{
				Observers: []Observer{ObserverFunc(func(e Event) {
					if e.Kind != Progressed {
						seen++
					}
					time.Sleep(slow.observer)
				})},
				Progress: func(Progress) {
					told++
					if !ended.Load() {
						longest = max(longest, clock.Now()-last)
					}
					time.Sleep(slow.progress)
					last = clock.Now()
				},
			}, -1, clock.Now())
			e.wake()
			for range 6000 { // a minute
				time.Sleep(10 * time.Millisecond)
				e.chunk(1, 1)
			}
			ended.Store(true)
			e.close()
			e.finish(new(Report))
			require.GreaterOrEqual(t, told, 50)
			require.LessOrEqual(t, longest, max(DefaultProgressInterval, slow.progress+slow.observer)+20*time.Millisecond)
			if slow.observer == 0 {
				require.Equal(t, 6001, seen)
			} else {
				require.Greater(t, seen, 100)
			}
		})
	}
}

// A listener that panics or ends its goroutine ends neither the telling nor the run's
// end, and the report has a warning.
func TestListenerFails(t *testing.T) {
	quietly(t)
	synctest.Test(t, func(t *testing.T) {
		var seen []EventKind
		var second []EventKind
		e := newEvents(&Config{Observers: []Observer{
			ObserverFunc(func(e Event) {
				switch seen = append(seen, e.Kind); e.Kind {
				case Started, Finished:
					panic("at " + []string{"Started"}[e.Kind]) // an error of the runtime, of Finished
				case ChunkDone, Planned:
					runtime.Goexit()
				}
			}),
			ObserverFunc(func(e Event) { second = append(second, e.Kind) }),
		}, Progress: func(Progress) { runtime.Goexit() }}, 2, clock.Now())
		e.wake()
		e.tell(Event{Kind: Started})
		time.Sleep(10 * time.Millisecond)
		e.chunk(1, 1)
		time.Sleep(10 * time.Millisecond)
		e.tell(Event{Kind: Planned})
		e.close()
		var report Report
		require.Empty(t, e.finish(&report))
		require.Equal(t, []EventKind{Started, ChunkDone, Planned, Progressed, Finished}, seen)
		require.Equal(t, seen, second, "whatever the one before it does")
		require.Equal(t, []string{"listeners panicked once; the log has the first panic", "listeners called runtime.Goexit 2 times"}, report.Warnings)
	})
}

// quietly keeps the log of panics out of the output.
func quietly(t *testing.T) {
	before := slog.Default()
	slog.SetDefault(slog.New(slog.DiscardHandler))
	t.Cleanup(func() { slog.SetDefault(before) })
}

// A listener that does not return is left behind, and nobody is told any more.
func TestListenerBlocks(t *testing.T) {
	for _, at := range []EventKind{Started, Progressed, Finished} {
		synctest.Test(t, func(t *testing.T) {
			blocked := make(chan struct{})
			last := EventKind(-1)
			e := newEvents(&Config{Observers: []Observer{ObserverFunc(func(e Event) {
				if last = e.Kind; e.Kind == at {
					<-blocked
				}
			})}, Progress: func(Progress) { require.Equal(t, Started, at, "it comes first, or not at all") }}, 2, clock.Now())
			e.wake()
			e.tell(Event{Kind: Started})
			time.Sleep(10 * time.Millisecond)
			ended := clock.Now()
			e.close()
			late := e.finish(new(Report))
			require.Equal(t, []string{"a listener did not return for 2s: no more events were delivered"}, late)
			require.Equal(t, Patience, clock.Now()-ended)
			close(blocked)
			synctest.Wait()
			require.Equal(t, at, last)
		})
	}
}

// The last progress tells how long the run took with what its observers took before.
func TestElapsedOfTheLastProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := clock.Now()
		var last Progress
		e := newEvents(&Config{
			Observers: []Observer{ObserverFunc(func(e Event) { time.Sleep(time.Second) })},
			Progress:  func(p Progress) { last = p; require.Equal(t, clock.Now()-start, p.Elapsed) },
		}, 2, start)
		e.close()
		e.finish(new(Report))
		require.True(t, last.Over)
		require.GreaterOrEqual(t, last.Elapsed, time.Second)
	})
}

// The patience with a listener is that of one call: it begins anew with the next.
func TestPatienceOfACall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		blocked, n := make(chan struct{}), 0
		e := newEvents(&Config{Observers: []Observer{ObserverFunc(func(Event) {
			if n++; n == 1 {
				time.Sleep(Patience / 2)
			} else {
				<-blocked
			}
		})}}, 2, clock.Now())
		began := clock.Now()
		e.tell(Event{Kind: Started})
		e.tell(Event{Kind: Planned})
		e.close()
		require.NotEmpty(t, e.finish(new(Report)))
		require.Equal(t, Patience/2+Patience, clock.Now()-began)
		close(blocked)
		synctest.Wait()
	})
}

// A single event is delivered as soon as a moment has shown that it is alone, and many at once.
func TestEventIsDeliveredSoon(t *testing.T) {
	for events, after := range map[int]time.Duration{1: tellAfter, tellAtOnce - 1: tellAfter, tellAtOnce: 0} {
		synctest.Test(t, func(t *testing.T) {
			var at []time.Duration
			start := clock.Now()
			e := newEvents(&Config{Observers: []Observer{ObserverFunc(func(e Event) {
				if e.Kind == Planned {
					at = append(at, clock.Now()-start)
				}
			})}}, 9, start)
			e.wake()
			for range events {
				e.tell(Event{Kind: Planned})
			}
			time.Sleep(heartbeat / 2)
			e.close()
			e.finish(new(Report))
			require.Len(t, at, events)
			require.Equal(t, after, at[0], events)
		})
	}
}

// Nobody misses much of a change, of planning, of a chunk, of how it went a while ago.
func TestExpendable(t *testing.T) {
	for _, n := range []notice{{event: Event{Kind: Planning}}, {event: Event{Kind: ChunkDone}}, {event: Event{Kind: LimitChanged}}, {event: Event{Kind: Progressed}}} {
		require.True(t, n.expendable())
	}
	for _, n := range []notice{{}, {event: Event{Kind: Started}}, {event: Event{Kind: Planned}, message: "plan"}, {event: Event{Kind: Finished}}} {
		require.False(t, n.expendable(), "%v", n.event.Kind)
	}
}
