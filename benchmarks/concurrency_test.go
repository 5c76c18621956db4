package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/failsafe-go/failsafe-go/adaptivelimiter"
	"github.com/failsafe-go/failsafe-go/adaptivethrottler"
	"github.com/platinummonkey/go-concurrency-limits/core"
	"github.com/platinummonkey/go-concurrency-limits/limit"
	"github.com/platinummonkey/go-concurrency-limits/limiter"
	"github.com/platinummonkey/go-concurrency-limits/strategy"

	"github.com/amorsize/amorsize/amorsizetest"
	"github.com/amorsize/amorsize/concurrency"
)

// A server of somebody's own goroutines: requests come at random, whatever becomes of
// those before, and each is worth something for so long.
const (
	serverRuns     = 20 * time.Second
	serverPatience = 200 * ms
	callMean       = 20 * ms
)

// protection lets a call through, or not. What it returns is the call's error, or its own.
type protection func(ctx context.Context, call func(context.Context) error) error

type protectionArm struct {
	name string
	make func() protection
}

func protections(peers bool) []protectionArm {
	arms := []protectionArm{{"**concurrency**", func() protection {
		return concurrency.MustNew(concurrency.Policy{MaxWait: serverPatience / 4}).Do
	}}}
	if !peers {
		return arms
	}
	return append(arms,
		protectionArm{"no limit", func() protection {
			return func(ctx context.Context, call func(context.Context) error) error { return call(ctx) }
		}},
		protectionArm{"failsafe-go adaptive limiter", failsafeGuard},
		protectionArm{"failsafe-go adaptive throttler", throttlerGuard},
		protectionArm{"gradient2", limitsGuard(func() core.Limit {
			return limit.NewDefaultGradient2Limit("gradient2", limit.NoopLimitLogger{}, nil)
		})},
		protectionArm{"Vegas", limitsGuard(func() core.Limit {
			return limit.NewDefaultVegasLimit("vegas", limit.NoopLimitLogger{}, nil)
		})},
		protectionArm{"AIMD", limitsGuard(func() core.Limit { return limit.NewDefaultAIMDLimit("aimd", nil) })},
	)
}

func failsafeGuard() protection {
	l := adaptivelimiter.NewWithDefaults[any]()
	return func(ctx context.Context, call func(context.Context) error) error {
		permit, err := l.AcquirePermitWithMaxWait(ctx, serverPatience/4)
		if err != nil {
			return err
		}
		if err = call(ctx); err != nil {
			permit.Drop()
		} else {
			permit.Record()
		}
		return err
	}
}

func throttlerGuard() protection {
	l := adaptivethrottler.NewWithDefaults[any]()
	return func(ctx context.Context, call func(context.Context) error) error {
		if err := l.AcquirePermit(); err != nil {
			return err
		}
		err := call(ctx)
		if err != nil {
			l.RecordFailure()
		} else {
			l.RecordSuccess()
		}
		return err
	}
}

func limitsGuard(newLimit func() core.Limit) func() protection {
	return func() protection {
		inner, err := limiter.NewDefaultLimiter(newLimit(), 1e9, 1e9, 1e5, 100, strategy.NewSimpleStrategy(20), limit.NoopLimitLogger{}, nil)
		if err != nil {
			panic(err)
		}
		blocking := &line{Limiter: inner}
		return func(ctx context.Context, call func(context.Context) error) error {
			waits, cancel := context.WithTimeout(ctx, serverPatience/4)
			defer cancel()
			listener, ok := blocking.Acquire(waits)
			if !ok {
				return errors.New("no permission")
			}
			if err := call(ctx); err != nil {
				listener.OnDropped()
				return err
			}
			listener.OnSuccess()
			return nil
		}
	}
}

// scene is what a server protects, and how many times the requests that it can answer
// come. Claimed is the least goodput, and the most that the p99 is, in calls' means.
type scene struct {
	name       string
	conditions amorsizetest.Conditions
	load       float64
	goodput    float64
	p99        float64
}

