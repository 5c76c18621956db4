package executor_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/executor"
)

// recorder keeps events. It has no lock: events must come one at a time.
type recorder struct{ events []executor.Event }

func (r *recorder) Observe(e executor.Event) { r.events = append(r.events, e) }

func (r *recorder) of(kind executor.EventKind) (out []executor.Event) {
	for _, e := range r.events {
		if e.Kind == kind {
			out = append(out, e)
		}
	}
	return out
}

func milliseconds(_ context.Context, i int) (int, error) {
	time.Sleep(time.Millisecond)
	return i, nil
}

// One start, one end, chunks in sequence, fractions that do not decrease.
func TestEvents(t *testing.T) {
	inBubble(t, func(t *testing.T, f form) {
		for _, n := range []int{0, 1, 20, 500} {
			for _, workers := range []int{0, 1, 4} {
				var seen recorder
				_, err := f.run(t.Context(), milliseconds, sequence(n), executor.Config{Workers: workers, Observers: []executor.Observer{&seen}})
				require.NoError(t, err)
				require.Len(t, seen.of(executor.Started), 1)
				require.Len(t, seen.of(executor.Finished), 1)
				require.Equal(t, executor.Started, seen.events[0].Kind)
				last := seen.events[len(seen.events)-1]
				require.Equal(t, executor.Finished, last.Kind)
				require.Equal(t, n, last.Completed)
				require.Equal(t, n, last.Report.Succeeded)
				require.NotNil(t, last.Plan)
				planning := seen.of(executor.Planning)
				require.Zero(t, planning[0].Fraction)
				require.Equal(t, 1.0, planning[len(planning)-1].Fraction)
				require.NotEmpty(t, seen.of(executor.Planned))
				completed, elapsed, sum := 0, time.Duration(0), 0
				for k, e := range seen.of(executor.ChunkDone) {
					require.Equal(t, k, e.Chunk)
					require.Positive(t, e.Size)
					require.GreaterOrEqual(t, e.Duration, time.Duration(0))
					require.GreaterOrEqual(t, e.Completed, completed)
					require.GreaterOrEqual(t, e.Elapsed, elapsed)
					require.Equal(t, n, e.Total)
					completed, elapsed, sum = e.Completed, e.Elapsed, sum+e.Size
				}
				require.Equal(t, n, sum)
			}
		}
	})
}

// At most one call per interval, and always one at the end, in step with it.
func TestProgress(t *testing.T) {
	inBubble(t, func(t *testing.T, f form) {
		var calls []executor.Progress
		_, err := f.run(t.Context(), milliseconds, sequence(1000), executor.Config{
			Workers:  2,
			Progress: func(p executor.Progress) { calls = append(calls, p) },
		})
		require.NoError(t, err)
		require.Greater(t, len(calls), 3)
		for k := 1; k < len(calls)-1; k++ {
			require.GreaterOrEqual(t, calls[k].Elapsed-calls[k-1].Elapsed, executor.DefaultProgressInterval)
			require.InDelta(t, float64(1000-calls[k].Completed)/calls[k].Rate, calls[k].Remaining.Seconds(), 0.01)
			require.InDelta(t, float64(calls[k].Completed)/calls[k].Elapsed.Seconds(), calls[k].Rate, 1e-6)
		}
		last := calls[len(calls)-1]
		require.Equal(t, 1000, last.Completed)
		require.Equal(t, 1.0, last.Fraction())
		require.Zero(t, last.Remaining)
		require.Positive(t, last.Rate)
		require.Equal(t, 2, calls[0].Workers)
		require.GreaterOrEqual(t, calls[0].Elapsed, executor.DefaultProgressInterval)
	})
	require.Equal(t, 1.0, executor.Progress{}.Fraction())
}

// Without items, and of a run that fails, the end is told too.
func TestProgressOfShortRuns(t *testing.T) {
	for _, n := range []int{0, 1, 5} {
		for _, fails := range []bool{false, true} {
			calls := 0
			_, _ = executor.Run(t.Context(), executor.Func[int, int]{Plain: func(i int) (int, error) {
				if fails {
					return 0, errOdd
				}
				return i, nil
			}}, sequence(n), executor.Config{Progress: func(p executor.Progress) {
				calls++
				require.Equal(t, n, p.Total)
			}})
			require.Positive(t, calls, "%d items", n)
		}
	}
}

