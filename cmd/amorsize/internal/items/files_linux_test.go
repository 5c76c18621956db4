package items_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
)

// The values of a list are known when it is opened: its file is not held open through the run.
func TestFileOfAListIsReleased(t *testing.T) {
	name, err := filepath.EvalSymlinks(file(t, "a\nb\n"))
	require.NoError(t, err)
	in, err := items.Source{Lists: []items.List{{File: name}}}.Open(nil)
	require.NoError(t, err)
	require.Equal(t, 2, in.Total())
	held, err := filepath.Glob("/proc/self/fd/*")
	require.NoError(t, err)
	require.NotEmpty(t, held)
	for _, fd := range held {
		if target, err := os.Readlink(fd); err == nil { // it was not of the listing itself
			require.NotEqual(t, name, target)
		}
	}
}
