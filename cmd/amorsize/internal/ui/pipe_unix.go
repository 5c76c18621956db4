//go:build !windows

package ui

import "syscall"

const brokenPipe = syscall.EPIPE
