package executor

import (
	"log/slog"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/internal/clock"
)

// watching is an observer that looks at nothing.
var watching = []Observer{ObserverFunc(func(Event) {})}

// What is due next: many notices, or one that is half delivered, at once; few in a moment; progress in its time.
func TestWhatIsDue(t *testing.T) {
	const now = 10 * time.Second
	for name, c := range map[string]struct {
		cfg    Config
		change func(e *events)
		want   time.Duration
	}{
		"nothing":                {Config{Logger: slog.New(slog.DiscardHandler)}, func(*events) {}, never},
		"a notice":               {Config{Logger: slog.New(slog.DiscardHandler)}, func(e *events) { e.queue(1) }, now + tellAfter},
		"not yet many":           {Config{Observers: watching}, func(e *events) { e.queue(tellAtOnce - 1) }, now + tellAfter},
		"many":                   {Config{Observers: watching}, func(e *events) { e.queue(tellAtOnce) }, now},
		"one half delivered":     {Config{Observers: watching}, func(e *events) { e.teller.midway = true }, now},
		"half of one of several": {Config{Observers: watching}, func(e *events) { e.teller.midway = true; e.queue(1) }, now},
		"the heartbeat":          {Config{Observers: watching}, func(*events) {}, 9500*time.Millisecond + heartbeat},
		"news before a notice":   {Config{Observers: watching, ProgressInterval: time.Second/2 + 1}, func(e *events) { e.queue(1); e.fresh.Store(true) }, now + 1},
		"a notice before news":   {Config{Observers: watching, ProgressInterval: 2 * time.Second}, func(e *events) { e.queue(1); e.fresh.Store(true) }, now + tellAfter},
	} {
		e := newEvents(&c.cfg, 9, 9500*time.Millisecond)
		c.change(e)
		require.Equal(t, c.want, e.due(now), name)
	}
}

// queue has so many notices wait that nothing has set a timer for.
func (e *events) queue(notices int) {
	for range notices {
		e.backlog.add(notice{event: Event{Kind: Synced}})
	}
}

// Progress is due an interval after the last one where there is news, else at the heartbeat; not where nobody is told,
// nor when all is done: that is for the end.
func TestProgressIsDue(t *testing.T) {
	for name, c := range map[string]struct {
		cfg       Config
		fresh     bool
		completed int64
		want      time.Duration
	}{
		"a logger alone":             {Config{Logger: slog.New(slog.DiscardHandler)}, true, 1, never},
		"news":                       {Config{Observers: watching}, true, 1, 5*time.Second + DefaultProgressInterval},
		"no news":                    {Config{Observers: watching}, false, 1, 5*time.Second + heartbeat},
		"a long interval, news":      {Config{Observers: watching, ProgressInterval: 3 * time.Second}, true, 1, 8 * time.Second},
		"a long interval, no news":   {Config{Observers: watching, ProgressInterval: 3 * time.Second}, false, 1, 8 * time.Second},
		"an interval of centuries":   {Config{Observers: watching, ProgressInterval: math.MaxInt64}, true, 1, never},
		"all is done":                {Config{Observers: watching}, true, 9, never},
		"all is done, with a bar":    {Config{Progress: func(Progress) {}}, true, 9, never},
		"with a bar":                 {Config{Progress: func(Progress) {}}, true, 8, 5*time.Second + DefaultProgressInterval},
		"the shortest interval":      {Config{Observers: watching, ProgressInterval: 1}, true, 1, 5*time.Second + 1},
		"the shortest, without news": {Config{Observers: watching, ProgressInterval: 1}, false, 1, 5*time.Second + heartbeat},
	} {
		e := newEvents(&c.cfg, 9, 5*time.Second)
		e.fresh.Store(c.fresh)
		e.completed.Store(c.completed)
		require.Equal(t, c.want, e.progressDue(), name)
	}
}

