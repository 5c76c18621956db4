package process_test

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/process"
)

// TestFileSlots: each command has eight of the files that may be open, and this program keeps 64.
// One command may run in any case, and as many as one likes where no limit is known.
func TestFileSlots(t *testing.T) {
	var limit syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	defer func() { require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)) }()
	for files, slots := range map[int]int{0: 0, 1: 1, 64: 1, 79: 1, 80: 2, 87: 2, 88: 3, 464: 50} {
		few := limit
		few.Cur = uint64(files)
		require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &few))
		require.Equal(t, files, process.OpenFiles())
		require.Equal(t, slots, process.FileSlots(), "%d files", files)
	}
}
