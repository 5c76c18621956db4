package process

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// begin starts a command with this besides our environment, which has started another one when
// this returns. Both are gone when the test has ended.
func begin(t *testing.T, env []string, sys syscall.SysProcAttr) *os.Process {
	t.Helper()
	ready, told, err := os.Pipe()
	require.NoError(t, err)
	child, err := os.StartProcess("/bin/sh", []string{"sh", "-c", "sleep 1000 & echo; wait"}, &os.ProcAttr{
		Env: append(os.Environ(), env...), Files: []*os.File{nil, told}, Sys: &sys,
	})
	require.NoError(t, err)
	require.NoError(t, told.Close())
	_, err = ready.Read(make([]byte, 1))
	require.NoError(t, err)
	t.Cleanup(func() {
		_ = syscall.Kill(-child.Pid, syscall.SIGKILL)
		_, _ = child.Wait()
		_, err := ready.Read(make([]byte, 1))
		require.Error(t, err, "what it has started is gone, too")
		require.NoError(t, ready.Close())
	})
	return child
}

// TestGuardOfAStart: we are killed when a command has begun, and its number is not in the table
// yet. It is killed with what it has started, and nothing else is.
func TestGuardOfAStart(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	guard, err := StartGuard(self)
	require.NoError(t, err)
	mark, group, session := guard.marked(nil), syscall.SysProcAttr{Setpgid: true}, syscall.SysProcAttr{Setsid: true}
	unmarked, daemon := begin(t, nil, group), begin(t, mark, session)
	another := begin(t, []string{mark[0] + "0"}, group)

	// One that could not be started leaves nothing to look for.
	groups := &Groups{guard: guard}
	_, _, err = groups.start("/no/such/program", Command{Slot: 2, Argv: []string{"x"}}, &os.ProcAttr{})
	require.Error(t, err)
	require.Zero(t, guard.table[2])

	guard.set(2, starting)
	child := begin(t, mark, group)
	guard.Close()
	state, err := child.Wait()
	require.NoError(t, err)
	require.Equal(t, "signal: killed", state.String())
	for _, p := range []*os.Process{unmarked, daemon, another} {
		require.NoError(t, p.Signal(syscall.Signal(0)))
		require.Equal(t, "S", stateOf(t, p.Pid))
	}
}

// TestGuardLeavesWhatWasLeft: when no command was being started, the guard looks for none by
// the mark. It would find what a command has left behind, which lives on.
func TestGuardLeavesWhatWasLeft(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	guard, err := StartGuard(self)
	require.NoError(t, err)
	left := begin(t, guard.marked(nil), syscall.SysProcAttr{Setpgid: true})
	guard.Close()
	require.Equal(t, "S", stateOf(t, left.Pid))
}

// TestMarkedThatAppearsLate: a process that shows its mark only a little later is found as well.
func TestMarkedThatAppearsLate(t *testing.T) {
	mark := fmt.Sprintf("%s=late.%d.%d", guardVariable, os.Getpid(), time.Now().UnixNano())
	session, err := unix.Getsid(0)
	require.NoError(t, err)
	synctest.Test(t, func(t *testing.T) {
		var late *os.Process
		time.AfterFunc(100*time.Millisecond, func() {
			late = begin(t, []string{mark}, syscall.SysProcAttr{Setpgid: true})
		})
		killMarked(mark, session)
		synctest.Wait()
		require.NotNil(t, late, "it is looked for that long")
		state, err := late.Wait()
		require.NoError(t, err)
		require.Equal(t, "signal: killed", state.String())
	})
}

// TestGuardIsNotAskedToEnd: what ends this program, and all else that belongs to its terminal or
// its service, leaves the guard, which then kills what runs.
func TestGuardIsNotAskedToEnd(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	guard, err := StartGuard(self)
	require.NoError(t, err)
	input, hold, err := os.Pipe()
	require.NoError(t, err)
	child, err := os.StartProcess("/bin/sh", []string{"sh", "-c", "read x"}, &os.ProcAttr{
		Files: []*os.File{input}, Sys: attributes(),
	})
	require.NoError(t, err)
	require.NoError(t, input.Close())
	guard.set(0, child.Pid)
	require.Eventually(t, func() bool {
		maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", guard.child.Pid))
		return err == nil && strings.Contains(string(maps), "amorsize-guard-")
	}, time.Minute, time.Millisecond, "it has the table, and waits for our end")
	for _, signal := range []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT} {
		require.NoError(t, guard.child.Signal(signal))
	}
	guard.Close()
	require.NoError(t, hold.Close()) // which ends it, unless it was killed
	state, err := child.Wait()
	require.NoError(t, err)
	require.Equal(t, "signal: killed", state.String())
}

func stateOf(t *testing.T, pid int) string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	require.NoError(t, err)
	_, state, _ := strings.Cut(string(text), ") ")
	return state[:1]
}
