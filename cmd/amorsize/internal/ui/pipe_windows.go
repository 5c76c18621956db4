package ui

import "syscall"

// brokenPipe is ERROR_NO_DATA, the error of a pipe whose reader has gone.
const brokenPipe = syscall.Errno(232)
