//go:build unix

package run

import (
	"os"
	"syscall"
)

var allSignals = []os.Signal{
	os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGTSTP, syscall.SIGCONT,
	syscall.SIGPIPE, // else a write to a closed pipe ends us before the commands have
}

func isTermination(got os.Signal) bool { return got == syscall.SIGTERM || got == syscall.SIGHUP }

func (e *Environment) otherSignal(got os.Signal) {
	switch got {
	case syscall.SIGQUIT:
		e.list()
	case syscall.SIGTSTP: // the commands, then ourselves
		e.Groups.Suspend(true)
		_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
	case syscall.SIGCONT:
		e.Groups.Suspend(false)
	}
}
