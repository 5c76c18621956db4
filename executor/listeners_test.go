package executor

import (
	"bytes"
	"log/slog"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/executor/internal/source"
	"github.com/amorsize/amorsize/optimizer"
)

// syncedBy is a keeper that has synced so much.
type syncedBy struct {
	lines, syncs int64
	took         time.Duration
}

func (s *syncedBy) Synced() (lines, syncs int64, took time.Duration) { return s.lines, s.syncs, s.took }

// What a keeper syncs during the run is told: not what it had synced before, and not what was told already.
func TestSyncsAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []Event
		keeper := &syncedBy{lines: 10, syncs: 2, took: time.Second}
		e := newEvents(&Config{syncer: keeper, Observers: []Observer{ObserverFunc(func(e Event) { told = append(told, e) })}}, 9, 0)
		look := func() {
			e.mu.Lock()
			defer e.mu.Unlock()
			e.lookAtKeeper(0)
			e.drain()
		}
		look()
		require.Empty(t, told, "that was before this run")
		*keeper = syncedBy{lines: 14, syncs: 3, took: 1500 * time.Millisecond}
		look()
		look()
		*keeper = syncedBy{lines: 15, syncs: 4, took: 1600 * time.Millisecond}
		look()
		require.Len(t, told, 2)
		require.Equal(t, []any{Synced, 4, 500 * time.Millisecond}, []any{told[0].Kind, told[0].Size, told[0].Duration})
		require.Equal(t, []any{Synced, 1, 100 * time.Millisecond}, []any{told[1].Kind, told[1].Size, told[1].Duration})
	})
}

// A keeper is asked where an observer or a logger wants to know, and not for a bar alone.
func TestWhoIsToldOfSyncs(t *testing.T) {
	for name, c := range map[string]struct {
		cfg  Config
		told bool
	}{
		"a bar":       {Config{Progress: func(Progress) {}}, false},
		"an observer": {Config{Observers: []Observer{ObserverFunc(func(Event) {})}}, true},
		"a logger":    {Config{Logger: slog.New(slog.DiscardHandler)}, true},
	} {
		keeper := &syncedBy{}
		c.cfg.syncer = keeper
		e := newEvents(&c.cfg, 9, 0)
		*keeper = syncedBy{lines: 4, syncs: 1, took: time.Second}
		e.mu.Lock()
		e.lookAtKeeper(0)
		e.mu.Unlock()
		require.Equal(t, c.told, e.backlog.len() == 1, name)
	}
}

// Policies tell of their states where an observer or a logger wants to know, and not for a bar alone.
func TestWhoIsToldOfPolicies(t *testing.T) {
	for name, c := range map[string]struct {
		cfg  Config
		want bool
	}{
		"an observer": {Config{Observers: []Observer{ObserverFunc(func(Event) {})}}, true},
		"a logger":    {Config{Logger: slog.New(slog.DiscardHandler)}, true},
		"a bar":       {Config{Progress: func(Progress) {}}, false},
	} {
		c.cfg.tally = new(tally)
		newEvents(&c.cfg, 9, 0)
		require.Equal(t, c.want, c.cfg.tally.tell != nil, name)
	}
	require.Nil(t, newEvents(&Config{}, 9, 0))
}

// What nobody is told is not queued: a plan, a change and an event are none of a bar's.
func TestWhoIsToldOfPlans(t *testing.T) {
	observers := []Observer{ObserverFunc(func(Event) {})}
	for name, c := range map[string]struct {
		cfg                  Config
		plans, changes, news int
	}{
		"an observer": {Config{Observers: observers}, 1, 1, 1},
		"a logger":    {Config{Logger: slog.New(slog.DiscardHandler)}, 1, 1, 0},
		"a bar":       {Config{Progress: func(Progress) {}}, 0, 0, 0},
	} {
		queued := func(tell func(e *events)) int {
			e := newEvents(&c.cfg, 9, 0)
			tell(e)
			return e.backlog.len()
		}
		require.Equal(t, c.plans, queued(func(e *events) { e.tellPlan("plan", optimizer.Plan{}) }), name)
		require.Equal(t, c.changes, queued(func(e *events) { e.tellChange(new(Change)) }), name)
		require.Equal(t, c.news, queued(func(e *events) { e.tell(Event{Kind: Started}) }), name)
	}
}

