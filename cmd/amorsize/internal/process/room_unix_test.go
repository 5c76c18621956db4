//go:build linux || darwin

package process

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTooLittle: room is what is free for who asks, in whole blocks, and one more.
func TestTooLittle(t *testing.T) {
	for _, c := range []struct {
		at   syscall.Statfs_t
		root bool
		want bool
	}{
		{at: syscall.Statfs_t{Bsize: 4096, Blocks: 1, Bfree: 99, Bavail: 17}, want: false},
		{at: syscall.Statfs_t{Bsize: 4096, Blocks: 1, Bfree: 99, Bavail: 16}, want: true},
		{at: syscall.Statfs_t{Bsize: 4096, Blocks: 1, Bfree: 17, Bavail: 0}, root: true, want: false},
		{at: syscall.Statfs_t{Bsize: 4096, Blocks: 1, Bfree: 16, Bavail: 16}, root: true, want: true},
		{at: syscall.Statfs_t{Bsize: 1 << 20, Blocks: 99, Bavail: 1}, want: false},
		{at: syscall.Statfs_t{Bsize: 1 << 20, Blocks: 99, Bavail: 0}, want: true},
		{at: syscall.Statfs_t{Bsize: 4096}, want: false}, // it does not tell
	} {
		require.Equal(t, c.want, tooLittle(&c.at, c.root), "%+v", c)
	}
}
