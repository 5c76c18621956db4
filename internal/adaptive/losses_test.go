package adaptive

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestLossCap(t *testing.T) {
	var l lossCap
	require.InDelta(t, 100, l.bound(100), 0, "no cap before a loss")
	l.success(10)
	for n := 40; n > 20; n-- { // a burst: 20 were tolerated
		l.loss(time.Second, Attempt{Began: 0, InFlight: n}, 40, false, true, true)
	}
	require.InDelta(t, 20, l.most, 0)
	l.loss(3*time.Second, Attempt{Began: 2 * time.Second, InFlight: 18}, 18, false, false, false)
	require.InDelta(t, 18*(1-lossCut), l.most, 1e-9)
	before := l.most
	for range 1000 {
		l.success(17)
	}
	require.Greater(t, l.most, before)
	for i := range 100 { // an outage
		l.loss(time.Duration(10+i)*time.Second, Attempt{Began: time.Duration(9+i)*time.Second + 1, InFlight: 4}, 4, false, false, false)
	}
	require.LessOrEqual(t, l.most, 4.0)
	require.True(t, l.success(2), "the service answers again")
	require.Greater(t, l.most, before, "as before the outage")
}

// Where policies meter the calls, a few losses do not lower the cap below what
// comes through; many do.
func TestLossesOfMeteredCalls(t *testing.T) {
	lost := func(every int) float64 {
		l := lossCap{metered: 12}
		for i := range 4000 {
			now := time.Duration(i) * time.Second
			if l.success(12); i%every == 0 {
				l.loss(now, Attempt{Began: now - 1, InFlight: 3}, 12, true, false, false)
			}
		}
		return l.most
	}
	require.GreaterOrEqual(t, lost(40), 11.0)
	require.Less(t, lost(3), 6.0)
}

func TestLossCapBounds(t *testing.T) {
	l := lossCap{most: 0.5}
	require.InDelta(t, 0.5, l.bound(3), 0)
	l.most = 5
	require.InDelta(t, 3, l.bound(3), 0)
	require.InDelta(t, 5, l.bound(8), 0)
}

// A success raises the cap, the more so the longer all has gone well.
func TestLossCapRises(t *testing.T) {
	rise := lossCut * 0.01 * (1 + 0.03*0.03)
	l := lossCap{most: 1, share: 0.01, calm: 2, failing: 5}
	require.False(t, l.success(20))
	require.InDelta(t, math.Exp(rise), l.most, 1e-12)
	require.Zero(t, l.failing)
	require.InDelta(t, 3, l.calm, 0)
	require.InDelta(t, 1, l.fall.calls, 0)
	require.Zero(t, l.bottom.calls, "it has not come down to one call")

	l = lossCap{most: 10, share: 0.01, calm: 2, regrow: true}
	l.bottom.losses = 0.5
	require.False(t, l.success(20))
	require.InDelta(t, 10*math.Exp(rise+regrowth/20), l.most, 1e-12, "by a share in a round")
	require.InDelta(t, 1, l.bottom.calls, 0)

	l = lossCap{most: 10, share: 0.01, calm: 1e9}
	l.success(20)
	require.InDelta(t, 10*math.E, l.most, 1e-9, "by no more than that")
	l.most = 9e8
	l.success(20)
	require.InDelta(t, 1e9, l.most, 0)

	l = lossCap{dead: true, most: 1, before: 40, calm: 5}
	require.True(t, l.success(1))
	require.False(t, l.dead)
	require.InDelta(t, 40, l.most, 0)
	none := lossCap{}
	require.False(t, none.success(1))
	require.Equal(t, lossCap{}, none)
}

// What share of calls may be lost, by why the latest was.
func TestLossCapShare(t *testing.T) {
	share := func(l lossCap, throttled bool) float64 {
		l.calm = 7
		l.loss(0, Attempt{InFlight: 10}, 10, throttled, false, false)
		require.Zero(t, l.calm)
		require.Equal(t, 1, l.failing)
		return l.share
	}
	require.InDelta(t, overloadShare, share(lossCap{}, false), 0)
	require.InDelta(t, throttleShare, share(lossCap{}, true), 0)
	require.InDelta(t, 0.3, share(lossCap{background: 0.3}, true), 0)
	require.InDelta(t, meteredShare, share(lossCap{metered: 0.5}, true), 0)
	require.InDelta(t, 0.3, share(lossCap{metered: 0.5, background: 0.3}, true), 0)
}

