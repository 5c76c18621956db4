package sampling

import (
	"runtime"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// The clock of a thread is the one that Linux has for the calling thread, and can be
// read from another one.
func TestThreadClockIsItsOwn(t *testing.T) {
	const own = 3 // CLOCK_THREAD_CPUTIME_ID
	calling := func() time.Duration {
		var ts syscall.Timespec
		_, _, errno := syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, own, uintptr(unsafe.Pointer(&ts)), 0)
		require.Zero(t, errno)
		return time.Duration(ts.Nano())
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before := calling()
	thread := CurrentThread()
	here, ok := thread.cpu()
	require.True(t, ok)
	require.GreaterOrEqual(t, here, before)
	require.LessOrEqual(t, here, calling())

	read := make(chan time.Duration)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		there, _ := thread.cpu()
		read <- there
	}()
	there := <-read
	require.GreaterOrEqual(t, there, here)
	require.LessOrEqual(t, there, calling())
	_, ok = Thread{clock: CurrentThread().clock | 7}.cpu()
	require.False(t, ok, "no clock")
}
