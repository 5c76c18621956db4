package concurrency_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/amorsizetest"
	"github.com/amorsize/amorsize/concurrency"
	"github.com/amorsize/amorsize/internal/scenarios"
)

const mean = 20 * time.Millisecond

var laws = map[string]amorsizetest.Law{
	"constant":    amorsizetest.Constant(mean),
	"lognormal":   amorsizetest.Lognormal(mean, 0.5),
	"exponential": amorsizetest.Exponential(mean),
}

// closed has so many goroutines call one after the other.
func closed(t *testing.T, l *concurrency.Limiter, s *amorsizetest.Service, goroutines, calls int) {
	t.Helper()
	var group sync.WaitGroup
	for range goroutines {
		group.Go(func() {
			for range calls / goroutines {
				assert.NoError(t, l.Do(t.Context(), s.Call))
			}
		})
	}
	group.Wait()
}

// Many more goroutines than the service has slots: all of its slots are kept busy, and few
// calls wait there. Where their times are exponential, what one takes alone is hard to tell
// from a few of them.
func TestClosedLoop(t *testing.T) {
	for name, law := range laws {
		for _, slots := range []int{1, 2, 4, 16, 64} {
			for seed := range uint64(scenarios.Fewer(3)) {
				synctest.Test(t, func(t *testing.T) {
					s := amorsizetest.New(amorsizetest.Conditions{Slots: slots, Latency: law}, seed)
					closed(t, concurrency.MustNew(concurrency.Policy{}), s, 256, 100*slots+1000)
					settled := s.Timeline().After(20*slots + 200)
					best := float64(slots) / mean.Seconds()
					t.Logf("%s, %d slots: %.2f of the best, in flight %.2f", name, slots, settled.Goodput()/best, settled.MeanInFlight()/float64(slots))
					share, spare := 0.9, 3.0
					if name == "exponential" {
						share, spare = 0.8, 12
					}
					require.GreaterOrEqual(t, settled.Goodput(), share*best)
					require.LessOrEqual(t, settled.MeanInFlight(), 1.8*float64(slots)+spare)
				})
			}
		}
	}
}

// open has calls come at random, at so many times the service's capacity, each of which
// gives up at once if it is refused. It returns how long those took that were not.
func open(t *testing.T, l *concurrency.Limiter, s *amorsizetest.Service, load float64, seed uint64, length time.Duration) (took []time.Duration) {
	t.Helper()
	random := rand.New(rand.NewPCG(seed, 9))
	gap := mean.Seconds() / float64(s.Conditions().Slots) / load
	var mu sync.Mutex
	var group sync.WaitGroup
	for start := time.Now(); time.Since(start) < length; {
		time.Sleep(time.Duration(random.ExpFloat64() * gap * 1e9))
		group.Go(func() {
			began := time.Now()
			if l.Do(t.Context(), s.Call) == nil {
				mu.Lock()
				defer mu.Unlock()
				took = append(took, time.Since(began))
			}
		})
	}
	group.Wait()
	return took
}

// A server's own goroutines. Below its capacity nearly all are served as if there was no
// limit; above it the service does what it can, and those that are let in are answered in
// time.
func TestOpenLoop(t *testing.T) {
	for name, law := range laws {
		for _, load := range []float64{0.5, 0.8, 1.5, 4} {
			for seed := range uint64(scenarios.Fewer(3)) {
				synctest.Test(t, func(t *testing.T) {
					const slots, length = 16, 20 * time.Second
					s := amorsizetest.New(amorsizetest.Conditions{Slots: slots, Latency: law}, seed)
					l := concurrency.MustNew(concurrency.Policy{MaxWait: 20 * time.Millisecond, MaxWaiting: 16})
					took := open(t, l, s, load, seed, length)
					best := min(1, load) * slots / mean.Seconds()
					goodput := float64(len(took)) / length.Seconds() / best
					t.Logf("%s, load %.1f: %.3f of the best, in flight %.1f", name, load, goodput, s.Timeline().MeanInFlight())
					require.GreaterOrEqual(t, goodput, 0.9)
					require.LessOrEqual(t, s.Timeline().MeanInFlight(), 2.5*slots)
				})
			}
		}
	}
}

// A service that gets less room, and then more. What it achieves is asked of each seed, the
// calls in flight of the middle one: where the first window after the change ends while the
// line still builds up, less room can pass for longer calls, and then several times as many
// calls as there are slots stay in flight for some time (docs/adaptive-concurrency.md).
func TestRoomChanges(t *testing.T) {
	parts := []struct {
		from, until time.Duration
		slots       float64
	}{{2 * time.Second, 10 * time.Second, 40}, {14 * time.Second, 30 * time.Second, 8}, {34 * time.Second, 60 * time.Second, 40}}
	inFlight := make([][]float64, len(parts))
	for seed := range uint64(scenarios.Fewer(5)) {
		synctest.Test(t, func(t *testing.T) {
			line := roomChanges(t, seed)
			for i, p := range parts {
				part := line.Between(p.from, p.until)
				t.Logf("%v slots: %.2f of the best, in flight %.2f", p.slots, part.Goodput()/p.slots*mean.Seconds(), part.MeanInFlight()/p.slots)
				require.GreaterOrEqual(t, part.Goodput(), 0.9*p.slots/mean.Seconds())
				inFlight[i] = append(inFlight[i], part.MeanInFlight())
			}
		})
	}
	for i, p := range parts {
		if slices.Sort(inFlight[i]); len(inFlight[i]) == 5 { // one has no middle
			require.LessOrEqual(t, inFlight[i][2], 2.5*p.slots)
		}
	}
}

// roomChanges has 200 goroutines call a service of 40 slots for a minute, which has 8 of them
// from the tenth second to the thirtieth.
func roomChanges(t *testing.T, seed uint64) amorsizetest.Timeline {
	t.Helper()
	room := func(slots int) amorsizetest.Conditions {
		return amorsizetest.Conditions{Slots: slots, Latency: laws["lognormal"]}
	}
	s := amorsizetest.New(room(40), seed)
	s.At(10*time.Second, room(8))
	s.At(30*time.Second, room(40))
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	l := concurrency.MustNew(concurrency.Policy{})
	var group sync.WaitGroup
	for range 200 {
		group.Go(func() {
			for ctx.Err() == nil {
				_ = l.Do(ctx, s.Call)
			}
		})
	}
	group.Wait()
	return s.Timeline()
}
