//go:build unix

package process

import (
	"bytes"
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestGuardTable: the guard knows what runs, and no more of it once it has ended: its
// number may be another process's by then.
func TestGuardTable(t *testing.T) {
	g := &Guard{table: make([]int32, 3)}
	for _, slot := range []int{-1, 3, 4} {
		g.set(slot, 7) // a slot that it has no room for
	}
	(*Guard)(nil).set(0, 7)
	require.Equal(t, []int32{0, 0, 0}, g.table)
	groups := &Groups{guard: g}
	first, last := groups.begin(0, 11, "a"), groups.begin(2, 22, "b")
	require.Equal(t, []int32{11, 0, 22}, g.table)
	require.Len(t, groups.List(), 2)
	groups.end(last)
	require.Equal(t, []int32{11, 0, 0}, g.table)
	groups.end(first)
	require.Equal(t, []int32{0, 0, 0}, g.table)
	require.Empty(t, groups.List())
}

// TestLittleIsKeptInMemory: output of up to so many bytes, and its file is used again.
func TestLittleIsKeptInMemory(t *testing.T) {
	var files Files
	defer files.Close()
	for size, inMemory := range map[int]bool{1: true, small: true, small + 1: false} {
		file, err := files.get()
		require.NoError(t, err)
		_, err = file.Write(bytes.Repeat([]byte("x"), size))
		require.NoError(t, err)
		c, err := files.capture(file, false)
		require.NoError(t, err)
		require.Equal(t, inMemory, c.file == nil, "%d bytes", size)
		require.EqualValues(t, size, c.Size())
		c.Release()
	}
}

// TestWhatHasEndedIsNotSignaled: its number may be another process's by then.
func TestWhatHasEndedIsNotSignaled(t *testing.T) {
	other, err := os.StartProcess("/bin/sh", []string{"sh", "-c", "exec sleep 1000"}, &os.ProcAttr{Sys: attributes()})
	require.NoError(t, err)
	var groups Groups
	r := groups.begin(0, other.Pid, "")
	groups.end(r)
	groups.tell(r, Killed)
	require.NoError(t, syscall.Kill(-other.Pid, syscall.SIGTERM))
	state, err := other.Wait()
	require.NoError(t, err)
	require.Equal(t, "signal: terminated", state.String())
}

// TestPipes: there is one for each kind of line that is told apart.
func TestPipes(t *testing.T) {
	for merge, pipes := range map[bool]int{false: 2, true: 1} {
		s, err := NewSpawner(Config{Mode: Line, Merge: merge})
		require.NoError(t, err)
		st, err := s.open(Command{})
		require.NoError(t, err)
		require.Len(t, st.lines, pipes)
		require.Equal(t, merge, st.out == st.err)
		st.abandon()
		s.Close()
	}
}
