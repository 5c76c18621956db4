//go:build unix

package sampling

import (
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The CPU time of the process is what it has used for itself and what the system has for it.
func TestProcessCPU(t *testing.T) {
	used := func() time.Duration {
		var usage syscall.Rusage
		require.NoError(t, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
		return time.Duration(usage.Utime.Nano()) + time.Duration(usage.Stime.Nano())
	}
	before := used()
	got, ok := processCPU()
	require.True(t, ok)
	require.GreaterOrEqual(t, got, before)
	require.LessOrEqual(t, got, used())
}