// The rate is a number from the first instant on.
func TestRateAtOnce(t *testing.T) {
	e := newEvents(&Config{Progress: func(Progress) {}}, 9, time.Second)
	e.completed.Store(2)
	require.Zero(t, e.state(time.Second, new(Calls), nil).Rate)
	require.InDelta(t, 4, e.state(1500*time.Millisecond, new(Calls), nil).Rate, 1e-9)
}

// While one goroutine delivers, or the end of the run does, the timer's delivers nothing.
func TestOneDelivers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, c := range map[string]struct {
			change func(*teller)
			told   int
		}{
			"nobody":     {func(*teller) {}, 1},
			"another":    {func(t *teller) { t.telling = true }, 0},
			"the end":    {func(t *teller) { t.closing = true }, 0},
			"both, even": {func(t *teller) { t.telling, t.closing = true, true }, 0},
		} {
			told := 0
			e := newEvents(&Config{Observers: []Observer{ObserverFunc(func(Event) { told++ })}}, 9, 0)
			e.put(notice{event: Event{Kind: Synced}})
			c.change(&e.teller)
			e.ring()
			require.Equal(t, c.told, told, name)
		}
	})
}

// How long a run has left is told by its pace, behind the longest pause of its policies: not before anything is done,
// nor where it is not known how much there is, nor when all is done.
func TestRemaining(t *testing.T) {
	paused := []PolicyState{{Left: time.Second}, {Left: 10 * time.Second}, {}}
	for name, c := range map[string]struct {
		total, completed int
		policies         []PolicyState
		want             time.Duration
	}{
		"nothing is done":                {9, 0, nil, 0},
		"some are":                       {9, 2, nil, 3500 * time.Millisecond},
		"all are":                        {9, 9, nil, 0},
		"nobody knows how many":          {-1, 2, nil, 0},
		"centuries, or 68 years":         {math.MaxInt, 1, nil, time.Duration(min(float64(math.MaxInt-1)*float64(time.Second), float64(longestLeft)))},
		"some, and calls pause":          {9, 2, paused, 13500 * time.Millisecond},
		"some, and calls pause for good": {9, 2, []PolicyState{{Left: math.MaxInt64}}, longestLeft + 3500*time.Millisecond},
		"all, and calls pause":           {9, 9, paused, 0},
		"nothing, and calls pause":       {9, 0, paused, 0},
	} {
		e := newEvents(&Config{Progress: func(Progress) {}}, c.total, time.Second)
		e.completed.Store(int64(c.completed))
		e.state(2*time.Second, new(Calls), nil)
		require.Equal(t, c.want, e.state(2*time.Second, new(Calls), c.policies).Remaining, name)
	}
}

// Progress comes at intervals to an observer and to a bar, and not for a logger alone: what is completed is news for
// the next time, once.
func TestWhoIsToldOfProgress(t *testing.T) {
	for name, c := range map[string]struct {
		cfg  Config
		told bool
	}{
		"an observer":   {Config{Observers: []Observer{ObserverFunc(func(Event) {})}}, true},
		"two observers": {Config{Observers: []Observer{ObserverFunc(func(Event) {}), ObserverFunc(func(Event) {})}}, true},
		"a bar":         {Config{Progress: func(Progress) {}}, true},
		"a logger":      {Config{Logger: slog.New(slog.DiscardHandler)}, false},
	} {
		e := newEvents(&c.cfg, 9, 0)
		require.Equal(t, c.told, e.beats(), name)
		require.False(t, e.fresh.Load(), name)
		e.chunk(1, 1)
		require.Equal(t, c.told, e.fresh.Load(), name)
		e.chunk(1, 1)
		require.Equal(t, c.told, e.fresh.Load(), name)
	}
}

