package sampling

import (
	"syscall"
	"time"
	"unsafe"
)

// CPUResolution is the shortest wall time over which a [Thread]'s clock is meaningful:
// Windows counts in clock ticks of 15.6 ms.
const CPUResolution = 40 * time.Millisecond

var (
	kernel32       = syscall.NewLazyDLL("kernel32.dll")
	getThreadTimes = kernel32.NewProc("GetThreadTimes")
)

// currentThread is the pseudo-handle that GetCurrentThread returns.
const currentThread = ^uintptr(1)

// Thread is the CPU clock of one thread.
type Thread struct{}

// CurrentThread returns the clock of the calling thread, which only that thread may read.
func CurrentThread() Thread { return Thread{} }

func (Thread) cpu() (time.Duration, bool) {
	if getThreadTimes.Find() != nil {
		return 0, false
	}
	var creation, exit, kernel, user syscall.Filetime
	ok, _, _ := getThreadTimes.Call(currentThread,
		uintptr(unsafe.Pointer(&creation)), uintptr(unsafe.Pointer(&exit)),
		uintptr(unsafe.Pointer(&kernel)), uintptr(unsafe.Pointer(&user)))
	return filetimeDuration(kernel) + filetimeDuration(user), ok != 0
}

// processCPU returns the CPU time that the process has used in all its
// threads, and whether that is known.
func processCPU() (time.Duration, bool) {
	process, err := syscall.GetCurrentProcess()
	if err != nil {
		return 0, false
	}
	var creation, exit, kernel, user syscall.Filetime
	if syscall.GetProcessTimes(process, &creation, &exit, &kernel, &user) != nil {
		return 0, false
	}
	return filetimeDuration(kernel) + filetimeDuration(user), true
}

// filetimeDuration converts a Filetime that holds a duration, in units of 100 ns. Its
// method Nanoseconds treats it as a date instead.
func filetimeDuration(f syscall.Filetime) time.Duration {
	return time.Duration(int64(f.HighDateTime)<<32|int64(f.LowDateTime)) * 100
}