func scenes() []scene {
	plain := amorsizetest.Conditions{Slots: 16}
	congested := amorsizetest.Conditions{Slots: 16, Congestion: 0.7}
	refusing := amorsizetest.Conditions{Slots: 16, Line: 16, Refusal: ms}
	return []scene{
		{"16 slots", plain, 0.5, 0.97, 6}, {"16 slots", plain, 0.9, 0.90, 7}, {"16 slots", plain, 1.5, 0.90, 8}, {"16 slots", plain, 4, 0.90, 8},
		{"congestion", congested, 0.5, 0.97, 6}, {"congestion", congested, 0.9, 0.80, 8}, {"congestion", congested, 1.5, 0.80, 9}, {"congestion", congested, 4, 0.80, 9},
		{"refuses above a line of 16", refusing, 0.9, 0.90, 7}, {"refuses above a line of 16", refusing, 4, 0.90, 8},
	}
}

// served is what came of the requests.
type served struct {
	goodput float64 // answered in time, relative to what can be
	p99     float64 // of those, from the request on, in calls' means
}

func (s scene) serve(t *testing.T, newGuard func() protection, l law, seed uint64) (out served) {
	synctest.Test(t, func(t *testing.T) {
		c := s.conditions
		c.Latency = l.of(callMean)
		service := amorsizetest.New(c, seed)
		guarded := newGuard()
		random := rand.New(rand.NewPCG(seed, 77))
		gap := callMean.Seconds() / float64(c.Slots) / s.load
		var mu sync.Mutex
		var took []time.Duration
		var group sync.WaitGroup
		for start := time.Now(); time.Since(start) < serverRuns; {
			time.Sleep(time.Duration(random.ExpFloat64() * gap * 1e9))
			group.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), serverPatience)
				defer cancel()
				began := time.Now()
				if guarded(ctx, service.Call) == nil {
					mu.Lock()
					defer mu.Unlock()
					took = append(took, time.Since(began))
				}
			})
		}
		group.Wait()
		out.goodput = float64(len(took)) / (min(1, s.load) * float64(c.Slots) / callMean.Seconds() * serverRuns.Seconds())
		slices.Sort(took)
		out.p99 = took[len(took)*99/100].Seconds() / callMean.Seconds()
	})
	return out
}

// TestConcurrency holds concurrency.Limiter, beside the adaptive limiters of others,
// against what the documentation claims.
func TestConcurrency(t *testing.T) {
	var text bytes.Buffer
	o := options{claims: new(claims), out: &text, seeds: *simulatedSeeds, peers: *simulatedPeers}
	arms := protections(o.peers)
	columns := []string{"service", "load", "calls", "claimed"}
	for _, a := range arms {
		columns = append(columns, a.name)
	}
	table := newTable(o, "A server of one's own goroutines", fmt.Sprintf(
		"Requests come at random at so many times what the service can do (calls of %v), and are worth nothing after %v; all wait for permission for a quarter of that at most. Goodput relative to what can be answered, and the p99 from request to answer of those that are, in calls' means; medians of %d seeds.",
		callMean, serverPatience, o.seeds), columns...)
	for _, s := range scenes() {
		for _, l := range []law{laws[0], laws[2]} {
			row := []string{s.name, fmt.Sprint(s.load), l.name, fmt.Sprintf("%.2f, %.1f", s.goodput, s.p99)}
			for k, a := range arms {
				var goodput, p99 []float64
				for seed := range uint64(o.seeds) {
					got := s.serve(t, a.make, l, seed)
					goodput, p99 = append(goodput, got.goodput), append(p99, got.p99)
				}
				good, late := median(goodput), median(p99)
				row = append(row, fmt.Sprintf("%.2f, %.1f", good, late))
				if k == 0 {
					name := fmt.Sprintf("%s, load %v, %s", s.name, s.load, l.name)
					o.require(good >= s.goodput, "%s: goodput %.3f, and %.2f is claimed", name, good, s.goodput)
					o.require(late <= s.p99, "%s: p99 %.2f, and %.1f is claimed", name, late, s.p99)
				}
			}
			table.row(row...)
		}
	}
	if len(o.missed) > 0 {
		t.Error(strings.Join(o.missed, "\n"))
	}
	if *simulatedOut != "" {
		if err := os.WriteFile(*simulatedOut, text.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
