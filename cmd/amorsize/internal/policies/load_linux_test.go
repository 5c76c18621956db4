package policies

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// The load that is bounded is the average of the last minute, as the system says.
func TestMaxLoadOfTheLastMinute(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("HOST_PROC", dir)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "loadavg"), []byte("7.25 3.50 1.75 2/345 6789\n"), 0o600))
	limit, ok := MaxLoad(2)[0].(loadLimit)
	require.True(t, ok)
	average, err := limit.average(t.Context())
	require.NoError(t, err)
	require.Equal(t, 7.25, average)
}
