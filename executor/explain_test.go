package executor_test

import (
	"context"
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/executor"
	"github.com/amorsize/amorsize/optimizer"
)

// many are the things that there can be one of.
var many = regexp.MustCompile(`\b1 (workers|chunks|items|events)\b`)

// The cores that were used are told if that is known.
func TestCoresOfAReport(t *testing.T) {
	require.Contains(t, (&executor.Report{Elapsed: 2 * time.Second, CPUTime: time.Second}).Explain(), "; 0.5 cores used")
	require.NotContains(t, (&executor.Report{Elapsed: 2 * time.Second}).Explain(), "cores used")
	require.NotContains(t, (&executor.Report{CPUTime: time.Second}).Explain(), "cores used")
	require.Zero(t, new(executor.Report).Goodput())
}

// What was done before a plan was made was not predicted, nor is what a stream takes;
// and one is one.
func TestReportTexts(t *testing.T) {
	texts := func(run func(*executor.Report)) (string, executor.Report) {
		var report executor.Report
		run(&report)
		text := report.Explain() + report.Plan.Explain() + report.Plan.String()
		require.NotRegexp(t, many, text)
		return text, report
	}
	plain := executor.Func[int, int]{Plain: func(i int) (int, error) { return i, nil }}
	for _, n := range []int{0, 1, 2, 50} {
		text, report := texts(func(r *executor.Report) {
			_, err := executor.Run(t.Context(), plain, sequence(n), executor.Config{Report: r, SampleSize: max(1, n)})
			require.NoError(t, err)
		})
		require.NotContains(t, text, "predicted")
		require.NotContains(t, text, "at best")
		require.Zero(t, report.PredictedDuration)
	}
	synctest.Test(t, func(t *testing.T) {
		for _, n := range []int{1, 500} {
			text, report := texts(func(r *executor.Report) {
				for range executor.Stream(t.Context(), withContext(milliseconds), slices.Values(sequence(n)), executor.Config{Report: r}) {
				}
			})
			require.NotContains(t, text, "predicted")
			require.NotContains(t, text, "0s, ")
			require.Zero(t, report.PredictedDuration)
		}
		// Two calls of a service: at best, since it has shown nothing yet.
		text, report := texts(func(r *executor.Report) {
			_, err := executor.Run(t.Context(), withContext(milliseconds), sequence(40), executor.Config{Report: r})
			require.NoError(t, err)
		})
		require.Contains(t, text, "at best")
		require.True(t, report.Plan.AtBest)
		_, report = texts(func(r *executor.Report) {
			_, err := executor.Run(t.Context(), withContext(milliseconds), sequence(4), executor.Config{Report: r, MaxWorkers: 1})
			require.NoError(t, err)
		})
		require.Equal(t, 1, report.PeakWorkers)
	})
}

// What came within a factor of two of its prediction needs no reason.
func TestReportNeedsNoReason(t *testing.T) {
	for elapsed, why := range map[time.Duration]bool{
		999 * time.Millisecond: true, time.Second: false, 4 * time.Second: false, 4001 * time.Millisecond: true,
	} {
		r := executor.Report{Items: 1, Succeeded: 1, PredictedDuration: 2 * time.Second, Elapsed: elapsed}
		for line := range strings.Lines(r.String()) {
			if strings.Contains(line, "predicted") {
				require.Equal(t, why, strings.Contains(line, ";"), "%v: %s", elapsed, line)
			}
		}
	}
}

