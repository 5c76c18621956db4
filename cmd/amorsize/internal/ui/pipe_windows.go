package ui

import "syscall"

// brokenPipe is ERROR_NO_DATA, which a pipe gives whose reader has gone.
const brokenPipe = syscall.Errno(232)
