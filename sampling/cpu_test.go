package sampling_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/sampling"
)

// A real loop computes, and the thread's clock says so; waiting does not count.
func TestThreadClock(t *testing.T) {
	thread := sampling.CurrentThread()
	_, ok := thread.CPU()
	if !ok {
		t.Skip("this system tells no CPU time")
	}
	s := uint32(1)
	for range 20_000_000 {
		s = s*1664525 + 1013904223
	}
	after, ok := sampling.CurrentThread().CPU()
	require.True(t, ok)
	require.NotZero(t, s)
	require.Positive(t, after)
	cpu, ok := sampling.ProcessCPU()
	require.True(t, ok)
	require.Positive(t, cpu)
}
