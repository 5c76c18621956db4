package executor

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Where nothing keeps outcomes, no clock is read.
func TestNoKeeperNoClock(t *testing.T) {
	require.Zero(t, (&kept[int, int]{}).begin())
}
