package sampling_test

import (
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/sampling"
)

// compute keeps a core busy for some milliseconds.
func compute() uint32 {
	s := uint32(1)
	for range 5_000_000 {
		s = s*1664525 + 1013904223
	}
	return s
}

// A real loop computes, and the thread's clock says so.
func TestThreadClock(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	thread := sampling.CurrentThread()
	before, ok := thread.CPU()
	if !ok && runtime.GOOS != "linux" {
		t.Skip("this system tells no CPU time")
	}
	require.True(t, ok)
	require.NotZero(t, compute())
	after, ok := thread.CPU()
	require.True(t, ok)
	require.Greater(t, after, before)
	cpu, ok := sampling.ProcessCPU()
	require.True(t, ok)
	require.Positive(t, cpu)
}

// In virtual time nothing computes, and that is known.
func TestVirtualCPU(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		require.NotZero(t, compute())
		for name, clock := range map[string]func() (time.Duration, bool){"process": sampling.ProcessCPU, "thread": sampling.CurrentThread().CPU} {
			cpu, ok := clock()
			require.True(t, ok, name)
			require.Zero(t, cpu, name)
		}
	})
}
