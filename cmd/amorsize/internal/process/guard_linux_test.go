package process

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestGuardOfAStart: we are killed when a command has begun, and its number is not in the table
// yet. It is killed with what it has started, and nothing else is.
func TestGuardOfAStart(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	guard, err := StartGuard(self)
	require.NoError(t, err)
	begin := func(env []string, sys syscall.SysProcAttr) *os.Process {
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
	mark, group, session := guard.marked(nil), syscall.SysProcAttr{Setpgid: true}, syscall.SysProcAttr{Setsid: true}
	unmarked, daemon := begin(nil, group), begin(mark, session)
	another := begin([]string{mark[0] + "0"}, group)

	// One that could not be started leaves nothing to look for.
	groups := &Groups{guard: guard}
	_, _, err = groups.start("/no/such/program", Command{Slot: 2, Argv: []string{"x"}}, &os.ProcAttr{})
	require.Error(t, err)
	require.Zero(t, guard.table[2])

	guard.set(2, starting)
	child := begin(mark, group)
	guard.Close()
	state, err := child.Wait()
	require.NoError(t, err)
	require.Equal(t, "signal: killed", state.String())
	for _, p := range []*os.Process{unmarked, daemon, another} {
		require.NoError(t, p.Signal(syscall.Signal(0)))
		require.Equal(t, "S", stateOf(t, p.Pid))
	}
}

func stateOf(t *testing.T, pid int) string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	require.NoError(t, err)
	_, state, _ := strings.Cut(string(text), ") ")
	return state[:1]
}
