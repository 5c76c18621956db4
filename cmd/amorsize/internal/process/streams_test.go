//go:build unix

package process

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestOrphanThatWrites is read for as long as its lines keep coming: here each comes after
// a deadline that was exceeded.
func TestOrphanThatWrites(t *testing.T) {
	read, write, err := os.Pipe()
	require.NoError(t, err)
	defer func() { require.NoError(t, read.Close()) }()
	const most = 10
	lines := 0
	next := func() {
		if lines == most {
			require.NoError(t, write.Close())
			return
		}
		_, err := write.WriteString("\n")
		require.NoError(t, err)
		require.NoError(t, read.SetReadDeadline(time.Now().Add(-time.Second)))
	}
	st := &streams{line: func(line []byte, stderr bool) {
		require.True(t, stderr)
		require.Equal(t, "\n", string(line))
		lines++
		next()
	}}
	next()
	st.pass(read, true)
	require.Equal(t, most, lines)
}

// TestOrphanThatIsSilent is given up, also in the midst of a line.
func TestOrphanThatIsSilent(t *testing.T) {
	read, write, err := os.Pipe()
	require.NoError(t, err)
	defer func() { _, _ = read.Close(), write.Close() }()
	_, err = write.WriteString("whole\npart")
	require.NoError(t, err)
	var lines []string
	st := &streams{line: func(line []byte, stderr bool) {
		require.False(t, stderr)
		lines = append(lines, string(line))
	}}
	require.NoError(t, read.SetReadDeadline(time.Now().Add(-time.Second)))
	st.pass(read, false)
	require.Equal(t, []string{"whole\n", "part"}, lines)
}
