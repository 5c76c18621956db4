//go:build unix

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// command is the command as built for these tests, running.
type command struct {
	t   *testing.T
	cmd *exec.Cmd
	dir string
}

// build builds the command once.
func build(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "amorsize")
	out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput()
	require.NoError(t, err, string(out))
	return path
}

// begin starts amorsize run over commands that say in files that they have begun.
func begin(t *testing.T, binary string, args ...string) *command {
	t.Helper()
	c := &command{t: t, dir: t.TempDir()}
	c.cmd = exec.Command(binary, args...)
	c.cmd.Dir = c.dir
	c.cmd.Env = append(os.Environ(), "TMPDIR="+c.dir, "AMORSIZE_HISTORY=off")
	stderr, err := os.Create(filepath.Join(c.dir, "stderr"))
	require.NoError(t, err)
	defer func() { _ = stderr.Close() }()
	c.cmd.Stderr = stderr
	require.NoError(t, c.cmd.Start())
	t.Cleanup(func() { _ = c.cmd.Process.Kill() })
	return c
}

// pids waits for so many commands to have begun and returns their numbers.
func (c *command) pids(n int) (pids []int) {
	c.t.Helper()
	require.Eventually(c.t, func() bool {
		pids = nil
		files, _ := filepath.Glob(filepath.Join(c.dir, "pid.*"))
		for _, file := range files {
			text, _ := os.ReadFile(file)
			if pid, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil {
				pids = append(pids, pid)
			}
		}
		return len(pids) >= n
	}, 20*time.Second, 5*time.Millisecond)
	return pids
}

func (c *command) signal(s syscall.Signal) { require.NoError(c.t, c.cmd.Process.Signal(s)) }

// said returns what the command has told so far.
func (c *command) said() string {
	text, err := os.ReadFile(filepath.Join(c.dir, "stderr"))
	require.NoError(c.t, err)
	return string(text)
}

// until waits for the command to tell something.
func (c *command) until(text string) {
	c.t.Helper()
	require.Eventually(c.t, func() bool { return strings.Contains(c.said(), text) }, 20*time.Second, 5*time.Millisecond)
}

// end waits for the end of the command and returns its status.
func (c *command) end() int {
	c.t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- c.cmd.Wait() }()
	select {
	case err := <-ended:
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			return exit.ExitCode()
		}
		require.NoError(c.t, err)
		return 0
	case <-time.After(30 * time.Second):
		require.Fail(c.t, "amorsize has not ended", c.said())
		return -1
	}
}

// gone waits until none of the processes is there any more.
func (c *command) gone(pids []int) {
	c.t.Helper()
	require.Eventually(c.t, func() bool {
		for _, pid := range pids {
			if syscall.Kill(pid, 0) == nil && !zombie(pid) {
				return false
			}
		}
		return true
	}, 10*time.Second, 10*time.Millisecond, "processes are left: %v", pids)
}

func zombie(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && strings.Contains(string(text), ") Z ")
}

// clean checks that no temporary file is left.
func (c *command) clean() {
	c.t.Helper()
	left, err := filepath.Glob(filepath.Join(c.dir, "amorsize*"))
	require.NoError(c.t, err)
	require.Empty(c.t, left)
}

// The commands of these tests tell their process and that of a grandchild.
const (
	polite = `sleep 1000 & echo $! > pid.child.$1; echo $$ > pid.$1; wait`
	deaf   = `trap '' TERM INT; (trap '' TERM INT; echo $(exec sh -c 'echo $PPID') > pid.child.$1; while :; do sleep 0.05; done) & echo $$ > pid.$1; while :; do sleep 0.05; done`
	short  = `echo $$ > pid.$1; while [ ! -e go ]; do sleep 0.01; done; echo done > done.$1`
)

