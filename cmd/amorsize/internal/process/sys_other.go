//go:build !unix

package process

import (
	"os"
	"syscall"
	"time"
)

// Here there are no process groups and no signals: only the command itself is ended.

func attributes() *syscall.SysProcAttr { return nil }

func signalGroup(pid int, _ Level) {
	if p, err := os.FindProcess(pid); err == nil {
		_ = p.Kill()
	}
}

func suspendGroup(int, bool) {}

func groupLives(int) bool { return false }

func clearGroup(int, time.Duration) {}

func usage(state *os.ProcessState) (cpu time.Duration, memory int64) {
	return state.UserTime() + state.SystemTime(), 0
}

func ended(state *os.ProcessState) error {
	if code := state.ExitCode(); code != 0 {
		return &ExitError{Code: code}
	}
	return nil
}
