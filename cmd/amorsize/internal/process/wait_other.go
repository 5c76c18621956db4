//go:build !linux

package process

func await(int) {}
