package executor

import (
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/sampling"
)

// The cores are busy where the process has used nearly all of them since the last look, and it stays so until
// enough time has passed for another one.
func TestSaturated(t *testing.T) {
	cpu, known := sampling.ProcessCPU()
	if !known {
		t.Skip("the CPU time of a process is not known here")
	}
	const age = time.Hour
	used := func(cores float64) bool {
		e := epoch{since: time.Hour, cpu: cpu - time.Duration(cores*float64(age)), cpuKnown: true}
		busy := e.saturated(time.Hour + age)
		require.Equal(t, busy, e.saturated(2*time.Hour), "nothing new: it was just looked at")
		require.Equal(t, 2*time.Hour, e.since)
		return busy
	}
	procs := float64(runtime.GOMAXPROCS(0))
	require.True(t, used(procs))
	require.True(t, used(0.95*procs))
	require.False(t, used(0.85*procs))
	require.False(t, used(0))
	recent := epoch{since: time.Hour, cpuKnown: true}
	_, ok := recent.cores(time.Hour + sampling.ProcessResolution - 1)
	require.False(t, ok, "the clock is too coarse")
	_, ok = recent.cores(time.Hour + sampling.ProcessResolution)
	require.True(t, ok)
	unknown := epoch{since: time.Hour, busy: true}
	require.True(t, unknown.saturated(2*time.Hour), "as before: what was used at its beginning is not known")
}

// An epoch begins without what was observed before it.
func TestAnEpochBeginsAnew(t *testing.T) {
	var e epoch
	e.number.Store(4)
	e.ended.Store(3)
	e.begin(time.Hour)
	require.EqualValues(t, 5, e.number.Load())
	require.Zero(t, e.ended.Load())
	require.Equal(t, time.Hour, e.since)
}

// The clock of the process is read anew as soon as it tells something, and not before.
func TestTheCoresAreLookedAtInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // where no core is busy
		e := epoch{since: time.Hour, cpuKnown: true, busy: true}
		require.True(t, e.saturated(time.Hour+sampling.ProcessResolution-1), "as before")
		require.Equal(t, time.Hour, e.since, "it goes on")
		require.False(t, e.saturated(time.Hour+sampling.ProcessResolution))
		require.Equal(t, time.Hour+sampling.ProcessResolution, e.since)
	})
}

// A share of 0 is known; before there is one, it is not.
func TestShareOfTheCPU(t *testing.T) {
	var s cpuShare
	share, known := s.get()
	require.Zero(t, share)
	require.False(t, known)
	for _, want := range []float64{0, 0.25, 1} {
		s.set(want)
		share, known = s.get()
		require.InDelta(t, want, share, 1e-12)
		require.True(t, known)
	}
}

// The share is of the time since the measurement began, however long the worker has been busy before.
func TestShareIsMeasuredFromItsBeginning(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	thread := sampling.CurrentThread()
	if _, known := thread.CPU(); !known {
		t.Skip("the CPU time of a thread is not known here")
	}
	w := &worker{}
	w.busy = time.Hour
	burns := func() bool { // it is busy for as long as it is on a core, whoever else is
		before, _ := thread.CPU()
		for {
			if now, _ := thread.CPU(); now-before >= shareTime {
				w.busy += now - before
				return true
			}
		}
	}
	share, known := measureOnce(w, burns)
	require.True(t, known)
	require.Greater(t, share, 0.9)
	_, known = measureOnce(w, func() bool { return false })
	require.False(t, known, "there was nothing to measure")

	var s cpuShare
	s.measure(w, burns)
	_, known = s.get()
	require.False(t, known, "nobody wants it")
	s.wanted.Store(true)
	s.measure(w, func() bool { return false })
	_, known = s.get()
	require.False(t, known)
	require.False(t, s.wanted.Load(), "it is somebody's")
	s.wanted.Store(true)
	s.measure(w, burns)
	share, known = s.get()
	require.True(t, known)
	require.Greater(t, share, 0.9)
}
