package run

import (
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// next returns what becomes of a process next: it stops, goes on, or ends.
func next(t *testing.T, pid, options int) syscall.WaitStatus {
	t.Helper()
	var status syscall.WaitStatus
	_, err := syscall.Wait4(pid, &status, options, nil)
	require.NoError(t, err)
	return status
}

// A suspension stops what runs, and then this program. When it goes on, what runs does, too.
func TestSuspend(t *testing.T) {
	const variable = "AMORSIZE_TEST_SUSPEND"
	env, _ := newBench(t, "a").open()
	if pid, err := strconv.Atoi(os.Getenv(variable)); err == nil {
		env.Groups.Adopt(pid, "a")
		env.otherSignal(syscall.SIGTSTP)
		return
	}
	job := sleeper(t)
	program := exec.Command(os.Args[0], "-test.run=^TestSuspend$")
	program.Env = append(os.Environ(), variable+"="+strconv.Itoa(job.Process.Pid))
	require.NoError(t, program.Start())
	require.True(t, next(t, program.Process.Pid, syscall.WUNTRACED).Stopped())
	require.NoError(t, program.Process.Kill())
	require.Error(t, program.Wait())
	require.True(t, next(t, job.Process.Pid, syscall.WUNTRACED).Stopped())

	env.Groups.Adopt(job.Process.Pid, "a")
	env.otherSignal(syscall.SIGCONT)
	require.True(t, next(t, job.Process.Pid, syscall.WCONTINUED|syscall.WNOHANG).Continued())
	require.NoError(t, job.Process.Kill())
	require.EqualError(t, job.Wait(), "signal: killed")
}