func TestEvery(t *testing.T) {
	var at []time.Duration
	tell := executor.Every(500*time.Millisecond, func(p executor.Progress) { at = append(at, p.Elapsed) })
	for _, ms := range []int{1000, 1300, 1600} {
		tell(executor.Progress{Completed: 1, Total: 9, Elapsed: time.Duration(ms) * time.Millisecond})
	}
	tell(executor.Progress{Completed: 9, Total: 9, Elapsed: 1700 * time.Millisecond})
	require.Equal(t, []time.Duration{1000 * time.Millisecond, 1600 * time.Millisecond, 1700 * time.Millisecond}, at)

	told := 0
	executor.Every(time.Hour, func(executor.Progress) { told++ })(executor.Progress{})
	require.Equal(t, 1, told, "nothing of nothing is all of it")
	executor.Every(time.Hour, func(executor.Progress) { told++ })(executor.Progress{Total: -1})
	require.Equal(t, 1, told, "how many there are is not known")
}

// A panic in a listener, and an end of its goroutine, change nothing of the run, whenever they
// come: the report tells of them.
func TestListenersFail(t *testing.T) {
	before := slog.Default()
	slog.SetDefault(slog.New(slog.DiscardHandler))
	defer slog.SetDefault(before)
	fails := map[string]func(){"panicked": func() { panic(errOdd) }, "called runtime.Goexit": runtime.Goexit}
	inBubble(t, func(t *testing.T, f form) {
		for how, fail := range fails {
			for kind := executor.Started; kind <= executor.Finished; kind++ {
				for _, n := range []int{1, 100} {
					var report executor.Report
					failed, ended := false, 0
					_, err := f.run(t.Context(), milliseconds, sequence(n), executor.Config{
						Report: &report,
						Observers: []executor.Observer{executor.ObserverFunc(func(e executor.Event) {
							if e.Kind == executor.Finished {
								ended++
							}
							if e.Kind == kind {
								failed = true
								fail()
							}
						})},
						Progress: func(executor.Progress) { fail() },
					})
					require.NoError(t, err)
					require.Equal(t, n, report.Succeeded)
					require.Equal(t, 1, ended)
					if failed && kind < executor.Progressed {
						require.Contains(t, strings.Join(report.Warnings, "; "), "listeners "+how)
					}
				}
			}
		}
	})
}

// An observer that never returns holds up nothing but the end, and that not for long.
func TestObserverBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		blocked := make(chan struct{})
		var report executor.Report
		start := time.Now()
		_, err := executor.Run(t.Context(), withContext(sleeping(10*time.Millisecond)), sequence(100), executor.Config{
			Workers: 4, Report: &report,
			Observers: []executor.Observer{executor.ObserverFunc(func(executor.Event) { <-blocked })},
		})
		require.NoError(t, err)
		require.Equal(t, 100, report.Succeeded)
		require.Equal(t, 250*time.Millisecond, report.Elapsed)
		require.Equal(t, 250*time.Millisecond+executor.Patience, time.Since(start))
		require.Contains(t, report.Warnings, "a listener did not return for 2s: no more events were delivered")
		close(blocked)
		synctest.Wait()
	})
}

// A run of 10 s takes 10 s, whoever is slow, and what is told of it is news.
func TestSlowListeners(t *testing.T) {
	const slow = 500 * time.Millisecond
	inBubble(t, func(t *testing.T, f form) {
		if f.batch {
			return
		}
		var oldest, lastElapsed time.Duration
		var start time.Time
		var seen recorder
		told, lines := 0, 0
		listeners := map[string]executor.Config{
			"progress": {Progress: func(p executor.Progress) {
				oldest = max(oldest, time.Since(start)-p.Elapsed)
				lastElapsed = p.Elapsed
				told++
				time.Sleep(slow)
			}},
			"observer": {Observers: []executor.Observer{executor.ObserverFunc(func(e executor.Event) {
				seen.Observe(e)
				time.Sleep(slow)
			})}},
			"logger": {Logger: slog.New(slog.NewTextHandler(writerFunc(func(line []byte) {
				lines++
				time.Sleep(slow)
			}), &slog.HandlerOptions{Level: slog.LevelDebug}))},
		}
		for name, cfg := range listeners {
			var report executor.Report
			cfg.Workers, cfg.Report = 4, &report
			start = time.Now()
			_, err := f.run(t.Context(), func(_ context.Context, i int) (int, error) {
				time.Sleep(10 * time.Millisecond)
				return i, nil
			}, sequence(4000), cfg)
			require.NoError(t, err)
			require.InDelta(t, 10, report.Elapsed.Seconds(), 0.1, name)
			require.LessOrEqual(t, time.Since(start), report.Elapsed+2*slow, "%s: the call under way, and the last one", name)
		}
		require.Zero(t, oldest, "old news")
		require.GreaterOrEqual(t, told, 20)
		require.Greater(t, lastElapsed, 9*time.Second)
		require.Equal(t, 2, lines)
		dropped := 0
		for _, e := range seen.events {
			dropped += e.Dropped
		}
		report := seen.of(executor.Finished)[0].Report
		require.Equal(t, dropped, report.Dropped)
		require.LessOrEqual(t, 4000-len(seen.of(executor.ChunkDone)), dropped, "how it went is dropped as well")
		require.Contains(t, report.Explain(), "dropped")
	})
}

