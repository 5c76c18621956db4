package command

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
)

// How many slots the files allow that may be open.
func TestFileCaps(t *testing.T) {
	require.Equal(t, jobs.Caps{}, fileCaps(0, 7))
	for limit, fixed := range map[int]int{1: 1, 16: 1, 25: 1, 26: 2, 30: 2, 31: 3, 1024: 201} {
		require.Equal(t, jobs.Caps{Files: 7, Fixed: fixed}, fileCaps(limit, 7), limit)
	}
}
