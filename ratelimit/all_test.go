package ratelimit

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/internal/waiting"
)

// What is wrong with a group is told by each of its calls.
func TestBadGroups(t *testing.T) {
	l := MustNew(Policy{RequestsPerSecond: 10, BurstSize: 5})
	for says, g := range map[string]*Group{
		"limiters = 0: must be at least one": All(),
		"limiters[1] = ":                     All(l, nil),
		"limiters[0] = ":                     All(nil),
		"a limiter, and each only once":      All(l, l),
	} {
		require.ErrorContains(t, g.Acquire(t.Context()), says)
		require.ErrorContains(t, g.Do(t.Context(), call(nil)), says)
		require.False(t, g.TryAcquire())
		require.Zero(t, g.Rate())
		require.Zero(t, g.Burst())
	}
	var none context.Context
	require.ErrorContains(t, All(l).Acquire(none), "ctx")
	require.ErrorContains(t, All(l).Do(t.Context(), nil), "call")
	require.ErrorContains(t, All(l).AcquireEach(t.Context(), 1, 2), "at most 1 amounts")
	require.False(t, All(l).TryAcquireEach(1, 2))
	require.False(t, All(l).TryAcquireEach(-1))
	require.InDelta(t, 5, l.AvailableTokens(), 1e-3, "nothing was taken")
}

// Limits are gone for in one order, whatever that of the group: what a bucket can't hold
// first, and then the slowest.
func TestOrderOfAGroup(t *testing.T) {
	limiters := map[string]*Limiter{}
	for name, perSecond := range map[string]float64{"slow": 1, "fast": 100, "large": 10, "larger": 50} {
		limiters[name] = MustNew(Policy{RequestsPerSecond: perSecond, BurstSize: 5})
	}
	need := map[string]float64{"slow": 5, "fast": 1, "large": 6, "larger": 70}
	for _, names := range [][]string{{"slow", "fast", "large", "larger"}, {"larger", "large", "fast", "slow"}, {"fast", "larger", "slow", "large"}} {
		var group []*Limiter
		var n []float64
		for _, name := range names {
			group, n = append(group, limiters[name]), append(n, need[name])
		}
		j := newJoint(group, n)
		for i, want := range []string{"large", "larger", "slow", "fast"} {
			require.Same(t, limiters[want], j.members[i].l, "%v: %d", names, i)
		}
	}
}

// heldBack is a listener that takes down which lines calls wait in, and for how long.
type heldBack struct {
	mu    sync.Mutex
	begun time.Time
	lines []waiting.Line
	took  []time.Duration
}

func (h *heldBack) HoldBegins(line waiting.Line) uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.begun, h.lines = time.Now(), append(h.lines, line)
	return 7
}

func (h *heldBack) HoldEnds(ticket uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if ticket == 7 {
		h.took = append(h.took, time.Since(h.begun))
	}
}

// foreign is a limiter of another make.
type foreign struct{}

func (foreign) Wait(context.Context) error { time.Sleep(time.Second); return nil }

// Who runs the calls is told when one of them is held back, where, and that it goes on.
func TestHeldBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		empty := func(keyed bool) *Limiter {
			l := MustNew(Policy{RequestsPerSecond: 1, BurstSize: 1})
			l.keyed = keyed
			require.True(t, l.TryAcquire())
			return l
		}
		keys := MustNewKeyed[string](Policy{RequestsPerSecond: 1, BurstSize: 1}, 0)
		var ofKey *Limiter
		require.NoError(t, keys.Use("a", func(l *Limiter) error { ofKey = l; return l.Acquire(t.Context()) }))
		alone, first, second, keyed := empty(false), empty(false), empty(false), empty(true)
		type policy interface {
			Do(ctx context.Context, call func(context.Context) error) error
		}
		for _, c := range []struct {
			waits policy
			in    waiting.Line
		}{
			{ofKey, waiting.Line{Of: ofKey, OneOfMany: true, By: (*told)(ofKey)}},
			{alone, waiting.Line{Of: alone, By: (*told)(alone)}},
			{All(first), waiting.Line{Of: first, By: (*told)(first)}},
			{All(first, second), waiting.Line{Of: first, By: (*told)(first)}},
			{All(second, keyed), waiting.Line{Of: keyed, OneOfMany: true, By: (*told)(keyed)}},
			{All(keyed, second), waiting.Line{Of: keyed, OneOfMany: true, By: (*told)(keyed)}},
			{From(foreign{}), waiting.Line{By: otherMake{}}},
		} {
			h := &heldBack{}
			ctx := context.WithValue(t.Context(), waiting.Key{}, h)
			for _, l := range []*Limiter{ofKey, alone, first, second, keyed} {
				l.Reset()
				require.True(t, l.TryAcquire())
			}
			require.NoError(t, c.waits.Do(ctx, func(context.Context) error { time.Sleep(time.Minute); return nil }))
			require.Equal(t, []waiting.Line{c.in}, h.lines)
			require.Equal(t, []time.Duration{time.Second}, h.took)
		}
		h := &heldBack{}
		require.NoError(t, empty(false).Do(t.Context(), call(nil)))
		require.NoError(t, MustNew(Policy{RequestsPerSecond: 1}).Do(context.WithValue(t.Context(), waiting.Key{}, h), call(nil)))
		require.Empty(t, h.lines, "who doesn't wait isn't held back")
	})
}
