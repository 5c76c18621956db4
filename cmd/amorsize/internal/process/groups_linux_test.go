package process

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestStoppedIsAskedToEnd: what was suspended goes on when it is to end, since it could not heed
// that otherwise.
func TestStoppedIsAskedToEnd(t *testing.T) {
	groups := new(Groups)
	t.Cleanup(func() { groups.Raise(Killed) })
	s, err := NewSpawner(Config{Groups: groups, Grace: 20 * time.Second})
	require.NoError(t, err)
	defer s.Close()
	p, err := s.Start(Command{Argv: []string{"sleep", "1000"}})
	require.NoError(t, err)
	groups.Suspend(true)
	require.Eventually(t, func() bool { return stateOf(t, p.child.Pid) == "T" }, time.Minute, time.Millisecond)
	groups.Raise(Asked)
	require.ErrorContains(t, p.End(), "signal: terminated")
}

// fifo makes one and opens it.
func fifo(t *testing.T, path string, flags int) *os.File {
	t.Helper()
	require.NoError(t, syscall.Mkfifo(path, 0o600))
	file, err := os.OpenFile(path, flags|syscall.O_NONBLOCK, 0)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, file.Close()) })
	return file
}

// TestWhatIsLeftOfATimeout: a command that takes too long ends with all that it has started, also
// with what does not heed that it is asked to.
func TestWhatIsLeftOfATimeout(t *testing.T) {
	dir := t.TempDir()
	wake, said := fifo(t, filepath.Join(dir, "wake"), os.O_RDWR), fifo(t, filepath.Join(dir, "said"), os.O_RDONLY)
	s, err := NewSpawner(Config{Groups: new(Groups), Dir: dir, Grace: 10 * time.Millisecond})
	require.NoError(t, err)
	defer s.Close()
	_, err = s.Run(Command{
		Argv:    []string{"sh", "-c", `(trap "" TERM; exec >said; read x <wake; echo lives) & wait`},
		Timeout: 300 * time.Millisecond,
	})
	require.ErrorAs(t, err, new(*TimeoutError))
	_, err = fmt.Fprintln(wake, "x")
	require.NoError(t, err)
	last, err := io.ReadAll(said) // to the end of who may write to it
	require.NoError(t, err)
	require.Empty(t, string(last))
}

// TestGraceIsOfAllThatACommandStarted: what is asked to end has the grace to do so, although the
// command itself has ended at once.
func TestGraceIsOfAllThatACommandStarted(t *testing.T) {
	dir := t.TempDir()
	said := fifo(t, filepath.Join(dir, "said"), os.O_RDWR)
	groups := new(Groups)
	t.Cleanup(func() { groups.Raise(Killed) })
	s, err := NewSpawner(Config{Groups: groups, Dir: dir, Grace: 5 * time.Second})
	require.NoError(t, err)
	defer s.Close()
	ended := make(chan error, 1)
	go func() {
		_, err := s.Run(Command{Argv: []string{"sh", "-c", `(
			trap "sleep 0.2; echo cleaned up; exit" TERM
			exec >said; echo ready; while :; do sleep 0.01; done
		) & wait`}})
		ended <- err
	}()
	lines := bufio.NewReader(said)
	line, err := lines.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "ready\n", line)
	groups.Raise(Asked)
	require.ErrorContains(t, <-ended, "signal: terminated")
	require.NoError(t, said.SetReadDeadline(time.Now().Add(20*time.Second)))
	line, err = lines.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "cleaned up\n", line)
}

// TestStartIsKnownToTheGuard: a command is known to be started until its number is known, and it
// is marked, so that the guard finds it in between.
func TestStartIsKnownToTheGuard(t *testing.T) {
	g := &Guard{table: make([]int32, 3), mark: guardVariable + "=some.mark"}
	groups := &Groups{guard: g}
	s, err := NewSpawner(Config{Groups: groups, Env: []string{"A=a"}})
	require.NoError(t, err)
	defer s.Close()
	began := make(chan *started, 1)
	c := Command{Argv: []string{"sh", "-c", `echo "$A $B $` + guardVariable + `"`}, Env: []string{"B=b"}, Slot: 1}
	syscall.ForkLock.RLock() // nothing can be started now
	go func() {
		r, err := s.start("/bin/sh", c)
		if err != nil {
			r = nil
		}
		began <- r
	}()
	known := func() bool { return atomic.LoadInt32(&g.table[1]) == starting }
	seen := assert.Eventually(t, known, time.Minute, time.Millisecond)
	syscall.ForkLock.RUnlock()
	r := <-began
	require.NotNil(t, r)
	require.True(t, seen)
	require.EqualValues(t, r.child.Pid, g.table[1])
	o, err := s.finish(r, c)
	require.NoError(t, err)
	require.Equal(t, "a b some.mark\n", string(o.Out.Tail(100)))
	require.Zero(t, g.table[1])
	o.Out.Release()
	o.Err.Release()
}
