package main

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/live"
)

// observedSuite measures what it takes to be watched.
func observedSuite(o options) {
	observedRuns(o)
	observedItems(o)
	observedByViewers(o)
}

// everything are all listeners at once.
func everything() []amorsize.Option {
	return []amorsize.Option{
		amorsize.WithReport(new(amorsize.Report)), amorsize.WithProgress(func(amorsize.Progress) {}), amorsize.WithObserver(nothing{}),
		amorsize.WithLogger(slog.New(slog.NewTextHandler(io.Discard, nil))), amorsize.WithName("watched"), amorsize.WithLabels(),
	}
}

// ways are those of being watched.
func ways() []struct {
	name string
	opts func() []amorsize.Option
} {
	return []struct {
		name string
		opts func() []amorsize.Option
	}{
		{"WithReport", func() []amorsize.Option { return []amorsize.Option{amorsize.WithReport(new(amorsize.Report))} }},
		{"WithObserver", func() []amorsize.Option { return []amorsize.Option{amorsize.WithObserver(nothing{})} }},
		{"WithLabels", func() []amorsize.Option { return []amorsize.Option{amorsize.WithLabels()} }},
		{"everything", everything},
	}
}

// observedRuns tells what a small run takes more.
func observedRuns(o options) {
	items := repeat(10, roundsFor(20*time.Nanosecond))
	call := func(_ context.Context, i item) (result, error) { return spinItem(i) }
	const calls = 200
	run := func(opts func() []amorsize.Option) func() {
		return func() {
			for range calls {
				must(amorsize.ExecuteContext(context.Background(), call, items, opts()...))
			}
		}
	}
	contenders := []contender{{"not watched", run(func() []amorsize.Option { return nil })}}
	for _, w := range ways() {
		contenders = append(contenders, contender{w.name, run(w.opts)})
	}
	times := sample(10*o.reps, func() {}, contenders)
	t := newTable(o, "10 × 20ns: what a run that is watched takes more", "Median, and nine of ten are above and below.", "watched", "µs a run")
	for i, c := range contenders[1:] {
		more := spreadOf(times[0], times[i+1], func(a, b float64) float64 { return (b - a) / calls / 1000 })
		t.row(c.name, more.String())
		if c.name == "everything" {
			o.atMost("µs more than not watched, 10 × 20ns, everything", more.mid, 40)
		}
	}
}

// observedItems tells what items of 10 µs take more.
func observedItems(o options) {
	const n = 20_000
	items := repeat(n, roundsFor(10*time.Microsecond))
	call := func(_ context.Context, i item) (result, error) { return spinItem(i) }
	run := func(opts func() []amorsize.Option) func() {
		return func() { must(amorsize.ExecuteContext(context.Background(), call, items, opts()...)) }
	}
	contenders := []contender{{"not watched", run(func() []amorsize.Option { return nil })}}
	for _, w := range ways() {
		contenders = append(contenders, contender{w.name, run(w.opts)})
	}
	times := sample(2*o.reps, runtime.GC, contenders)
	t := newTable(o, "20 000 × 10µs: the time of a run that is watched, of one that is not", "Median, and nine of ten are above and below.", "watched", "ratio")
	for i, c := range contenders[1:] {
		ratio := spreadOf(times[0], times[i+1], func(a, b float64) float64 { return b / a })
		t.row(c.name, ratio.String())
		if c.name == "everything" {
			o.atMost("time of a run of 20 000 × 10µs, everything, of one not watched", ratio.mid, 1.03)
		}
	}
}

// observedByViewers tells what ten who look at a page of a thousand runs cost one of calls that
// wait.
func observedByViewers(o options) {
	page := must(live.New(live.Options{}))
	for i := range 1000 {
		must(amorsize.Execute(func(i int) (int, error) { return i, nil }, []int{i}, amorsize.WithObserver(page.Observer(amorsize.RunInfo{Name: "run " + strconv.Itoa(i)}))))
	}
	server := httptest.NewServer(page)
	defer server.Close()
	items := make([]int, 4000)
	wait := func(_ context.Context, i int) (int, error) { time.Sleep(5 * time.Millisecond); return i, nil }
	run := func(opts ...amorsize.Option) {
		must(amorsize.ExecuteContext(context.Background(), wait, items, append(opts, amorsize.WithWorkers(20))...))
	}
	alone := func() { run() }
	var ctx context.Context
	var leave context.CancelFunc
	var viewers sync.WaitGroup
	looked := func() { run(amorsize.WithObserver(page.Observer(amorsize.RunInfo{Name: "looked at"}))) }
	var alones, lookeds []float64
	for range o.reps {
		alones = append(alones, sample(1, runtime.GC, []contender{{"alone", alone}})[0]...)
		ctx, leave = context.WithCancel(context.Background())
		var see sync.WaitGroup // all have the page before the run begins
		for range 10 {
			see.Add(1)
			viewers.Go(func() { look(ctx, server.URL+"/events?run=1000", see.Done) })
		}
		see.Wait()
		lookeds = append(lookeds, sample(1, runtime.GC, []contender{{"looked at", looked}})[0]...)
		leave()
		viewers.Wait()
	}
	times := [][]float64{alones, lookeds}
	ratio := spreadOf(times[0], times[1], func(a, b float64) float64 { return b / a })
	t := newTable(o, "4000 × 5ms of waiting, 20 at a time: ten look at a page of 1000 runs", "The time of the run, of one that nobody looks at.", "looked at", "ratio")
	t.row("by ten", ratio.String())
	o.atMost("time of a run that ten look at on a page of 1000, of one alone", ratio.mid, 1.01)
}

// look reads what a page sends, until ctx ends. It tells when it has seen the first of it.
func look(ctx context.Context, url string, seen func()) {
	once := sync.OnceFunc(seen)
	defer once()
	request := must(http.NewRequestWithContext(ctx, http.MethodGet, url, nil))
	reply, err := http.DefaultClient.Do(request)
	if err != nil {
		return
	}
	defer func() { _ = reply.Body.Close() }()
	lines := bufio.NewScanner(reply.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		once()
	}
}
