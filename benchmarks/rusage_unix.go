//go:build unix

package main

import (
	"syscall"
	"time"
)

// usage returns the CPU time of the process and how often a thread of it went to sleep.
func usage() (cpu time.Duration, sleeps int64) {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0, 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), int64(u.Nvcsw) //nolint:unconvert // 32 bits elsewhere
}
