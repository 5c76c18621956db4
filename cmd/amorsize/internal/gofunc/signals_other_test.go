//go:build !unix

package gofunc

import "os"

// protocol is what the harness writes records to.
func protocol() *os.File { return os.Stdout }
