//go:build unix

package cli

import (
	"os"

	"golang.org/x/sys/unix"
)

// replace replaces this process by the program: signals, streams and status are then the program's.
func replace(path string, args []string) error {
	return unix.Exec(path, append([]string{path}, args...), os.Environ())
}