// The timer is set where it may be, and for what comes before that which it is set for.
func TestTimerIsSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Second) // the clock does not begin with the run
		now := clock.Now()
		for name, c := range map[string]struct {
			change func(*teller)
			want   time.Duration
		}{
			"awake":                       {func(*teller) {}, now + tellAfter},
			"not yet awake":               {func(t *teller) { t.awake = false }, never},
			"listeners are being called":  {func(t *teller) { t.telling = true }, never},
			"the end delivers":            {func(t *teller) { t.closing = true }, never},
			"given up":                    {func(t *teller) { t.given = true }, never},
			"it is set for later":         {func(t *teller) { t.alarm = now + tellAfter + 1 }, now + tellAfter},
			"it is set for before":        {func(t *teller) { t.alarm = now + tellAfter - 1 }, now + tellAfter - 1},
			"not awake, and called":       {func(t *teller) { t.awake, t.telling = false, true }, never},
			"awake, at the end, given up": {func(t *teller) { t.closing, t.given = true, true }, never},
		} {
			e := newEvents(&Config{Observers: watching}, 9, now)
			e.queue(1)
			e.teller.awake = true
			before := e.teller.alarm
			c.change(&e.teller)
			e.mu.Lock()
			e.schedule(now)
			require.Equal(t, c.want, e.teller.alarm, name)
			require.Equal(t, c.want == now+tellAfter, e.teller.timer != nil, name)
			require.Equal(t, never, before)
			e.mu.Unlock()
		}
	})
}

// The second time, notices come as soon as the first time: few in a moment, many at once.
func TestTimerIsSetAgain(t *testing.T) {
	for _, c := range []struct {
		notices int
		after   time.Duration
	}{{1, tellAfter}, {tellAtOnce, 0}} {
		synctest.Test(t, func(t *testing.T) {
			var at []time.Duration
			e := newEvents(&Config{Observers: []Observer{ObserverFunc(func(e Event) {
				if e.Kind == Planned {
					at = append(at, clock.Now())
				}
			})}}, 9, clock.Now())
			e.wake()
			for range 3 {
				time.Sleep(10 * time.Millisecond)
				began := clock.Now()
				for range c.notices {
					e.tell(Event{Kind: Planned})
				}
				time.Sleep(5 * tellAfter)
				synctest.Wait()
				require.Equal(t, began+c.after, at[len(at)-1])
				require.Equal(t, began+c.after, at[len(at)-c.notices])
			}
			require.Len(t, at, 3*c.notices)
			e.close()
		})
	}
}

// telling is a run with an observer and a bar that write down what they are called with, and take so long.
func telling(bar, observer time.Duration) (e *events, told *[]string) {
	told = new([]string)
	return newEvents(&Config{
		Observers: []Observer{ObserverFunc(func(e Event) {
			*told = append(*told, "event")
			time.Sleep(observer)
		})},
		Progress: func(Progress) { *told = append(*told, "progress"); time.Sleep(bar) },
	}, 9, clock.Now()), told
}

// Where progress and notices are due, progress goes first, unless notices have precedence: for as long as progress took
// the last time.
func TestPrecedence(t *testing.T) {
	for name, c := range map[string]struct {
		turn time.Duration // from now on
		want []string
	}{
		"of progress":                  {-time.Second, []string{"progress", "event"}},
		"of progress, from now on":     {0, []string{"progress", "event"}},
		"of notices, for a moment":     {1, []string{"event", "progress"}},
		"of notices, for a long while": {time.Hour, []string{"event", "progress"}},
	} {
		synctest.Test(t, func(t *testing.T) {
			e, told := telling(3*time.Second, 0)
			time.Sleep(heartbeat)
			now := clock.Now()
			e.queue(1)
			e.teller.turn = now + c.turn
			e.mu.Lock()
			defer e.mu.Unlock()
			e.tellDue(func(time.Duration) bool { return len(*told) == 2 })
			require.Equal(t, c.want, *told, name)
			require.Equal(t, now, e.teller.progress, name)
			require.Equal(t, now+6*time.Second, e.teller.turn, name)
		})
	}
}

