//go:build linux || darwin

package process

import (
	"os"
	"syscall"
)

// leastRoom is how much room must be free where output is kept. With less, some output may not have been written,
// and not every program reports that.
const leastRoom = 64 << 10

// full reports whether there is no room where the file is.
func full(file *os.File) bool {
	var at syscall.Statfs_t
	if syscall.Fstatfs(int(file.Fd()), &at) != nil {
		return false
	}
	return tooLittle(&at, os.Geteuid() == 0)
}

// tooLittle reports whether there is less than leastRoom, for root or for others. A file system without blocks
// does not say.
func tooLittle(at *syscall.Statfs_t, root bool) bool {
	free := at.Bavail
	if root { // includes the blocks reserved for root
		free = at.Bfree
	}
	return at.Blocks > 0 && free < leastRoom/uint64(at.Bsize)+1
}
