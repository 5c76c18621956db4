package sampling

import (
	"runtime"
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMeminfo(t *testing.T) {
	total, available, err := readMeminfo(tree(map[string]string{
		"proc/meminfo": "MemTotal:       24731648 kB\nMemFree:        1 kB\nMemAvailable:   2048 kB\nBuffers: 3 kB\n"}))
	require.NoError(t, err)
	require.Equal(t, uint64(24731648<<10), total)
	require.Equal(t, uint64(2<<20), available)
	for _, text := range []string{"", "MemTotal: 5 kB\n", "MemTotal: x kB\nMemAvailable: 1 kB\n"} {
		_, _, err = readMeminfo(tree(map[string]string{"proc/meminfo": text}))
		require.Error(t, err, "%q: somebody else must say", text)
	}
}

// The runtime's own limit is found, and what counts against it: not garbage.
func TestGoMemoryLimit(t *testing.T) {
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(512 << 20))
	held := make([]byte, 64<<20)
	garbage := make([]byte, 300<<20)
	runtime.KeepAlive(garbage)
	garbage = nil
	runtime.GC()
	h := QuickHost()
	require.Equal(t, uint64(512<<20), h.GoMemoryLimit)
	require.Greater(t, h.GoMemoryUsed, uint64(len(held)))
	require.Less(t, h.GoMemoryUsed, uint64(200<<20))
	runtime.KeepAlive(held)
	runtime.KeepAlive(garbage)
}
