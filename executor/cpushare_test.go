package executor

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/sampling"
)

// burning computes until the thread, which the goroutine keeps, has been on a core for so long.
func burning(t *testing.T, d time.Duration) {
	thread := sampling.CurrentThread()
	began, known := thread.CPU()
	if !known {
		t.Skip("the CPU time of a thread is not known here")
	}
	for now := began; now-began < d; now, _ = thread.CPU() {
	}
}

// wants is a share that is to be measured.
func wants() *cpuShare {
	s := new(cpuShare)
	s.wanted.Store(true)
	return s
}

// The clock is that of a thread: the goroutine keeps its thread while it measures, and no longer.
func TestTheShareIsMeasuredOnOneThread(t *testing.T) {
	locked := func() bool {
		var stack [64]byte
		return strings.Contains(string(stack[:runtime.Stack(stack[:], false)]), "locked to thread")
	}
	require.False(t, locked())
	made := 0
	wants().measure(&worker{}, func() bool {
		made++
		require.True(t, locked())
		return false
	})
	require.Equal(t, 1, made)
	require.False(t, locked())
}

// A low share may be that of a thread that was preempted: it is measured once more, and the higher one counts.
func TestALowShareIsMeasuredTwice(t *testing.T) {
	burning(t, 0)
	for name, c := range map[string]struct {
		computes []bool // a measurement, one claim each
		low      bool
		made     int
	}{
		"high":         {[]bool{true}, false, 1},
		"low":          {[]bool{false, false}, true, 2},
		"low at first": {[]bool{false, true}, false, 2},
	} {
		s, w, made := wants(), &worker{}, 0
		s.measure(w, func() bool {
			made++
			if made <= len(c.computes) && c.computes[made-1] {
				burning(t, shareTime)
				w.busy += shareTime
			} else {
				w.busy += time.Hour
			}
			return true
		})
		share, known := s.get()
		require.True(t, known, name)
		require.Equal(t, c.low, share < lowShare, name)
		require.Equal(t, c.made, made, name)
	}
}

// What was measured counts although there was nothing left for a second try.
func TestALowShareIsKnownWithoutASecondTry(t *testing.T) {
	burning(t, 0)
	s, w, made := wants(), &worker{}, 0
	s.measure(w, func() bool {
		made++
		w.busy += time.Hour
		return made == 1
	})
	share, known := s.get()
	require.True(t, known)
	require.Less(t, share, lowShare)
}

// Only what the calls have computed since the measurement began is their share, and it is at most all of the time.
func TestTheShareIsOfTheCallsMeasured(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	burning(t, 100*shareTime) // before
	w := &worker{}
	share, known := measureOnce(w, func() bool { w.busy += 50 * shareTime; return true })
	require.True(t, known)
	require.Less(t, share, 0.5)
	share, known = measureOnce(w, func() bool { burning(t, 3*shareTime); w.busy += shareTime; return true })
	require.True(t, known)
	require.InDelta(t, 1, share, 0)
}
