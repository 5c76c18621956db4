package executor

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/executor/internal/flight"
	"github.com/amorsize/amorsize/internal/hillclimb"
	"github.com/amorsize/amorsize/optimizer"
	"github.com/amorsize/amorsize/sampling"
)

func TestWorthSharing(t *testing.T) {
	require.False(t, (*learned)(nil).worthSharing(1000))
	l := &learned{sample: sampling.Sample{Items: 1, ItemNanos: float64(optimizer.LeastWork) / 10, CPUKnown: true, CPUShare: 1}}
	require.True(t, l.worthSharing(10))
	require.False(t, l.worthSharing(9))
	l.sample.CPUShare = 0
	require.True(t, l.worthSharing(1), "they wait")
}

// A run begins with what was learned, unless its caller decides.
func TestSessionBegins(t *testing.T) {
	s := &Session{learned: &learned{workers: 3}}
	for _, c := range []struct {
		cfg     Config
		learned bool
	}{{Config{}, true}, {Config{Plan: &optimizer.Plan{}}, false}, {Config{Workers: 1}, false}, {Config{SampleSize: 1}, false}} {
		c.cfg.Session = s
		require.Equal(t, c.learned, c.cfg.learn() != nil)
	}
	require.Equal(t, Stats{Runs: 4, Active: 4}, s.Stats())
	require.Nil(t, (*Session)(nil).begin())
	(*Session)(nil).end(0, 0)
	s.end(7, 2)
	s.end(5, 1)
	require.Equal(t, Stats{Runs: 4, Active: 2, Items: 12, Failed: 3}, s.Stats())
	_, ok := s.Plan()
	require.True(t, ok)
	_, ok = new(Session).Plan()
	require.False(t, ok)
}

// learning is what a run of so many items has come to.
func learning(items int) lesson {
	plan := optimizer.Plan{Warnings: []string{"odd"}, Workers: 5, Sample: sampling.Sample{Items: 9, ItemNanos: 0.5, Elapsed: 3, HeldBytes: 4}}
	return lesson{items: items, teaches: true, plan: plan, workers: 6}
}

// What the next run can begin with.
func TestSessionLearns(t *testing.T) {
	(*Session)(nil).learn(lesson{})
	var s Session
	s.stats.Active = 2
	l := learning(worthLearning)
	l.failed = 3
	s.learn(l)
	require.Equal(t, Stats{Active: 1, Items: worthLearning, Failed: 3}, s.Stats())
	require.Equal(t, &learned{sampling.Sample{ItemNanos: 0.5, HeldBytes: 4}, 6}, s.learned)
	plan, ok := s.Plan()
	require.True(t, ok)
	require.Equal(t, 5, plan.Workers)
	require.Empty(t, plan.Warnings)

	l = learning(worthLearning)
	l.base, l.held = 1, 77
	s.learn(l)
	require.Equal(t, sampling.Sample{ItemNanos: 1, HeldBytes: 77}, s.learned.sample)

	for name, change := range map[string]func(l *lesson){
		"not worth it":  func(l *lesson) { l.teaches = false },
		"few items":     func(l *lesson) { l.items-- },
		"nothing known": func(l *lesson) { l.plan.Sample.ItemNanos = 0 },
	} {
		var s Session
		l := learning(worthLearning)
		change(&l)
		s.learn(l)
		require.Nil(t, s.learned, name)
		require.EqualValues(t, l.items, s.Stats().Items)
	}
}

// What a run has to teach.
func TestLesson(t *testing.T) {
	r := wired(Config{}, 9)
	r.crew.started = true
	r.done = totals{items: 7, failed: 2}
	r.outcome.failed = []fault{{span: span{Lo: 1, Hi: 3}}, {span: span{Lo: 5, Hi: 6}}}
	r.planner.plan.Workers = 5
	r.record.last.Base, r.room.unit = 4, 77
	r.scheduler.control = hillclimb.New(0, hillclimb.Start{Workers: 6, Ceiling: 9})
	want := lesson{items: 7, failed: 5, teaches: true, plan: optimizer.Plan{Workers: 5}, workers: 6, base: 4}
	require.Equal(t, want, r.lesson())
	r.room.limit = 1
	want.held = 77
	require.Equal(t, want, r.lesson())
	r.cfg.Workers = 1
	require.False(t, r.lesson().teaches, "the caller decides")
	r.cfg.Workers, r.crew.started = 0, false
	require.False(t, r.lesson().teaches, "the caller alone")
}

func TestSessionStats(t *testing.T) {
	var s Session
	r := wired(Config{Session: &s}, 9)
	r.sharing.join()
	require.Same(t, &s.tracker, r.sharing.tracker)
	r.sharing.allow(50, 50)
	s.tracker.Enlist(&r.sharing, 0)
	s.tracker.Open(0, 16, time.Second, 3, false)
	var attempt flight.Attempt
	s.tracker.Enter(&attempt, 0, 1, 1)
	require.Equal(t, Stats{Limit: 16, InFlight: 1, Base: time.Second}, s.Stats())
}

// A call that makes a run of its own session is held back until that run has ended: it makes no request itself. One
// that makes a run of another session, or of none, is not.
func TestRunWithinACall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		outer, other := new(Session), new(Session)
		inner := map[string]func(ctx context.Context, fn Func[int, int], cfg Config) error{
			"a run": func(ctx context.Context, fn Func[int, int], cfg Config) error {
				_, err := Run(ctx, fn, []int{0}, cfg)
				return err
			},
			"a stream": func(ctx context.Context, fn Func[int, int], cfg Config) (err error) {
				for r := range Stream(ctx, fn, slices.Values([]int{0}), cfg) {
					err = errors.Join(err, r.Err)
				}
				return err
			},
		}
		for name, run := range inner {
			for session, held := range map[*Session]bool{outer: true, other: false, nil: false} {
				_, err := Run(t.Context(), Func[int, int]{Context: func(ctx context.Context, i int) (int, error) {
					call, ok := ctx.Value(sessionKey{outer}).(*callContext)
					require.True(t, ok, name)
					waits := func() bool { _, waits := call.waitsIn(); return waits }
					require.False(t, waits(), name)
					err := run(ctx, Func[int, int]{Plain: func(i int) (int, error) {
						require.Equal(t, held, waits(), name)
						return i, nil
					}}, Config{Session: session})
					require.False(t, waits(), "%s: it has ended", name)
					return i, err
				}}, []int{0}, Config{Session: outer})
				require.NoError(t, err, name)
			}
		}
	})
}

// What a call holds is learned, however little it is; where it is not known, what was known before stays.
func TestLittleHeldIsLearned(t *testing.T) {
	for held, want := range map[float64]float64{0: 4, 0.5: 0.5, 9: 9} {
		var s Session
		l := learning(worthLearning + 1)
		l.held = held
		s.learn(l)
		require.InDelta(t, want, s.learned.sample.HeldBytes, 0)
	}
}
