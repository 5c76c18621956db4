package executor

import (
	"log/slog"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

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
		"nothing is done":          {9, 0, nil, 0},
		"some are":                 {9, 2, nil, 3500 * time.Millisecond},
		"all are":                  {9, 9, nil, 0},
		"nobody knows how many":    {-1, 2, nil, 0},
		"centuries, or 68 years":   {math.MaxInt, 1, nil, time.Duration(min(float64(math.MaxInt-1)*float64(time.Second), float64(longestLeft)))},
		"some, and calls pause":    {9, 2, paused, 13500 * time.Millisecond},
		"all, and calls pause":     {9, 9, paused, 0},
		"nothing, and calls pause": {9, 0, paused, 0},
	} {
		e := newEvents(&Config{Progress: func(Progress) {}}, c.total, time.Second)
		e.completed.Store(int64(c.completed))
		e.state(2*time.Second, new(Calls), nil)
		require.Equal(t, c.want, e.state(2*time.Second, new(Calls), c.policies).Remaining, name)
	}
}
