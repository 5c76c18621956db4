//go:build unix

package cli

import (
	"os"
	"syscall"
)

var allSignals = []os.Signal{
	os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGTSTP, syscall.SIGCONT,
	syscall.SIGPIPE, // else a write to a closed pipe ends us before the commands have
}

func isTermination(got os.Signal) bool { return got == syscall.SIGTERM || got == syscall.SIGHUP }

func (s *session) other(got os.Signal) {
	switch got {
	case syscall.SIGQUIT:
		s.list()
	case syscall.SIGTSTP: // the commands, then ourselves
		s.groups.Suspend(true)
		_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
	case syscall.SIGCONT:
		s.groups.Suspend(false)
	}
}
