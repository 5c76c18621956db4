package answer

import "syscall"

// connectionRefused is WSAECONNREFUSED, which is not syscall.ECONNREFUSED.
const connectionRefused = syscall.Errno(10061)
