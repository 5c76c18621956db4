package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/retry"
)

// longestRun bounds a run of an arm that gets nowhere: what it has done by then counts.
const longestRun = 8 * time.Second

// serviceSuite runs calls of real HTTP servers on loopback that have only so much
// room, and of a real PostgreSQL.
func serviceSuite(o options) {
	for _, s := range []simulated{
		{name: "16 slots × 5 ms, congestion", slots: 16, busy: 5 * time.Millisecond, congestion: 0.7, calls: 4000, claimed: 0.8},
		{name: "2 slots × 5 ms, congestion", slots: 2, busy: 5 * time.Millisecond, congestion: 0.7, calls: 1000, claimed: 0.7},
		{name: "256 slots × 20 ms", slots: 256, busy: 20 * time.Millisecond, calls: 16_000, claimed: 0.7},
		{name: "16 slots × 5 ms, refuses above a line of 64", slots: 16, busy: 5 * time.Millisecond, line: 64, calls: 4000, claimed: 0.8},
	} {
		s.measure(o)
	}
	postgresSuite(o)
}

// simulated is a service behind HTTP: slots that serve a call each, first come
// first served, slower as the line grows, and refusing when it is long.
type simulated struct {
	name       string
	slots      int
	busy       time.Duration
	congestion float64
	line       int // 0 is no limit
	calls      int
	claimed    float64 // least share of the best goodput
}

// simulatedServer is the server of one run.
type simulatedServer struct {
	simulated
	free    chan struct{}
	waiting atomic.Int64
	refused atomic.Int64
}

func (s *simulatedServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if waiting := s.waiting.Add(1); s.line > 0 && int(waiting) > s.line && len(s.free) == 0 {
		s.waiting.Add(-1)
		s.refused.Add(1)
		http.Error(w, "overloaded", http.StatusServiceUnavailable)
		return
	}
	select {
	case <-s.free:
	case <-r.Context().Done(): // the client has gone
		s.waiting.Add(-1)
		return
	}
	waiting := s.waiting.Add(-1)
	time.Sleep(time.Duration(float64(s.busy) * (1 + s.congestion*float64(waiting)/float64(s.slots))))
	s.free <- struct{}{}
	_, _ = io.WriteString(w, "ok")
}

// refusedError is a 503 as the engine and policies know it.
type refusedError struct{}

func (refusedError) Error() string   { return "503" }
func (refusedError) StatusCode() int { return http.StatusServiceUnavailable }

// outcome is what an arm achieved: answered calls a second, their p99, and the
// share of calls refused.
type outcome struct {
	goodput float64
	p99     time.Duration
	refused float64
}

// serviceArm makes calls at the concurrency that it chooses, until ctx ends. The
// fetch that it is given fails when it is refused; a refused call is made again.
type serviceArm struct {
	name string
	run  func(ctx context.Context, fetch func(context.Context) error, calls int)
}

func (s simulated) measure(o options) {
	arms := []serviceArm{{"**amorsize**", runOurs}}
	var fixed []string
	for _, n := range slices.Compact(slices.Sorted(slices.Values([]int{2, 8, 32, 128, 1024, s.slots}))) {
		name := fmt.Sprintf("errgroup, N = %d", n)
		fixed = append(fixed, name)
		arms = append(arms, serviceArm{name, runFixed(n)})
	}
	if o.peers {
		arms = append(arms, adaptivePeers()...)
	}
	outcomes := make([][]outcome, len(arms))
	for range min(3, o.reps) {
		for i, a := range arms {
			outcomes[i] = append(outcomes[i], s.try(a))
		}
	}
	best := 0.0
	for i, a := range arms {
		if slices.Contains(fixed, a.name) {
			best = max(best, middle(outcomes[i]).goodput)
		}
	}
	o.atLeast("service, "+s.name+": × the goodput of the best fixed N", middle(outcomes[0]).goodput/best, s.claimed)
	t := newTable(o, "Service: "+s.name, fmt.Sprintf("%d calls over HTTP on loopback. Goodput relative to the best fixed N.", s.calls),
		"arm", "goodput", "calls/s", "p99 latency", "refused")
	for i, a := range arms {
		got := middle(outcomes[i])
		t.row(a.name, number(got.goodput/best), fmt.Sprintf("%.0f", got.goodput),
			got.p99.Round(100*time.Microsecond).String(), fmt.Sprintf("%.2f %%", 100*got.refused))
	}
}

