//go:build unix

package main

import (
	"os/exec"
	"syscall"
)

// alone has a command be a process group of its own, which is told to end as a whole.
func alone(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
}