func TestSignals(t *testing.T) {
	binary := build(t)
	run := func(script string, more ...string) []string {
		return append(append([]string{"run", "-j2", "--range", "50", "--grace", "300ms"}, more...), "--sh", script)
	}

	t.Run("an interrupt drains", func(t *testing.T) {
		c := begin(t, binary, run(short, "--log", "log")...)
		pids := c.pids(2)
		c.signal(syscall.SIGINT)
		require.NoError(t, os.WriteFile(filepath.Join(c.dir, "go"), nil, 0o600))
		require.Equal(t, 130, c.end(), c.said())
		c.gone(pids)
		done, _ := filepath.Glob(filepath.Join(c.dir, "done.*"))
		require.NotEmpty(t, done, "what ran has ended by itself")
		require.Less(t, len(done), 50, "nothing more was started")
		require.Contains(t, c.said(), "stopped (interrupted)")
		require.Contains(t, c.said(), "--resume")
		c.clean()
	})
	t.Run("a second one terminates", func(t *testing.T) {
		c := begin(t, binary, run(polite)...)
		pids := c.pids(4)
		c.signal(syscall.SIGINT)
		c.until("draining")
		c.signal(syscall.SIGINT)
		require.Equal(t, 130, c.end(), c.said())
		c.gone(pids)
		c.clean()
	})
	t.Run("a third one kills", func(t *testing.T) {
		args := run(deaf)
		args[5] = "1h" // of grace
		c := begin(t, binary, args...)
		pids := c.pids(4)
		c.signal(syscall.SIGINT)
		c.until("draining")
		c.signal(syscall.SIGINT)
		c.until("terminating")
		c.signal(syscall.SIGINT)
		require.Equal(t, 130, c.end(), c.said())
		c.gone(pids)
		c.clean()
	})
	t.Run("being terminated ends all, with the grace between the steps", func(t *testing.T) {
		c := begin(t, binary, run(deaf)...)
		pids := c.pids(4)
		c.signal(syscall.SIGTERM)
		require.Equal(t, 143, c.end(), c.said())
		c.gone(pids)
		c.clean()
	})
	t.Run("being killed leaves nothing", func(t *testing.T) {
		c := begin(t, binary, run(deaf)...)
		pids := c.pids(4)
		c.signal(syscall.SIGKILL)
		require.Equal(t, -1, c.end())
		c.gone(pids)
		c.clean()
	})
	t.Run("a worker is ended, too", func(t *testing.T) {
		c := begin(t, binary, "run", "-j2", "--range", "50", "--grace", "100ms", "--worker", "lines", "--", "sh", "-c",
			`echo $$ > pid.$$; while read x; do sleep 1000; done`)
		pids := c.pids(2)
		c.signal(syscall.SIGINT)
		c.until("draining")
		c.signal(syscall.SIGINT)
		require.Equal(t, 130, c.end(), c.said())
		c.gone(pids)
		c.clean()
	})
	t.Run("stopping stops what runs", func(t *testing.T) {
		c := begin(t, binary, run(short)...)
		pids := c.pids(2)
		c.signal(syscall.SIGTSTP)
		// The command stops last: only then may it be told to go on.
		all := append([]int{c.cmd.Process.Pid}, pids[:2]...)
		stopped := func(want bool) func() bool {
			return func() bool {
				for i, pid := range all {
					text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
					is := strings.Contains(string(text), ") T ")
					if want && i > 0 { // a shell whose child was stopped before it was executed waits for that
						is = is || strings.Contains(string(text), ") D ")
					}
					if err == nil && is != want {
						return false
					}
				}
				return true
			}
		}
		require.Eventually(t, stopped(true), 20*time.Second, 5*time.Millisecond)
		c.signal(syscall.SIGCONT)
		require.Eventually(t, stopped(false), 20*time.Second, 5*time.Millisecond)
		c.signal(syscall.SIGINT)
		require.NoError(t, os.WriteFile(filepath.Join(c.dir, "go"), nil, 0o600))
		require.Equal(t, 130, c.end(), c.said())
		c.clean()
	})
	t.Run("a full disk under the log ends the run", func(t *testing.T) {
		if _, err := os.Stat("/dev/full"); err != nil {
			t.Skip("there is no /dev/full here")
		}
		c := begin(t, binary, run("true", "--log", "/dev/full")...)
		require.Equal(t, 2, c.end())
		require.Contains(t, c.said(), "no space left on device")
	})
}
