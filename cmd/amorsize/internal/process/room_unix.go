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
	if syscall.Fstatfs(int(file.Fd()), &at) != nil {
		return false
	}
	return tooLittle(&at, os.Geteuid() == 0)
}

// tooLittle reports whether there is less than leastRoom, for root or for others. A file
// system without blocks does not tell.
func tooLittle(at *syscall.Statfs_t, root bool) bool {
	free := at.Bavail
	if root { // what is kept for it
		free = at.Bfree
	}
	return at.Blocks > 0 && free < leastRoom/uint64(at.Bsize)+1
}
