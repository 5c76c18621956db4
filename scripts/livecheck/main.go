// Command livecheck serves the live page with runs on it, for a browser to look at: one whose
// service changes and goes down when it is told to, one that goes on from a journal, and some that
// are over. It prints the address. POST /service/8 leaves the service 8 slots; with 0 it is down.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/circuitbreaker"
	"github.com/amorsize/amorsize/journal"
	"github.com/amorsize/amorsize/live"
	"github.com/amorsize/amorsize/ratelimit"
	"github.com/amorsize/amorsize/retry"
)

func main() {
	lasts := flag.Duration("for", time.Minute, "how long to serve at the most")
	flag.Parse()
	if err := serve(*lasts); err != nil {
		log.Fatal(err)
	}
}

func serve(lasts time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), lasts)
	defer cancel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/amorsize/", live.Handler())
	var slots atomic.Int64
	slots.Store(20)
	mux.HandleFunc("POST /service/{slots}", func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.ParseInt(r.PathValue("slots"), 10, 32)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		slots.Store(n)
	})
	go func() { _ = http.Serve(listener, mux) }()
	if err := over(ctx); err != nil {
		return err
	}
	fmt.Printf("http://%s/amorsize/\n", listener.Addr())
	go func() { _ = resumed(ctx) }()
	crawl(ctx, &slots)
	<-ctx.Done()
	return nil
}

// over are runs that have ended.
func over(ctx context.Context) error {
	double := func(i int) (int, error) { return 2 * i, nil }
	for i := range 30 {
		if _, err := amorsize.ExecuteContext(ctx, func(_ context.Context, k int) (int, error) { return double(k) }, make([]int, 10*i),
			amorsize.WithName(fmt.Sprintf("small run %d", i+1))); err != nil {
			return err
		}
	}
	_, err := amorsize.Execute(func(int) (int, error) { return 0, errors.New("no") }, []int{1}, amorsize.WithName("one that fails"))
	if err == nil {
		return errors.New("it did not fail")
	}
	return nil
}

// crawl is a run whose service has so many slots, and is down while it has none. Whoever looks says
// when, since a browser on a busy machine may come late.
func crawl(ctx context.Context, slots *atomic.Int64) {
	var inFlight atomic.Int64
	service := func(ctx context.Context, _ int) (int, error) {
		n, has := inFlight.Add(1), slots.Load()
		defer inFlight.Add(-1)
		if has == 0 {
			time.Sleep(20 * time.Millisecond)
			return 0, errors.New("down")
		}
		time.Sleep(time.Duration(20+rand.IntN(10)) * time.Millisecond * time.Duration(max(1, (n+has-1)/has)))
		return 0, ctx.Err()
	}
	limiter := ratelimit.MustNew(ratelimit.Policy{Name: "pages", RequestsPerSecond: 500})
	breaker := circuitbreaker.MustNew(circuitbreaker.Policy{Name: "search", OpenFor: 2 * time.Second, WhenOpen: circuitbreaker.Wait})
	again := retry.MustNew(retry.Policy{MaxRetries: retry.Unlimited, MaxDelay: time.Second})
	_, _ = amorsize.ExecuteContext(ctx, service, make([]int, 1_000_000),
		amorsize.WithName("night crawl"), amorsize.WithPolicies(again, limiter, breaker))
}

// resumed is a run that is stopped, and goes on.
func resumed(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "livecheck")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	j, err := journal.Open(filepath.Join(dir, "run.jsonl"), journal.Options{})
	if err != nil {
		return err
	}
	defer func() { _ = j.Close() }()
	items := make([]int, 3000)
	for i := range items {
		items[i] = i
	}
	fn := func(_ context.Context, i int) (int, error) { time.Sleep(20 * time.Millisecond); return i, nil }
	first, stop := context.WithTimeout(ctx, 2*time.Second)
	defer stop()
	_, _ = amorsize.ExecuteContext(first, fn, items, amorsize.WithJournal(j), amorsize.WithWorkers(8), amorsize.WithName("resumed, first part"))
	_, err = amorsize.ExecuteContext(ctx, fn, items, amorsize.WithJournal(j), amorsize.WithWorkers(8), amorsize.WithName("resumed, second part"))
	return err
}
