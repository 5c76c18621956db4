package amorsize_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/circuitbreaker"
	"github.com/amorsize/amorsize/journal"
	"github.com/amorsize/amorsize/ratelimit"
	"github.com/amorsize/amorsize/retry"
)

// witness keeps what an observer is told.
type witness struct{ events []amorsize.Event }

func (w *witness) Observe(e amorsize.Event) { w.events = append(w.events, e) }

func (w *witness) of(kind amorsize.EventKind) (all []amorsize.Event) {
	for _, e := range w.events {
		if e.Kind == kind {
			all = append(all, e)
		}
	}
	return all
}

// A run whose service goes down for a while, behind two limiters, a breaker and retries: the
// events tell what became of each call, which policy made it wait, and what state that was in.
func TestEventsOfPolicies(t *testing.T) {
	forms := map[string]func(ctx context.Context, fn func(context.Context, int) (int, error), items []int, opts ...amorsize.Option) error{
		"execute": func(ctx context.Context, fn func(context.Context, int) (int, error), items []int, opts ...amorsize.Option) error {
			_, err := amorsize.ExecuteContext(ctx, fn, items, opts...)
			return err
		},
		"stream": func(ctx context.Context, fn func(context.Context, int) (int, error), items []int, opts ...amorsize.Option) error {
			for r := range amorsize.Stream(ctx, fn, seqOf(items), opts...) {
				if r.Err != nil {
					return r.Err
				}
			}
			return nil
		},
		"batches": func(ctx context.Context, fn func(context.Context, int) (int, error), items []int, opts ...amorsize.Option) error {
			_, err := amorsize.ExecuteBatches(ctx, func(ctx context.Context, batch []int) (out []int, err error) {
				for _, i := range batch {
					one, err := fn(ctx, i)
					if err != nil {
						return nil, err
					}
					out = append(out, one)
				}
				return out, nil
			}, items, append(opts, amorsize.WithChunkSize(1))...)
			return err
		},
	}
	for name, run := range forms {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				service := func(context.Context, int) (int, error) {
					time.Sleep(10 * time.Millisecond)
					if at := time.Since(start); at > time.Second && at < 3*time.Second {
						return 0, errors.New("down")
					}
					return 0, nil
				}
				outer := ratelimit.MustNew(ratelimit.Policy{Name: "search", RequestsPerSecond: 100, BurstSize: 1})
				inner := ratelimit.MustNew(ratelimit.Policy{Name: "pages", RequestsPerSecond: 90, BurstSize: 1})
				breaker := circuitbreaker.MustNew(circuitbreaker.Policy{Name: "search", FailureThreshold: 3, OpenFor: time.Second, WhenOpen: circuitbreaker.Wait})
				retrier := retry.MustNew(retry.Policy{Name: "patient", MaxRetries: retry.Unlimited, MaxDelay: time.Second})
				var seen witness
				var last amorsize.Progress
				var report amorsize.Report
				err := run(t.Context(), ratelimit.Wrap(inner, service), make([]int, 400),
					amorsize.WithPolicies(retrier, outer, breaker), amorsize.WithObserver(&seen), amorsize.WithReport(&report),
					amorsize.WithProgress(func(p amorsize.Progress) { last = p }))
				require.NoError(t, err)

				var states []string
				for _, e := range seen.of(amorsize.PolicyChanged) {
					states = append(states, e.Policy.Kind+" "+e.Policy.Name+" "+e.Policy.State)
				}
				require.Equal(t, []string{"circuitbreaker search open", "circuitbreaker search half-open"}, states[:2])
				require.Equal(t, "circuitbreaker search ", states[len(states)-1])

				calls := last.Calls
				require.Equal(t, report.Calls.Ended, calls.Ended)
				require.EqualValues(t, 400, calls.OK())
				require.EqualValues(t, calls.Failed.Other, calls.Failed.All())
				require.GreaterOrEqual(t, calls.Failed.Other, int64(3))
				require.Equal(t, calls.Failed.Other, calls.Retried)
				require.Equal(t, 400+calls.Retried, calls.Ended)
				require.InDelta(t, calls.Ended, calls.Latency.Count(), 20, "the first ones tell less")
				require.InEpsilon(t, 10*time.Millisecond, calls.Latency.Quantile(0.9), 0.02)
				waits := map[string]amorsize.Wait{}
				for _, w := range calls.Waits {
					waits[w.Kind+" "+w.Name] = w
				}
				require.Len(t, waits, 4)
				require.Equal(t, calls.Retried, waits["retry patient"].Calls)
				require.Positive(t, waits["ratelimit pages"].Total)
				require.Positive(t, waits["circuitbreaker search"].Total)

				progressed := seen.of(amorsize.Progressed)
				require.Greater(t, len(progressed), 20)
				for i := 1; i < len(progressed); i++ {
					require.GreaterOrEqual(t, progressed[i].Progress.Calls.Ended, progressed[i-1].Progress.Calls.Ended)
				}
				require.Equal(t, 400, progressed[len(progressed)-1].Progress.Completed)
				require.Equal(t, amorsize.Finished, seen.events[len(seen.events)-1].Kind)
			})
		})
	}
}