// middle returns the outcome of median goodput.
func middle(all []outcome) outcome {
	slices.SortFunc(all, func(a, b outcome) int { return int(a.goodput - b.goodput) })
	return all[len(all)/2]
}

// try runs one arm once against a server of its own.
func (s simulated) try(a serviceArm) outcome {
	server := &simulatedServer{simulated: s, free: make(chan struct{}, s.slots)}
	for range s.slots {
		server.free <- struct{}{}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	host := &http.Server{Handler: server}
	go func() { _ = host.Serve(listener) }()
	defer host.Close() // cuts connections off: a run may have given up on some
	url := "http://" + listener.Addr().String()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 4096, DisableCompression: true}}
	defer client.CloseIdleConnections()

	var mu sync.Mutex
	var took []time.Duration
	ctx, cancel := context.WithTimeout(context.Background(), longestRun)
	defer cancel()
	start := time.Now()
	a.run(ctx, func(ctx context.Context) error {
		began := time.Now()
		err := fetchOnce(ctx, client, url)
		if err == nil {
			mu.Lock()
			took = append(took, time.Since(began))
			mu.Unlock()
		}
		return err
	}, s.calls)
	elapsed := time.Since(start)
	mu.Lock()
	defer mu.Unlock()
	if len(took) == 0 {
		return outcome{}
	}
	refused := float64(server.refused.Load())
	good := float64(len(took))
	slices.Sort(took)
	return outcome{good / elapsed.Seconds(), took[len(took)*99/100], refused / (good + refused)}
}

func fetchOnce(ctx context.Context, client *http.Client, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode == http.StatusServiceUnavailable {
		return refusedError{}
	}
	return nil
}

// pause is what every arm waits before it makes a refused call again.
const pause = 5 * time.Millisecond

func runOurs(ctx context.Context, fetch func(context.Context) error, calls int) {
	retrier := retry.MustNew(retry.Policy{
		MaxRetries: retry.Unlimited, InitialDelay: pause, MaxDelay: pause,
		RetryIf: func(err error) bool { return errors.Is(err, refusedError{}) },
	})
	_, _ = amorsize.ExecuteContext(ctx, func(ctx context.Context, _ struct{}) (struct{}, error) {
		return struct{}{}, fetch(ctx)
	}, make([]struct{}, calls), amorsize.WithPolicies(retrier))
}

// runFixed is the loop that one writes with a number picked by feel.
func runFixed(n int) func(context.Context, func(context.Context) error, int) {
	return func(ctx context.Context, fetch func(context.Context) error, calls int) {
		runWorkers(n, calls, func() bool { return untilDone(ctx, fetch) })
	}
}

// untilDone makes a call until it is not refused; false if ctx ended.
func untilDone(ctx context.Context, attempt func(context.Context) error) bool {
	for ctx.Err() == nil {
		err := attempt(ctx)
		if err == nil {
			return true
		}
		if errors.Is(err, refusedError{}) {
			time.Sleep(pause)
		}
	}
	return false
}

// runWorkers makes calls with n workers that claim them one by one.
func runWorkers(n, calls int, call func() bool) {
	var next atomic.Int64
	var group sync.WaitGroup
	for range min(n, calls) {
		group.Go(func() {
			for next.Add(1) <= int64(calls) && call() {
			}
		})
	}
	group.Wait()
}
