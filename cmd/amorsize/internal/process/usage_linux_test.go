package process

import (
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestUsageIsTheKernels: what is told of a process is what the kernel says of it.
func TestUsageIsTheKernels(t *testing.T) {
	cmd := exec.Command("dd", "if=/dev/zero", "of=/dev/null", "bs=20M", "count=20")
	require.NoError(t, cmd.Run())
	cpu, memory := usage(cmd.ProcessState)
	kernels, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	require.True(t, ok)
	require.Equal(t, int64(kernels.Maxrss)<<10, memory) //nolint:unconvert // not of that type on every system
	require.Greater(t, memory, int64(20<<20))
	require.Equal(t, time.Duration(kernels.Utime.Nano()+kernels.Stime.Nano()), cpu)
}

// TestMemoryWatch: a process is looked at ever less often, until it has ended.
func TestMemoryWatch(t *testing.T) {
	m := watchMemory(os.Getpid())
	m.stop() // by its own time
	require.False(t, m.timer.Stop(), "it does not look any more")
	require.Positive(t, m.ours)
	m.over, m.seen = false, 0
	for _, age := range [][2]time.Duration{{firstLook, 2 * firstLook}, {time.Second / 2, time.Second}, {3 * time.Second, 4 * time.Second}} {
		m.age = age[0]
		m.look()
		again := m.timer.Stop()
		require.True(t, again || m.age < time.Second, "it looks once more, in half its age")
		require.Equal(t, age[1], m.age)
		require.Positive(t, m.seen)
	}
	seen := m.seen
	m.seen += 1 << 40
	m.look()
	require.Equal(t, seen+1<<40, m.seen, "it had that much before")
	m.stop()
	m.seen = 0
	m.look()
	require.Zero(t, m.seen, "it may be another process by now")

	m.seen = 7
	require.Equal(t, m.ours+1, m.of(m.ours+1))
	require.Equal(t, int64(7), m.of(m.ours), "that may be this process's own")
	require.Zero(t, highWater(1<<30))
}

// TestMemoryWatchEnds with the command.
func TestMemoryWatchEnds(t *testing.T) {
	s, err := NewSpawner(Config{Groups: new(Groups)})
	require.NoError(t, err)
	defer s.Close()
	c := Command{Argv: []string{"sh", "-c", "exit 3"}}
	r, err := s.start("/bin/sh", c)
	require.NoError(t, err)
	_, err = s.finish(r, c)
	require.ErrorAs(t, err, new(*ExitError))
	r.peak.mu.Lock()
	defer r.peak.mu.Unlock()
	require.True(t, r.peak.over)
}

// TestHighWater is what the kernel writes of a process.
func TestHighWater(t *testing.T) {
	status, err := os.ReadFile("/proc/self/status")
	require.NoError(t, err)
	found := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status)
	require.NotNil(t, found)
	kilobytes, err := strconv.Atoi(string(found[1]))
	require.NoError(t, err)
	require.InEpsilon(t, kilobytes<<10, highWater(os.Getpid()), 0.1)
}