func seqOf(items []int) func(func(int) bool) {
	return func(yield func(int) bool) {
		for _, i := range items {
			if !yield(i) {
				return
			}
		}
	}
}

// Each change of the limit is told, with its reason, as the report has it.
func TestLimitChangesAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen witness
		var report amorsize.Report
		_, err := amorsize.ExecuteContext(t.Context(), func(_ context.Context, i int) (int, error) {
			time.Sleep(20 * time.Millisecond)
			return i, nil
		}, make([]int, 1000), amorsize.WithObserver(&seen), amorsize.WithReport(&report))
		require.NoError(t, err)
		changes := seen.of(amorsize.LimitChanged)
		require.NotEmpty(t, changes)
		require.Len(t, changes, len(report.Changes))
		for i, e := range changes {
			require.Equal(t, report.Changes[i], *e.Change)
			require.NotEmpty(t, e.Change.Reason)
		}
	})
}

// What is left of a pause is part of what a run is said to take yet, and it is said that it is one.
func TestPauseIsToldOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limiter := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 100, BurstSize: 1})
		time.AfterFunc(time.Second, func() { limiter.PauseFor(time.Minute) })
		var paused []amorsize.Progress
		_, err := amorsize.Execute(double, make([]int, 300), amorsize.WithPolicies(limiter), amorsize.WithProgress(func(p amorsize.Progress) {
			if len(p.Calls.Policies) > 0 {
				paused = append(paused, p)
			}
		}))
		require.NoError(t, err)
		require.Greater(t, len(paused), 50, "at the heartbeat")
		for _, p := range paused {
			state := p.Calls.Policies[0]
			require.Equal(t, "ratelimit paused", state.Name+" "+state.State)
			require.InDelta(t, 63, (p.Elapsed + p.Remaining).Seconds(), 1)
		}
	})
}

// A policy that refuses has a call not be made.
func TestCallsNotMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		breaker := circuitbreaker.MustNew(circuitbreaker.Policy{FailureThreshold: 2})
		var report amorsize.Report
		_, err := amorsize.ExecuteContext(t.Context(), func(context.Context, int) (int, error) {
			time.Sleep(time.Millisecond)
			return 0, context.DeadlineExceeded
		}, make([]int, 50), amorsize.WithWorkers(1), amorsize.WithPolicies(breaker), amorsize.WithErrors(amorsize.Collect), amorsize.WithReport(&report))
		require.ErrorIs(t, err, circuitbreaker.ErrOpen)
		require.Equal(t, amorsize.Failures{TimedOut: 2}, report.Calls.Failed)
		require.EqualValues(t, 48, report.Calls.NotMade)
		require.EqualValues(t, 2, report.Calls.Ended)
	})
}

// A journal's syncs are told of.
func TestSyncsAreToldOf(t *testing.T) {
	j, err := journal.Open(filepath.Join(t.TempDir(), "run.jsonl"), journal.Options{Sync: journal.SyncAlways})
	require.NoError(t, err)
	defer func() { require.NoError(t, j.Close()) }()
	var seen witness
	_, err = amorsize.Execute(double, []int{1, 2, 3}, amorsize.WithJournal(j), amorsize.WithObserver(&seen))
	require.NoError(t, err)
	records := 0
	for _, e := range seen.of(amorsize.Synced) {
		records += e.Size
		require.Positive(t, e.Duration)
	}
	require.Equal(t, 3, records)
}
