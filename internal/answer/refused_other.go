//go:build !windows && !plan9

package answer

import "syscall"

const connectionRefused = syscall.ECONNREFUSED
