//go:build !linux

package process

// busy is not known here.
func busy(int) bool { return false }
