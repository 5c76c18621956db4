package plots

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/amorsizetest"
)

var out = flag.String("out", "", "directory to write to; a temporary one if empty")

const ms = time.Millisecond

// phase is a service from a time on, and the best that can be done with it.
type phase struct {
	best
	amorsizetest.Conditions
}

var figures = []struct {
	file, title string
	calls       int
	long        time.Duration
	phases      []phase
}{
	{"cold-start", "16 slots, 20 ms lognormal: from cold", 3000, 0, []phase{
		{best{0, 800, 16}, amorsizetest.Conditions{Slots: 16, Latency: amorsizetest.Lognormal(20*ms, 0.5)}}}},
	{"congestion", "16 slots, 20 ms, slower as the line grows", 3000, 0, []phase{
		{best{0, 800, 16}, amorsizetest.Conditions{Slots: 16, Latency: amorsizetest.Constant(20 * ms), Congestion: 0.7}}}},
	{"refusals", "16 slots, 20 ms exponential, refuses above a line of 4", 3000, 0, []phase{
		{best{0, 800, 16}, amorsizetest.Conditions{Slots: 16, Latency: amorsizetest.Exponential(20 * ms), Line: 4, Refusal: ms}}}},
	{"rate-limit", "500 calls per second, more are answered by 429", 3000, 0, []phase{
		{best{0, 500, 10}, amorsizetest.Conditions{Rate: 500, Burst: 10, Latency: amorsizetest.Lognormal(20*ms, 0.1), Refusal: ms}}}},
	{"network", "30 ms of network and 16 slots × 20 ms", 3000, 0, []phase{
		{best{0, 800, 40}, amorsizetest.Conditions{Slots: 16, Latency: amorsizetest.Lognormal(20*ms, 0.2), Network: 30 * ms}}}},
	{"large", "1000 slots × 20 ms, lognormal", 40_000, 0, []phase{
		{best{0, 50_000, 1000}, amorsizetest.Conditions{Slots: 1000, Latency: amorsizetest.Lognormal(20*ms, 0.5)}}}},
	{"small", "2 slots × 20 ms, lognormal", 600, 0, []phase{
		{best{0, 100, 2}, amorsizetest.Conditions{Slots: 2, Latency: amorsizetest.Lognormal(20*ms, 0.5)}}}},
	{"latency-change", "64 slots, latency 5, 50, 5 ms", 0, 9 * time.Second, []phase{
		{best{0, 12_800, 64}, amorsizetest.Conditions{Slots: 64, Latency: amorsizetest.Lognormal(5*ms, 0.2)}},
		{best{2 * time.Second, 1280, 64}, amorsizetest.Conditions{Slots: 64, Latency: amorsizetest.Lognormal(50*ms, 0.2)}},
		{best{7 * time.Second, 12_800, 64}, amorsizetest.Conditions{Slots: 64, Latency: amorsizetest.Lognormal(5*ms, 0.2)}}}},
	{"capacity-change", "20 ms; 16, 4, 32 slots", 0, 9 * time.Second, []phase{
		{best{0, 800, 16}, amorsizetest.Conditions{Slots: 16, Latency: amorsizetest.Lognormal(20*ms, 0.2)}},
		{best{3 * time.Second, 200, 4}, amorsizetest.Conditions{Slots: 4, Latency: amorsizetest.Lognormal(20*ms, 0.2)}},
		{best{6 * time.Second, 1600, 32}, amorsizetest.Conditions{Slots: 32, Latency: amorsizetest.Lognormal(20*ms, 0.2)}}}},
	{"outage", "16 slots × 20 ms; refuses all calls from 2 to 4 s", 0, 7 * time.Second, []phase{
		{best{0, 800, 16}, amorsizetest.Conditions{Slots: 16, Latency: amorsizetest.Lognormal(20*ms, 0.2)}},
		{best{2 * time.Second, 0, 0}, amorsizetest.Conditions{Outage: amorsizetest.Refusing, Refusal: 20 * ms}},
		{best{4 * time.Second, 800, 16}, amorsizetest.Conditions{Slots: 16, Latency: amorsizetest.Lognormal(20*ms, 0.2)}}}},
	{"no-limit", "no limit, 100 ms: 10 000 calls", 10_000, 0, []phase{
		{best{0, 0, 0}, amorsizetest.Conditions{Latency: amorsizetest.Constant(100 * ms)}}}},
}

func TestPlots(t *testing.T) {
	dir := *out
	if dir == "" {
		dir = t.TempDir()
	} else if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, f := range figures {
		t.Run(f.file, func(t *testing.T) {
			drawn := figure{title: f.title}
			synctest.Test(t, func(t *testing.T) {
				service := amorsizetest.New(f.phases[0].Conditions, 1)
				for _, p := range f.phases[1:] {
					service.At(p.from, p.Conditions)
				}
				calls, ctx := f.calls, t.Context()
				if f.long > 0 {
					calls = 1 << 20
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, f.long)
					defer cancel()
				}
				_, _ = amorsize.ExecuteContext(ctx, func(ctx context.Context, _ struct{}) (struct{}, error) {
					return struct{}{}, service.Call(ctx)
				}, make([]struct{}, calls), amorsize.WithErrors(amorsize.Collect), amorsize.WithReport(&drawn.report))
				drawn.timeline = service.Timeline()
			})
			for _, p := range f.phases {
				if p.rate > 0 || p.inFlight > 0 || len(f.phases) > 1 {
					drawn.best = append(drawn.best, p.best)
				}
			}
			path := filepath.Join(dir, f.file+".svg")
			if err := drawn.write(path); err != nil {
				t.Fatal(err)
			}
			if info, err := os.Stat(path); err != nil || info.Size() < 1000 {
				t.Errorf("%s is empty", path)
			}
		})
	}
}