// A policy that is in another state is an event, and news for the next progress.
func TestAPolicyInAnotherStateIsTold(t *testing.T) {
	cfg := Config{tally: new(tally), Observers: []Observer{ObserverFunc(func(Event) {})}}
	e := newEvents(&cfg, 9, 0)
	cfg.tally.look(&fakePolicy{kind: "ratelimit", state: "paused"})
	require.True(t, e.fresh.Load())
	n, ok := e.backlog.next()
	require.True(t, ok)
	require.Equal(t, "policy", n.message)
	require.Equal(t, PolicyChanged, n.event.Kind)
	require.Equal(t, &PolicyState{Kind: "ratelimit", Name: "ratelimit", State: "paused", Left: time.Second}, n.event.Policy)
}

// How many items a stream has is known once its input has ended, or once somebody has counted them.
func TestNumberOfItemsOfAStream(t *testing.T) {
	cfg := Config{Progress: func(Progress) {}}
	e := newEvents(&cfg, 9, 0)
	require.Equal(t, 9, e.items())
	a := source.NewArrivals(9, false)
	a.Arrive(3)
	e.arriving(a)
	require.Equal(t, -1, e.items())
	e.counted(2)
	require.Equal(t, 2, e.items())
	e.arriving(a)
	a.End()
	require.Equal(t, 3, e.items())
	for _, n := range []int{5, 0} {
		e.counted(n)
		require.Equal(t, n, e.items(), "whatever the input had")
	}
}

// Progress has the state of the run: the caller is the first worker, and the items that failed are counted as well as
// the policies that are in an unusual state.
func TestStateOfARun(t *testing.T) {
	cfg := Config{Progress: func(Progress) {}, tally: new(tally)}
	e := newEvents(&cfg, 9, time.Second)
	require.Equal(t, Progress{Total: 9, Workers: 1, Calls: new(Calls)}, e.state(time.Second, nil, nil))
	e.completed.Store(4)
	e.staffed(3)
	e.noted(Moment{Limit: 7})
	cfg.tally.lose(2)
	cfg.tally.ended(5, nil)
	policies := []PolicyState{{Kind: "ratelimit", State: "paused"}}
	require.Equal(t, Progress{
		Completed: 4, Total: 9, Failed: 2, Workers: 3, Elapsed: 2 * time.Second, Rate: 2, Remaining: 2500 * time.Millisecond,
		Now: Moment{Limit: 7}, Calls: &Calls{Ended: 5, Policies: policies},
	}, e.state(3*time.Second, nil, policies))
	given := &Calls{Ended: 6}
	require.Same(t, given, e.state(3*time.Second, given, policies).Calls)
	require.Equal(t, policies, given.Policies)
}

// The shortest pause is one: the pace does not change in it.
func TestPaceInAShortPause(t *testing.T) {
	e := newEvents(&Config{Progress: func(Progress) {}}, 9, 0)
	e.completed.Store(2)
	require.Equal(t, 3500*time.Millisecond, e.state(time.Second, nil, nil).Remaining)
	require.Equal(t, 3500*time.Millisecond+1, e.state(2*time.Second, nil, []PolicyState{{Left: 1}}).Remaining)
}

// The log has a line for what has one, where there is a log; and one that ends the goroutine is not told again.
func TestWhatIsLogged(t *testing.T) {
	for name, c := range map[string]struct {
		logs    bool
		message string
		lines   int
	}{
		"a message":             {true, "sync", 1},
		"no message":            {true, "", 0},
		"no log":                {false, "sync", 0},
		"no log and no message": {false, "", 0},
	} {
		var text bytes.Buffer
		e := newEvents(&Config{Observers: []Observer{ObserverFunc(func(Event) {})}}, 9, 0)
		if c.logs {
			e.log = slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{Level: slog.LevelDebug}))
		}
		e.teller.notice = notice{event: Event{Kind: Synced}, message: c.message}
		for range 2 {
			e.deliver()
		}
		require.Equal(t, c.lines, bytes.Count(text.Bytes(), []byte("\n")), name)
		require.Zero(t, e.trouble, name)
	}
}