// What the cap becomes by a loss.
func TestLossCapFalls(t *testing.T) {
	began := Attempt{InFlight: 10, Began: 2}
	burst := lossCap{burst: true, burstEnd: 2, most: 30, round: 9}
	for name, c := range map[string]struct {
		l         lossCap
		c         Attempt
		limit     int
		exploring bool
		most      float64
	}{
		"one of the first, exploring": {lossCap{}, began, 12, true, 9},
		"which began with few":        {lossCap{}, began, 40, true, 20},
		"alone":                       {lossCap{}, Attempt{InFlight: 1}, 1, true, 1},
		"metered":                     {lossCap{metered: 15}, began, 12, true, 15},
		"beyond the cap":              {lossCap{most: 10}, began, 11, true, 9},
		"not beyond it":               {lossCap{most: 20}, began, 21, true, 10 * 0.97},
		"not exploring":               {lossCap{}, began, 12, false, 10 * 0.97},
		"which began with fewer":      {lossCap{}, began, 31, false, 15 * 0.97},
		"metered, not exploring":      {lossCap{metered: 15}, began, 12, false, 15 * 0.97},
		"above the cap":               {lossCap{most: 8}, began, 8, false, 8 * 0.97},
		"of a burst":                  {burst, began, 8, false, 9},
		"of a burst, below the cap":   {lossCap{burst: true, burstEnd: 2, most: 5}, began, 8, false, 5},
		"after a burst":               {burst, Attempt{InFlight: 10, Began: 3}, 8, false, 10 * 0.97},
	} {
		t.Run(name, func(t *testing.T) {
			l := c.l
			l.fall.from, l.regrow = 99, true
			l.loss(5, c.c, c.limit, false, c.exploring, true)
			require.InDelta(t, c.most, l.most, 1e-12)
			if name == "of a burst" || name == "of a burst, below the cap" {
				require.Equal(t, time.Duration(2), l.burstEnd)
				return
			}
			require.True(t, l.burst)
			require.Equal(t, time.Duration(5), l.burstEnd)
			require.Equal(t, c.most == math.Trunc(c.most), l.regrow, "known by a burst only")
			if l.regrow {
				require.Zero(t, l.fall.from)
			}
			require.InDelta(t, c.l.most, l.before, 0)
			require.Equal(t, c.limit, l.round)
		})
	}
	l := lossCap{regrow: true}
	l.loss(5, began, 12, false, true, false)
	require.False(t, l.regrow, "other calls had been made before")
}

// Nothing but losses for a round, or four at the least, is an outage.
func TestLossCapOutage(t *testing.T) {
	lose := func(l *lossCap, limit int) {
		l.loss(10, Attempt{InFlight: 3, Began: 20}, limit, false, false, false)
	}
	for _, c := range []struct{ limit, losses, left int }{{12, 12, 6}, {2, 4, 1}, {1, 4, 1}, {9, 9, 4}} {
		l := lossCap{most: 20}
		for range c.losses - 1 {
			lose(&l, c.limit)
			require.False(t, l.dead)
		}
		lose(&l, c.limit)
		require.True(t, l.dead)
		require.InDelta(t, c.left, l.most, 0)
		require.Equal(t, c.left, l.round)
		require.Zero(t, l.failing)
		require.InDelta(t, 20, l.before, 0)
		lose(&l, c.left) // the service is asked again, and the cap of before is kept
		require.InDelta(t, 20, l.before, 0)
		require.Equal(t, c.left, l.round)
	}
}

// A step down, and whether it helps.
func TestLossCapCuts(t *testing.T) {
	l := lossCap{regrow: true, metered: 20, failing: 1}
	l.cut(40)
	require.InDelta(t, 40*0.97, l.most, 1e-12)
	require.False(t, l.regrow)
	require.InDelta(t, 20, l.metered, 0)
	require.InDelta(t, 40, l.fall.from, 0)
	require.InDelta(t, 1, l.fall.losses, 0)
	l.fall.calls, l.fall.upper = 5, 0.5
	l.cut(38)
	require.InDelta(t, 40, l.fall.from, 0, "the same fall")
	require.InDelta(t, 2, l.fall.losses, 0)
	l.cut(40)
	require.InDelta(t, 3, l.fall.losses, 0)
	l.cut(41)
	require.InDelta(t, 41, l.fall.from, 0, "another one")
	require.InDelta(t, 1, l.fall.losses, 0)
	require.Zero(t, l.fall.calls)
	require.Zero(t, l.fall.upper)

	l.cut(0.5)
	require.InDelta(t, 1, l.most, 0)
}