type writerFunc func([]byte)

func (f writerFunc) Write(text []byte) (int, error) {
	f(text)
	return len(text), nil
}

// A call that takes long is told of while it runs: that the run has begun, and every
// second that it goes on.
func TestLongCallIsToldOf(t *testing.T) {
	inBubble(t, func(t *testing.T, f form) {
		for _, cfg := range []executor.Config{{}, {Workers: 1}, {MaxWorkers: 1}, {SampleSize: 1}} {
			for _, n := range []int{1, 3} {
				began := time.Duration(-1)
				var beats atomic.Int64
				start := time.Now()
				cfg.Observers = []executor.Observer{executor.ObserverFunc(func(e executor.Event) {
					if e.Kind == executor.Started {
						began = time.Since(start)
					}
				})}
				cfg.Progress = func(p executor.Progress) {
					if beat := beats.Add(1); p.Completed == 0 {
						require.Equal(t, time.Duration(beat)*time.Second, p.Elapsed)
					}
				}
				_, err := f.run(t.Context(), func(_ context.Context, i int) (int, error) {
					time.Sleep(9500 * time.Millisecond)
					require.GreaterOrEqual(t, beats.Load(), int64(9))
					return i, nil
				}, sequence(n), cfg)
				require.NoError(t, err)
				require.LessOrEqual(t, began, 2*time.Millisecond)
				require.GreaterOrEqual(t, began, time.Duration(0))
				require.GreaterOrEqual(t, beats.Load(), int64(10))
			}
		}
	})
}

// The loop over a stream does not wait for a listener before the end.
func TestSlowListenerOfAStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const slow = time.Second
		last, longest := time.Now(), time.Duration(0)
		for range executor.Stream(t.Context(), withContext(sleeping(10*time.Millisecond)), count(500), executor.Config{
			Workers: 1, ProgressInterval: 1,
			Observers: []executor.Observer{executor.ObserverFunc(func(executor.Event) { time.Sleep(slow) })},
			Progress:  func(executor.Progress) { time.Sleep(slow) },
		}) {
			longest = max(longest, time.Since(last))
			last = time.Now()
		}
		require.LessOrEqual(t, longest, 20*time.Millisecond)
		require.LessOrEqual(t, time.Since(last), 4*slow, "a call under way, the plan, the end to both")
	})
}

// A listener may be slow, and may call the engine.
func TestObserverCallsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nested := 0
		_, err := executor.Run(t.Context(), executor.Func[int, int]{Context: milliseconds}, sequence(50), executor.Config{
			Workers: 4,
			Observers: []executor.Observer{executor.ObserverFunc(func(e executor.Event) {
				if e.Kind == executor.ChunkDone {
					time.Sleep(3 * time.Millisecond)
					out, err := executor.Run(t.Context(), executor.Func[int, int]{Context: milliseconds}, sequence(10), executor.Config{})
					require.NoError(t, err)
					nested += len(out)
				}
			})},
		})
		require.NoError(t, err)
		require.Positive(t, nested)
	})
}

func TestLogger(t *testing.T) {
	var text bytes.Buffer
	log := slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{Level: slog.LevelDebug}))
	_, err := executor.Run(t.Context(), executor.Func[int, int]{Plain: func(i int) (int, error) { return i, nil }},
		sequence(10), executor.Config{Logger: log})
	require.NoError(t, err)
	require.Contains(t, text.String(), "msg=plan mode=") // which one depends on what else the machine does
	require.Contains(t, text.String(), "reason=")
	require.Contains(t, text.String(), "msg=done items=10 succeeded=10")
	require.GreaterOrEqual(t, strings.Count(text.String(), "level=INFO"), 2)
}

func TestHooks(t *testing.T) {
	var hooks executor.Hooks
	calls := map[string]int{}
	count := func(name string) func(executor.Event) { return func(executor.Event) { calls[name]++ } }
	first := hooks.On(executor.Started, count("start"))
	hooks.On(executor.Started, count("start too"))
	hooks.On(executor.Finished, count("end"))
	hooks.On(executor.Finished, count("end"))
	require.Equal(t, 4, hooks.Len())
	hooks.Observe(executor.Event{Kind: executor.Started})
	require.True(t, hooks.Remove(first))
	require.False(t, hooks.Remove(first))
	hooks.Observe(executor.Event{Kind: executor.Started})
	hooks.Observe(executor.Event{Kind: executor.Finished})
	require.Equal(t, map[string]int{"start": 1, "start too": 2, "end": 2}, calls)
	require.Equal(t, 2, hooks.RemoveKind(executor.Finished))
	hooks.On(executor.Planned, count("plan"))
	hooks.On(executor.Planned, count("plan"))
	require.Equal(t, 3, hooks.RemoveAll())
	require.Zero(t, hooks.Len())
}

