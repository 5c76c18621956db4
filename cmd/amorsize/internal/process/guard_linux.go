package process

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// killMarked kills the groups of processes that have the mark in their environment. One that has a session of its
// own has left the run on purpose. A process has our environment until it executes its program, so the last ones
// may appear a little later.
func killMarked(mark string, session int) {
	for wait := 10 * time.Millisecond; wait < 200*time.Millisecond; wait *= 2 {
		environments, _ := filepath.Glob("/proc/[0-9]*/environ")
		for _, path := range environments {
			env, err := os.ReadFile(path)
			if err != nil || !bytes.Contains(env, append([]byte(mark), 0)) { // each variable ends with a 0
				continue
			}
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			if sid, err := unix.Getsid(pid); err != nil || sid != session {
				continue
			}
			if group, err := syscall.Getpgid(pid); err == nil && group > 1 {
				_ = syscall.Kill(-group, syscall.SIGKILL)
			}
		}
		time.Sleep(wait)
	}
}
