//go:build linux || darwin

package process

import (
	"os"
	"syscall"
)

// leastRoom is how much has to be free where output is kept. With less, some of it
// may not have been written, and not every program says so.
const leastRoom = 64 << 10

// full reports whether there is no room where the file is.
func full(file *os.File) bool {
	var at syscall.Statfs_t
	if syscall.Fstatfs(int(file.Fd()), &at) != nil || at.Blocks == 0 {
		return false
	}
	free := at.Bavail
	if os.Geteuid() == 0 { // what is kept for it
		free = at.Bfree
	}
	return free < leastRoom/uint64(at.Bsize)+1 //nolint:gosec // the size of a block
}