// Listeners are called until enough is said, nothing is due, or it is given up; behind the end no progress is.
func TestWhenTellingEnds(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*teller)
		most   int
		want   []string
	}{
		"nothing is due":    {func(*teller) {}, 9, []string{"progress", "event", "event", "event"}},
		"enough":            {func(*teller) {}, 2, []string{"progress", "event"}},
		"nothing is wanted": {func(*teller) {}, 0, nil},
		"given up":          {func(t *teller) { t.given = true }, 9, nil},
		"the end delivers":  {func(t *teller) { t.closing = true }, 9, []string{"event", "event"}},
	} {
		synctest.Test(t, func(t *testing.T) {
			e, told := telling(0, 0)
			time.Sleep(heartbeat)
			e.queue(2)
			c.change(&e.teller)
			e.mu.Lock()
			defer e.mu.Unlock()
			e.tellDue(func(time.Duration) bool {
				require.True(t, e.teller.telling, name)
				return len(*told) >= c.most
			})
			require.Equal(t, c.want, *told, name)
			require.False(t, e.teller.telling, name)
		})
	}
}

// Where a bar alone is told, nothing is queued for observers; where observers alone are, nothing else is called.
func TestProgressIsQueuedForObservers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, c := range map[string]struct {
			cfg    func(told *int) Config
			queued int
			told   int
		}{
			"a bar":          {func(told *int) Config { return Config{Progress: func(Progress) { *told++ }} }, 0, 1},
			"an observer":    {func(*int) Config { return Config{Observers: watching} }, 1, 0},
			"both":           {func(told *int) Config { return Config{Observers: watching, Progress: func(Progress) { *told++ }} }, 1, 1},
			"many observers": {func(*int) Config { return Config{Observers: append(watching, watching...)} }, 1, 0},
		} {
			told := 0
			cfg := c.cfg(&told)
			e := newEvents(&cfg, 9, clock.Now())
			e.fresh.Store(true)
			e.mu.Lock()
			e.tellProgress(clock.Now())
			e.mu.Unlock()
			require.Equal(t, c.queued, e.backlog.len(), name)
			require.Equal(t, c.told, told, name)
			require.False(t, e.fresh.Load(), "%s: it is told", name)
		}
	})
}

// What was queued before listeners are to be told soon is due when they are: many notices at once.
func TestNoticesBeforeWaking(t *testing.T) {
	for notices, after := range map[int]time.Duration{1: tellAfter, tellAtOnce: 0} {
		synctest.Test(t, func(t *testing.T) {
			var at []time.Duration
			e := newEvents(&Config{Observers: []Observer{ObserverFunc(func(Event) { at = append(at, clock.Now()) })}}, 9, clock.Now())
			for range notices {
				e.tell(Event{Kind: Planned})
			}
			time.Sleep(heartbeat / 2)
			require.Empty(t, at)
			woken := clock.Now()
			e.wake()
			time.Sleep(heartbeat / 4)
			synctest.Wait()
			require.Len(t, at, notices)
			require.Equal(t, woken+after, at[0])
			e.close()
		})
	}
}

// Each time that it is told how the run goes, the keeper is asked what it has synced.
func TestKeeperIsAskedWithProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []EventKind
		keeper := &syncedBy{}
		e := newEvents(&Config{syncer: keeper, Observers: []Observer{ObserverFunc(func(e Event) { told = append(told, e.Kind) })}}, 9, clock.Now())
		*keeper = syncedBy{lines: 4, syncs: 1, took: time.Second}
		e.mu.Lock()
		defer e.mu.Unlock()
		e.tellProgress(clock.Now())
		e.drain()
		require.Equal(t, []EventKind{Synced, Progressed}, told)
	})
}
