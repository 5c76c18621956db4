//go:build unix

package process

import (
	"os"
	"runtime"
	"syscall"
	"time"
)

// attributes puts a command into a group of its own.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

func signalGroup(pid int, level Level) {
	signal := syscall.SIGTERM
	if level == Killed {
		signal = syscall.SIGKILL
	}
	_ = syscall.Kill(-pid, signal)
	if level == Asked { // a stopped process can't end
		_ = syscall.Kill(-pid, syscall.SIGCONT)
	}
}

func suspendGroup(pid int, stopped bool) {
	signal := syscall.SIGCONT
	if stopped {
		signal = syscall.SIGSTOP
	}
	_ = syscall.Kill(-pid, signal)
}

// groupLives reports whether the group of an ended process still has processes.
func groupLives(pid int) bool { return syscall.Kill(-pid, 0) == nil }

// clearGroup ends the remaining group of a process that was made to end.
func clearGroup(pid int, grace time.Duration) {
	for end := time.Now().Add(grace); groupLives(pid); {
		if time.Now().After(end) {
			_ = syscall.Kill(-pid, syscall.SIGKILL)
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// usage returns the CPU time of a process and of those that it waited for, and the peak memory of one of them.
func usage(state *os.ProcessState) (cpu time.Duration, memory int64) {
	cpu = state.UserTime() + state.SystemTime()
	if u, ok := state.SysUsage().(*syscall.Rusage); ok {
		memory = int64(u.Maxrss) //nolint:unconvert // not of that type on every system
		if runtime.GOOS != "darwin" && runtime.GOOS != "ios" {
			memory <<= 10
		}
	}
	return cpu, memory
}

// ended returns how a process ended.
func ended(state *os.ProcessState) error {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return &ExitError{Code: -1, Signal: status.Signal().String()}
	}
	if code := state.ExitCode(); code != 0 {
		return &ExitError{Code: code}
	}
	return nil
}
