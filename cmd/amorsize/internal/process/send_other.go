//go:build !linux

package process

import "os"

// send sends nothing: everything is copied.
func send(_, _ *os.File, _ int64) (int64, error) { return 0, nil }