// Losses of metered calls that come at half of them do have to do with load, unless
// there is an outage.
func TestLossCapUnmeters(t *testing.T) {
	metered := func(most float64, failing int) float64 {
		l := lossCap{metered: 19.4, failing: failing}
		l.cut(most)
		return l.metered
	}
	require.Zero(t, metered(9.9, 3))
	require.InDelta(t, 19.4, metered(9.9, 4), 0)
	require.InDelta(t, 19.4, metered(10, 3), 0)
	require.InDelta(t, 19.4, metered(10.1, 3), 0)
}

// The upper half of a fall is compared with the lower one.
func TestLossCapLooksWhetherItHelps(t *testing.T) {
	at := func(from, losses, calls, upper, most float64) lossCap {
		var l lossCap
		l.fall.from, l.fall.losses, l.fall.calls, l.fall.upper = from, losses-1, calls, upper
		l.cut(most)
		return l
	}
	l := at(40, 5, 15, 0, 29)
	require.InDelta(t, 0.25, l.fall.upper, 0, "the upper half is over")
	require.Zero(t, l.fall.losses)
	require.Zero(t, l.fall.calls)
	l = at(40, 5, 15, 0, 29.3)
	require.Zero(t, l.fall.upper)
	require.InDelta(t, 5, l.fall.losses, 0)

	l = at(40, 5, 45, 0.25, 20) // a tenth, more than a third of a quarter
	require.InDelta(t, 0.2, l.background, 1e-12)
	require.InDelta(t, 40, l.most, 0, "it does not help")
	require.Zero(t, l.fall.from)
	l = at(40, 5, 45, 0.25, 21)
	require.Zero(t, l.background, "not half yet")
	require.InDelta(t, 40, l.fall.from, 0)
	l = at(40, 5, 15, 0.75, 20)
	require.Zero(t, l.background, "a third exactly")
	l = at(40, 5, 65, 0.25, 20)
	require.Zero(t, l.background)
	require.InDelta(t, 20*0.97, l.most, 1e-12)
	require.Zero(t, l.fall.from, "it helps")
	l = at(2*19.4, 5, 45, 0.25, 20)
	require.InDelta(t, 2*19.4, l.most, 0, "half exactly")
}

// One call in flight can't be too many.
func TestLossCapAtTheBottom(t *testing.T) {
	var l lossCap
	for i := range 3 {
		l.cut(2)
		require.InDelta(t, i+1, l.bottom.losses, 0)
		l.bottom.calls += 12
	}
	l.cut(2.1) // not the bottom
	require.InDelta(t, 3, l.bottom.losses, 0)
	require.Zero(t, l.bottoms)
	l.cut(2)
	require.Equal(t, 1, l.bottoms)
	require.InDelta(t, 0.2, l.background, 1e-12, "twice 4 of 40")
	require.InDelta(t, 32, l.most, 0)
	require.Zero(t, l.bottom.losses)
	require.Zero(t, l.bottom.calls)

	l.bottom.losses, l.bottom.calls = 3, 36
	l.cut(2)
	require.Equal(t, 2, l.bottoms)
	require.InDelta(t, 0.4, l.background, 1e-12, "it was taken for less than it is")
	require.InDelta(t, 64, l.most, 0)
	l.bottoms, l.bottom.losses = 6, 3
	l.cut(1)
	require.Equal(t, 6, l.bottoms)
	require.InDelta(t, 1024, l.most, 0)
	l = lossCap{}
	l.cut(math.Nextafter(2/0.97, 3))
	require.InDelta(t, 2, l.most, 0)
	require.Zero(t, l.bottom.losses, "which allows two")
}

func TestLossCapPutsUpWith(t *testing.T) {
	l := lossCap{share: 0.01}
	l.fall.from, l.bottom.losses, l.bottom.calls = 7, 3, 4
	l.putUpWith(0.1, 30)
	require.InDelta(t, 0.2, l.background, 0)
	require.InDelta(t, 0.2, l.share, 0)
	require.InDelta(t, 30, l.most, 0)
	require.Zero(t, l.fall.from)
	require.Zero(t, l.bottom.losses)
	require.Zero(t, l.bottom.calls)
	l.share = 0.3
	l.putUpWith(0.01, 30)
	require.InDelta(t, 0.18, l.background, 1e-12, "it fades")
	require.InDelta(t, 0.3, l.share, 0)
	l.putUpWith(0.4, 30)
	require.InDelta(t, 0.5, l.background, 0, "no more than half")
}
