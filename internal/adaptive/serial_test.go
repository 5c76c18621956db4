package adaptive

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// oneByOne is a controller of batches at limit, of which one takes a second alone.
func oneByOne(limit int) *Controller {
	a := newAdaptive(limit, 1, 100, 0)
	a.serial.watched = true
	a.base.reset(1, 5)
	return a
}

// no says that more than one at a time achieve nothing.
var no = measurement{calls: 4, inFlight: 2, time: 2, mean: 2, rate: 1}

func TestSecondTried(t *testing.T) {
	a := oneByOne(2)
	a.mode, a.serial.pause = probing, 0.5
	require.True(t, a.secondTried())
	a.limit = 3
	require.False(t, a.secondTried())
	a.limit, a.mode = 2, holding
	require.False(t, a.secondTried())
	a.mode, a.serial.pause = probing, 0
	require.False(t, a.secondTried())
}

func TestSerialisedGoesBackToOne(t *testing.T) {
	a := oneByOne(2)
	a.rounds = 5
	require.True(t, a.serialised(time.Second, no))
	require.Equal(t, 1, a.limit)
	require.Equal(t, holding, a.mode)
	require.False(t, a.cold)
	require.True(t, a.congested)
	require.InDelta(t, 1, a.level, 0)
	require.Zero(t, a.rate, "one a second")
	require.Zero(t, a.rounds)
	require.InDelta(t, serialPause, a.serial.pause, 0)
	require.InDelta(t, serialPause, a.pause, 0)
	require.Equal(t, "one call at a time reaches the same throughput", a.reason)
	require.Equal(t, time.Second, a.window.since)

	a.rounds = 3
	require.True(t, a.serialised(2*time.Second, no), "a call from before gets nowhere still")
	require.InDelta(t, 7, a.rounds, 0)
	require.Equal(t, 1, a.limit)
	require.Equal(t, 2*time.Second, a.window.since)
	require.InDelta(t, serialPause, a.serial.pause, 0)
	for _, pause := range []float64{32, 64, 128, 256, 256} { // ever more rarely
		a.limit = 2
		require.True(t, a.serialised(0, no))
		require.InDelta(t, pause, a.serial.pause, 0)
	}

	slow := oneByOne(2)
	slow.base.reset(4, 5)
	m := no
	m.rate = 0.25
	require.True(t, slow.serialised(0, m))
	require.InDelta(t, math.Log(0.25), slow.rate, 1e-12)
}

// What is no such service, or can't be told.
func TestNotSerialised(t *testing.T) {
	for name, change := range map[string]func(*Controller, *measurement){
		"not watched":     func(a *Controller, _ *measurement) { a.serial.watched = false },
		"a floor":         func(a *Controller, _ *measurement) { a.floor = 2 },
		"nothing known":   func(a *Controller, _ *measurement) { a.base.reset(0, 0) },
		"not truly two":   func(_ *Controller, m *measurement) { m.inFlight = trulyTwo - 0.01 },
		"they gain":       func(_ *Controller, m *measurement) { m.rate = serialGain },
		"they take less":  func(a *Controller, m *measurement) { a.base.reset(5, 5); m.rate, m.mean = 1.3, 1 },
		"they take more":  func(_ *Controller, m *measurement) { m.rate, m.mean = 1.3, 9 },
		"a base of a bit": func(a *Controller, m *measurement) { a.base.reset(0.5, 5); m.rate = 2.6 },
	} {
		t.Run(name, func(t *testing.T) {
			a, m := oneByOne(2), no
			change(a, &m)
			require.False(t, a.serialised(0, m))
			require.Equal(t, 2, a.limit)
			require.Zero(t, a.epoch)
		})
	}
	for name, change := range map[string]func(*Controller, *measurement){
		"truly two":       func(_ *Controller, m *measurement) { m.inFlight = trulyTwo },
		"hardly a gain":   func(_ *Controller, m *measurement) { m.rate = serialGain - 0.01 },
		"a base of one":   func(a *Controller, _ *measurement) { a.base.reset(1, 5) },
		"a base of a bit": func(a *Controller, m *measurement) { a.base.reset(0.5, 5); m.rate = 2.5 },
	} {
		t.Run(name, func(t *testing.T) {
			a, m := oneByOne(2), no
			change(a, &m)
			require.True(t, a.serialised(0, m))
		})
	}
	a, m := oneByOne(2), no
	a.serial.pause, m.rate = 64, 1.5
	require.False(t, a.serialised(0, m))
	require.Zero(t, a.serial.pause, "it is none any more")
}

func TestEnding(t *testing.T) {
	a := oneByOne(4)
	require.True(t, a.ending(3.9))
	require.False(t, a.ending(4))
	a.serial.pause = 16
	require.True(t, a.ending(15.9))
	require.False(t, a.ending(16))
}

// A service that takes one call at a time gets one, also when the calls that it left
// waiting for others have made a call seem to take longer than it does alone.
func TestSerialisedKeepsToOne(t *testing.T) {
	a := oneByOne(1)
	a.mode, a.cold, a.rate, a.pause = holding, false, math.Log(1), 100
	a.base.reset(1.6, 5)
	m := measurement{calls: 6, inFlight: 1, time: 1, mean: 1, rate: 1}
	a.serial.pause = serialPause
	for range 9 {
		a.hold(time.Second, m)
		require.Equal(t, 1, a.limit)
		require.InDelta(t, 1, a.level, 0)
	}
	a.base.reset(1.6, 5)
	a.serial.pause = 0
	a.hold(time.Second, m)
	require.Greater(t, a.level, 1.4, "any other service gets what Little's law says")
}
