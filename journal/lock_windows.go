package journal

import (
	"errors"
	"os"
	"syscall"
	"unsafe"
)

// LockFileEx, which the standard library does not export.
var lockFileEx = syscall.NewLazyDLL("kernel32.dll").NewProc("LockFileEx")

const (
	failImmediately = 1
	exclusively     = 2
	lockViolation   = syscall.Errno(33)
	farAway         = 1 << 30 // in units of 4 GiB: locked bytes can't be read by others
)

// lock locks the file until it is closed or the process ends. It locks a byte far beyond
// the end, so that others can read the file.
func lock(file *os.File) error {
	at := syscall.Overlapped{OffsetHigh: farAway}
	ok, _, err := lockFileEx.Call(file.Fd(), failImmediately|exclusively, 0, 1, 0, uintptr(unsafe.Pointer(&at)))
	if ok == 0 && errors.Is(err, lockViolation) {
		return ErrInUse
	}
	return nil
}

// syncDir does nothing: on Windows, a name is on disk when its file is.
func syncDir(string) error { return nil }
