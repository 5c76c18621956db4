package hillclimb

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Half and double in turn, as far as that makes sense.
func TestCandidate(t *testing.T) {
	for _, c := range []struct {
		level, floor, ceiling, left int
		upwards                     bool
		want                        int
	}{
		{4, 1, 16, 100, false, 2}, {4, 1, 16, 100, true, 8}, {3, 1, 16, 100, false, 1}, {5, 1, 16, 100, true, 8},
		{4, 3, 16, 100, false, 3}, {4, 4, 16, 100, false, 8}, {1, 1, 16, 100, false, 2}, {4, 1, 4, 100, true, 2},
		{4, 1, 16, 2, true, 6}, {4, 1, 16, 0, true, 2}, {4, 4, 4, 100, true, 4}, {2, 1, 16, 1, true, 3}, {3, 1, 6, 100, true, 6},
	} {
		of := at(c.level)
		of.floor, of.ceiling, of.trial.upwardsNext = c.floor, c.ceiling, c.upwards
		require.Equal(t, c.want, of.candidate(Observation{Procs: 8, Left: c.left}), "%+v", c)
	}
	stuck := at(4)
	stuck.floor, stuck.ceiling, stuck.checkAt, stuck.pause = 4, 4, 0, 7
	require.Equal(t, Decision{Limit: 4, NewEpoch: true}, stuck.Next(shows(4, 40_000)))
	require.Equal(t, time.Second+7, stuck.checkAt)
	require.Equal(t, hold, stuck.phase)
}

// trying is a Controller in the midst of a trial, from four workers that achieve a
// hundred thousand items a second.
func trying(level int, phase phase) Controller {
	c := at(4)
	c.phase, c.cut = phase, 5
	c.trial.level, c.trial.before, c.trial.callTime = level, 100_000, 40*time.Microsecond
	return c
}

// What ends a trial at once, and what takes a second look.
func TestJudge(t *testing.T) {
	for _, c := range []struct {
		level int
		rate  float64
		want  int // 0 for a second look
	}{
		{8, 150_000, 8}, {8, 140_000, 0}, {8, 100_000, 0}, {8, 90_000, 4},
		{2, 140_000, 2}, {2, 130_000, 0}, {2, 80_000, 0}, {2, 70_000, 4},
	} {
		of := trying(c.level, probe)
		d := of.Next(shows(c.level, c.rate))
		require.True(t, d.NewEpoch)
		require.InDelta(t, c.rate, of.trial.rate, 1e-6)
		if c.want == 0 {
			require.Equal(t, confirm, of.phase, "%+v", c)
			require.Equal(t, 4, d.Limit)
			continue
		}
		require.Equal(t, hold, of.phase)
		require.Equal(t, c.want, d.Limit, "%+v", c)
		require.Equal(t, c.want, of.level)
	}
	bounds := map[time.Duration]time.Duration{0: 20 * time.Millisecond, time.Millisecond: 32 * time.Millisecond}
	for call, most := range bounds {
		c := trying(2, probe)
		c.trial.callTime = call
		require.Equal(t, Decision{Limit: 2}, c.Next(Observation{Age: most, Procs: 8}))
		require.Equal(t, Decision{Limit: 4, NewEpoch: true}, c.Next(Observation{Age: most + 1, Procs: 8}))
		require.Equal(t, hold, c.phase)
	}
}

func TestCompare(t *testing.T) {
	for _, c := range []struct {
		level       int
		rate, again float64
		want        int
	}{
		{8, 110_000, 100_000, 8}, {8, 110_000, 110_000, 4}, {8, 108_000, 100_000, 4}, {8, 110_000, 90_000, 8},
		{2, 98_000, 100_000, 2}, {2, 97_000, 100_000, 4}, {2, 100_000, 110_000, 4}, {2, 98_000, 90_000, 2}, {2, 106_000, 120_000, 4},
	} {
		of := trying(c.level, confirm)
		of.trial.rate = c.rate
		d := of.Next(shows(4, c.again))
		require.Equal(t, hold, of.phase)
		require.Equal(t, c.want, d.Limit, "%+v", c)
		require.True(t, d.NewEpoch)
	}
	bounds := map[time.Duration]time.Duration{0: 40 * time.Millisecond, time.Millisecond: 64 * time.Millisecond}
	for call, most := range bounds {
		c := trying(2, confirm)
		c.trial.callTime = call
		require.Equal(t, Decision{Limit: 4}, c.Next(Observation{Age: most, Procs: 8}))
		require.Equal(t, confirm, c.phase)
		require.Equal(t, Decision{Limit: 4, NewEpoch: true}, c.Next(Observation{Age: most + 1, Procs: 8}))
		require.Equal(t, hold, c.phase)
	}
}

// What is accepted is tried again soon, what is rejected ever more rarely.
func TestEndsTrials(t *testing.T) {
	o := Observation{Now: time.Second}
	c := trying(8, probe)
	c.trial.callTime = time.Millisecond
	require.Equal(t, Decision{Limit: 8, NewEpoch: true, Reason: "more workers raised throughput"}, c.accept(o))
	require.Equal(t, 8, c.level)
	require.Zero(t, c.cut)
	require.True(t, c.trial.upwardsNext)
	require.Equal(t, 400*time.Millisecond, c.pause)
	require.Equal(t, 1400*time.Millisecond, c.checkAt)
	c = trying(2, probe)
	require.Equal(t, Decision{Limit: 2, NewEpoch: true, Reason: "4 workers do not raise throughput"}, c.accept(o))
	require.False(t, c.trial.upwardsNext)
	require.Equal(t, time.Second+firstCheck, c.checkAt)
	c = trying(1, probe)
	c.accept(o)
	require.True(t, c.trial.upwardsNext, "there is no fewer")

	c = trying(2, probe)
	c.pause = time.Second
	require.Equal(t, Decision{Limit: 4, NewEpoch: true}, c.reject(o))
	require.True(t, c.trial.upwardsNext)
	require.Equal(t, 4*time.Second, c.pause)
	require.Equal(t, 5*time.Second, c.checkAt)
	c.reject(o)
	require.Equal(t, maxCheck, c.pause)
	c.trial.callTime = 100 * time.Millisecond
	c.pause = time.Hour
	c.reject(o)
	require.Equal(t, 40*time.Second, c.pause)
	c = trying(8, probe)
	c.reject(o)
	require.False(t, c.trial.upwardsNext)
	require.Equal(t, 5, c.cut)
}
