//go:build unix

package process

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
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

// TestAdoptedAreToldApart: the guard knows all that other code has started, beside the
// commands, also when many more have ended.
func TestAdoptedAreToldApart(t *testing.T) {
	g := &Guard{table: make([]int32, guardSlots)}
	groups := &Groups{guard: g}
	for range 10 {
		groups.Adopt(7, "over")()
	}
	want := map[int]bool{}
	var over []func()
	for pid := 1000; pid < 1060; pid++ {
		want[pid] = true
		over = append(over, groups.Adopt(pid, "other"))
	}
	known := map[int]bool{}
	for slot, pid := range g.table {
		if pid != 0 {
			require.Greater(t, slot, guardSlots/2, "the others are the commands'")
			known[int(pid)] = true
		}
	}
	require.Equal(t, want, known)
	require.Len(t, groups.List(), len(want))
	for _, ended := range over {
		ended()
	}
	require.Equal(t, make([]int32, guardSlots), g.table)
	require.Empty(t, groups.List())
}

// TestListIsBySlot: what runs is listed in the order of its slots, in whatever order it has begun.
func TestListIsBySlot(t *testing.T) {
	const n = 30
	var groups Groups
	for i := range n {
		groups.begin(i*7%n, 1000+i, "")
	}
	list := groups.List()
	require.Len(t, list, n)
	for slot, r := range list {
		require.Equal(t, slot, r.Slot)
	}
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

// TestOutputThatCantBeTaken is the failure of a command, unless it has failed itself.
func TestOutputThatCantBeTaken(t *testing.T) {
	s, err := NewSpawner(Config{Groups: new(Groups)})
	require.NoError(t, err)
	defer s.Close()
	for script, want := range map[string]any{"exit 0": new(*OutputError), "exit 3": new(*ExitError)} {
		c := Command{Argv: []string{"sh", "-c", script}}
		r, err := s.start("/bin/sh", c)
		require.NoError(t, err)
		require.NoError(t, r.streams.out.Close())
		o, err := s.finish(r, c)
		require.ErrorAs(t, err, want)
		require.ErrorIs(t, err, ErrCommand)
		require.Zero(t, o.Out.Size())
		o.Err.Release()
	}
}

// TestWaitingIsNotKnown of a file that is not open.
func TestWaitingIsNotKnown(t *testing.T) {
	require.Zero(t, waiting(nil))
	read, write, err := os.Pipe()
	require.NoError(t, err)
	require.NoError(t, errors.Join(read.Close(), write.Close()))
	require.Zero(t, waiting(read))
}

// TestFileThatCantBeRead is an error, and no output.
func TestFileThatCantBeRead(t *testing.T) {
	var files Files
	defer files.Close()
	file, err := os.OpenFile(filepath.Join(t.TempDir(), "out"), os.O_CREATE|os.O_WRONLY, 0o600)
	require.NoError(t, err)
	_, err = file.WriteString("text")
	require.NoError(t, err)
	_, err = files.capture(file, true)
	require.ErrorIs(t, err, syscall.EBADF)
}