// A prediction that was off by more than a factor of two says why.
func TestReportSaysWhy(t *testing.T) {
	plan := optimizer.Plan{Workers: 16, AtBest: true, Constraints: optimizer.Constraints{Rate: 50}}
	plan.Sample.ItemNanos = float64(20 * time.Millisecond)
	base := executor.Report{
		Plan: plan, Items: 100, Succeeded: 100, PredictedDuration: time.Second, Elapsed: 5 * time.Second,
		Busy: 2 * time.Second, MeanWorkers: 16.2,
	}
	for want, change := range map[string]func(*executor.Report){
		"at best   1s, measured 5s (+400 %); the service allowed only 16 at once": func(r *executor.Report) { r.Bound = executor.BoundByService },
		"; the service allowed only 4 at once": func(r *executor.Report) {
			r.Bound = executor.BoundByService
			r.Timeline = []executor.Moment{{InFlight: 90}, {InFlight: 4, Bound: r.Bound}, {InFlight: 4, Bound: r.Bound}, {InFlight: 70, Bound: r.Bound}}
		},
		"; limited to 20/s by a policy": func(r *executor.Report) { r.Bound, r.Plan.Constraints.Rate = executor.BoundByPolicies, 20 },

		"; policies limited it to 20/s\n": func(r *executor.Report) { r.Bound, r.Plan.Constraints.Rate = executor.BoundByPolicies, 25 }, // 80 % of it
		"; limited to 24.9/s by a policy": func(r *executor.Report) { r.Bound, r.Plan.Constraints.Rate = executor.BoundByPolicies, 24.9 },

		"; policies limited it to 20/s":                                       func(r *executor.Report) { r.Bound, r.Plan.Constraints.Rate = executor.BoundByPolicies, 0 },
		"; memory allowed only 16 at once":                                    func(r *executor.Report) { r.Bound = executor.BoundByMemory },
		"; a call took 200ms on average, not 20ms":                            func(r *executor.Report) { r.Busy *= 10 },
		"; a call took 32ms on average, not 20ms":                             func(r *executor.Report) { r.Busy = 3200 * time.Millisecond },
		"; a call took 12ms on average, not 20ms":                             func(r *executor.Report) { r.Busy = 1200 * time.Millisecond },
		"+400 %); the throughput rose more slowly":                            func(r *executor.Report) { r.Busy = 2900 * time.Millisecond },
		"; only 2 workers ran on average":                                     func(r *executor.Report) { r.MeanWorkers = 2 },
		"; only 11.1 workers ran on average":                                  func(r *executor.Report) { r.MeanWorkers = 11.1 },
		"; the throughput rose more slowly than the plan assumed\n":           func(r *executor.Report) { r.MeanWorkers = 11.2 }, // 70 %
		"; the cores were busy with other work too":                           func(r *executor.Report) { r.Bound = executor.BoundByCores },
		"; the run ended after 10 of 100 items":                               func(r *executor.Report) { r.Succeeded, r.Failed = 9, 1 },
		"predicted 1s, measured 5s (+400 %); the throughput rose more slowly": func(r *executor.Report) { r.Plan.AtBest = false },
		"predicted 1s, measured 100ms (-90 %); a call took 2ms": func(r *executor.Report) {
			r.Elapsed, r.Busy, r.Plan.AtBest = 100*time.Millisecond, 200*time.Millisecond, false
		},
		"predicted 1s, measured 1.9s (+90 %)\n": func(r *executor.Report) { r.Elapsed, r.Plan.AtBest = 1900*time.Millisecond, false },
	} {
		r := base
		r.Bound = executor.BoundByItems
		change(&r)
		require.Contains(t, r.String(), want)
		require.Equal(t, 1, strings.Count(r.String(), "measured"))
	}
}

// That a call took another time than foreseen is a reason where one was foreseen, and if it is another by half.
func TestCallsThatTookAnotherTime(t *testing.T) {
	for _, c := range []struct {
		foreseen, took time.Duration
		reason         bool
	}{
		{20 * time.Millisecond, 30 * time.Millisecond, false}, {20 * time.Millisecond, 30*time.Millisecond + 1, true},
		{30 * time.Millisecond, 20 * time.Millisecond, false}, {30 * time.Millisecond, 20*time.Millisecond - 1, true},
		{0, time.Millisecond, false}, {1, time.Millisecond, true}, {time.Millisecond, 0, true},
	} {
		r := executor.Report{Items: 9, Succeeded: 9, PredictedDuration: time.Second, Elapsed: 5 * time.Second, Busy: 9 * c.took}
		r.Plan.Sample.ItemNanos = float64(c.foreseen)
		require.Equal(t, c.reason, strings.Contains(r.String(), "; a call took "), c)
	}
}

// The prediction for a fixed number of workers, of which no sample is taken, and for
// a plan made before, comes while running.
func TestPredictedWhileRunning(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		plan := optimizer.Plan{Workers: 8, MaxWorkers: 8, ChunkSize: 1}
		for _, cfg := range []executor.Config{{Workers: 8}, {Plan: &plan}} {
			var report executor.Report
			cfg.Report = &report
			_, err := executor.Run(t.Context(), withContext(func(_ context.Context, i int) (int, error) {
				time.Sleep(20 * time.Millisecond)
				return i, nil
			}), sequence(2000), cfg)
			require.NoError(t, err)
			require.InEpsilon(t, report.Elapsed, report.PredictedDuration, 0.1)
		}
	})
}

// A timeline is told in at most 16 rows, the last moment of each part.
func TestRowsOfATimeline(t *testing.T) {
	for moments, rows := range map[int]int{1: 1, 16: 16, 17: 9, 32: 16, 33: 11, 48: 16, 160: 16} {
		r := executor.Report{Timeline: make([]executor.Moment, moments)}
		for i := range r.Timeline {
			r.Timeline[i].Limit = 1000 + i
		}
		_, table, found := strings.Cut(r.Explain(), "over time\n")
		require.True(t, found)
		lines := strings.Split(strings.TrimSpace(table), "\n")[1:]
		require.Len(t, lines, rows, moments)
		require.Contains(t, lines[rows-1], fmt.Sprint(999+moments))
	}
}

