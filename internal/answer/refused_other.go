//go:build !windows

package answer

import "syscall"

const connectionRefused = syscall.ECONNREFUSED