func TestHooksConcurrently(t *testing.T) {
	var hooks executor.Hooks
	var mu sync.Mutex
	calls := 0
	var group sync.WaitGroup
	for range 50 {
		group.Go(func() { hooks.On(executor.ChunkDone, func(executor.Event) { mu.Lock(); defer mu.Unlock(); calls++ }) })
	}
	group.Wait()
	require.Equal(t, 50, hooks.Len())
	for range 50 {
		group.Go(func() { hooks.Observe(executor.Event{Kind: executor.ChunkDone}) })
	}
	group.Wait()
	require.Equal(t, 2500, calls)
	// A hook may remove itself.
	var self executor.Hook
	self = hooks.On(executor.Finished, func(executor.Event) { hooks.Remove(self) })
	hooks.Observe(executor.Event{Kind: executor.Finished})
	require.Equal(t, 50, hooks.Len())
}

func TestConfigErrors(t *testing.T) {
	for _, c := range []struct {
		field string
		cfg   executor.Config
	}{
		{"Workers", executor.Config{Workers: -1}},
		{"MaxWorkers", executor.Config{MaxWorkers: -1}},
		{"ChunkSize", executor.Config{ChunkSize: -1}},
		{"MaxChunkSize", executor.Config{MaxChunkSize: -5}},
		{"SampleSize", executor.Config{SampleSize: -1}},
		{"SampleSize", executor.Config{SampleSize: 10_001}},
		{"TargetChunk", executor.Config{TargetChunk: -time.Second}},
		{"TargetChunk", executor.Config{TargetChunk: 3601 * time.Second}},
		{"MemoryLimit", executor.Config{MemoryLimit: 1000}},
		{"Errors", executor.Config{Errors: 7}},
		{"ProgressInterval", executor.Config{ProgressInterval: -1}},
		{"Policies[1]", executor.Config{Policies: []executor.Policy{through{}, nil}}},
		{"Observers[0]", executor.Config{Observers: []executor.Observer{nil}}},
		{"Workers", executor.Config{Workers: 5, MaxWorkers: 4}},
		{"MinWorkers", executor.Config{MinWorkers: 5, MaxWorkers: 4}},
		{"ChunkSize", executor.Config{ChunkSize: 5, TargetChunk: time.Second}},
		{"ChunkSize", executor.Config{ChunkSize: 5, MaxChunkSize: 10}},
	} {
		for _, f := range forms {
			cfg := c.cfg
			if f.name == "policy" && cfg.Policies != nil {
				continue
			}
			out, err := f.run(t.Context(), func(context.Context, int) (int, error) {
				t.Error("an item was run")
				return 0, nil
			}, sequence(3), cfg)
			require.Nil(t, out)
			require.ErrorIs(t, err, executor.ErrConfig)
			invalid, ok := errors.AsType[*executor.ConfigError](err)
			require.True(t, ok)
			require.Equal(t, c.field, invalid.Field)
			require.NotEmpty(t, invalid.Range)
			require.ErrorContains(t, err, c.field)
		}
	}
	for _, legal := range []executor.Config{
		{SampleSize: 10_000}, {TargetChunk: time.Hour}, {MemoryLimit: 1 << 20}, {Workers: 2, MaxWorkers: 2}, {MinWorkers: 2, MaxWorkers: 2},
	} {
		require.NoError(t, legal.Validate())
	}
	_, err := executor.Run(t.Context(), executor.Func[int, int]{}, sequence(3), executor.Config{})
	require.ErrorIs(t, err, executor.ErrConfig)
	require.ErrorContains(t, err, "fn")
	_, err = executor.RunBatches[int, int](t.Context(), nil, sequence(3), executor.Config{})
	require.ErrorIs(t, err, executor.ErrConfig)
	_, err = executor.Measure(t.Context(), executor.Func[int, int]{}, sequence(3), executor.Config{})
	require.ErrorIs(t, err, executor.ErrConfig)
	_, err = executor.Run(nil, executor.Func[int, int]{Context: milliseconds}, sequence(3), executor.Config{}) //nolint:staticcheck // this is what is tested
	require.ErrorContains(t, err, "ctx")
}