// The sampled items of a run go through its policies; what these take is not theirs.
func TestSampleOfOnePolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var report executor.Report
		_, err := executor.Run(t.Context(), withContext(func(_ context.Context, i int) (int, error) {
			time.Sleep(10 * time.Microsecond)
			return i, nil
		}), sequence(3), executor.Config{Report: &report, MaxWorkers: 1, SampleSize: 3, Policies: []executor.Policy{slowly(time.Second)}})
		require.NoError(t, err)
		require.EqualValues(t, 10*time.Microsecond, report.Plan.Sample.ItemNanos)
	})
}

// slowly is a policy that takes its time.
type slowly time.Duration

func (s slowly) Do(ctx context.Context, call func(context.Context) error) error {
	time.Sleep(time.Duration(s))
	return call(ctx)
}

// What a call of a stream takes is that of one item, under policies as well.
func TestLatencyOfAPolicedStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var report executor.Report
		for r := range executor.Stream(t.Context(), withContext(func(_ context.Context, i int) (int, error) {
			time.Sleep(20 * time.Millisecond)
			return i, nil
		}), slices.Values(sequence(500)), executor.Config{Report: &report, MaxWorkers: 8, Policies: []executor.Policy{slowly(0)}}) {
			require.NoError(t, r.Err)
		}
		require.Equal(t, 20*time.Millisecond, report.Latency.Base)
		require.InDelta(t, 20*time.Millisecond, report.Latency.P99, float64(time.Millisecond))
	})
}

// An event says when it was.
func TestEventsAreTimed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		at := map[executor.EventKind]time.Duration{}
		_, err := executor.Run(t.Context(), withContext(func(_ context.Context, i int) (int, error) {
			time.Sleep(time.Second)
			return i, nil
		}), sequence(3), executor.Config{MaxWorkers: 1, Observers: []executor.Observer{executor.ObserverFunc(func(e executor.Event) { at[e.Kind] = e.Elapsed })}})
		require.NoError(t, err)
		require.Zero(t, at[executor.Started])
		require.Equal(t, 3*time.Second, at[executor.Finished])
	})
}

// A logger is told of the changes of the number of workers.
func TestChangesAreLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		var report executor.Report
		_, err := executor.Run(t.Context(), withContext(func(_ context.Context, i int) (int, error) {
			time.Sleep(20 * time.Millisecond)
			return i, nil
		}), sequence(3000), executor.Config{Report: &report, Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
		require.NoError(t, err)
		require.NotEmpty(t, report.Changes)
		require.Contains(t, log.String(), "level=DEBUG")
	})
}

// watchedContext counts what waits for its end.
type watchedContext struct {
	context.Context
	done  chan struct{}
	waits atomic.Int32
}

func (c *watchedContext) Done() <-chan struct{} { return c.done }

func (c *watchedContext) AfterFunc(func()) (stop func() bool) {
	c.waits.Add(1)
	var once sync.Once
	return func() bool { once.Do(func() { c.waits.Add(-1) }); return true }
}

// A run that is over waits for nothing of the caller's context, which may live long.
func TestNothingWaitsForTheContext(t *testing.T) {
	inBubble(t, func(t *testing.T, f form) {
		ctx := &watchedContext{Context: t.Context(), done: make(chan struct{})}
		_, err := f.run(ctx, func(_ context.Context, i int) (int, error) { time.Sleep(time.Millisecond); return i, nil }, sequence(200), executor.Config{})
		require.NoError(t, err)
		synctest.Wait()
		require.Zero(t, ctx.waits.Load())
	})
}

// A run of given items was bound by their number, or by how little work they are; those of a stream may come slowly.
func TestBoundByItemsInWords(t *testing.T) {
	r := executor.Report{Bound: executor.BoundByItems, PeakWorkers: 1}
	require.Contains(t, r.String(), "items: there are too few items, or they arrive too slowly\n  faster    with items that arrive faster")
	r.Plan.Constraints.Items = 1
	require.Contains(t, r.String(), "items: there was not enough work for a second worker to help\n  faster    with calls that take less time")
	r.PeakWorkers = 2
	require.Contains(t, r.String(), "items: there were too few items for more calls in flight\n")
	r.Items = 9
	require.Contains(t, r.String(), "items: the run ended early\n  faster    with items that do not end the run\n")
}

// A report has the first warning, and says how many more there are; all are explained.
func TestWarningsOfAReport(t *testing.T) {
	for n, want := range [][]string{{}, {"one"}, {"one (and 1 more)", "two"}, {"one (and 2 more)", "two", "three"}} {
		r := executor.Report{Bound: executor.BoundByItems, Warnings: []string{"one", "two", "three"}[:n]}
		var short, all []string
		for line := range strings.Lines(r.String()) {
			if text, found := strings.CutPrefix(line, "  warning   "); found {
				short = append(short, strings.TrimSpace(text))
			}
		}
		for line := range strings.Lines(r.Explain()) {
			if text, found := strings.CutPrefix(line, "  warning   "); found {
				all = append(all, strings.TrimSpace(text))
			}
		}
		require.Equal(t, want[:min(1, n)], append([]string{}, short...))
		require.Equal(t, want, append([]string{}, all...))
	}
}
