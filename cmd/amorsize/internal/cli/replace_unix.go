//go:build unix

package cli

import (
	"os"

	"golang.org/x/sys/unix"
)

// replace has this process be the program: signals, streams and status are its own.
func replace(path string, args []string) error {
	return unix.Exec(path, append([]string{path}, args...), os.Environ())
}
