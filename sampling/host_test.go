package sampling

import (
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestHost(t *testing.T) {
	good := sources{
		cores: func(logical bool) (int, error) {
			if logical {
				return 8, nil
			}
			return 4, nil
		},
		memory: func() (uint64, uint64, error) { return 16 << 30, 10 << 30, nil },
		load:   func() (float64, error) { return 2, nil },
		cgroup: func() (cgroup, error) { return cgroup{1.5, 4 << 30, 1 << 30}, nil },
	}
	h := readHost(good)
	require.Empty(t, h.Warnings)
	require.Equal(t, 4, h.PhysicalCores)
	require.Equal(t, 8, h.LogicalCores)
	require.Equal(t, uint64(3<<30), h.Available(), "the cgroup leaves less than the machine")
	require.InDelta(t, 25, h.MemoryPercent(), 0.1)
	require.InDelta(t, 25, h.LoadPercent(), 0.1)

	broken := errors.New("no such thing here")
	bad := readHost(sources{
		cores:  func(bool) (int, error) { return 0, broken },
		memory: func() (uint64, uint64, error) { return 0, 0, broken },
		load:   func() (float64, error) { return 0, broken },
		cgroup: func() (cgroup, error) { return cgroup{}, broken },
	})
	require.Len(t, bad.Warnings, 4, "unknown, never a failure")
	require.Positive(t, bad.LogicalCores, "the runtime knows")
	require.Positive(t, bad.Procs)
	require.Zero(t, bad.Available())
	require.Negative(t, bad.LoadPercent())
	require.Negative(t, bad.MemoryPercent())

	require.Empty(t, h.Differences(h))
	other := h
	other.Procs, other.CPUQuota = h.Procs+1, 0
	require.Len(t, h.Differences(other), 1)
}

// A limit that is used up leaves next to nothing: it is not taken for no limit.
func TestHostUsedUp(t *testing.T) {
	h := Host{MemoryAvailable: 10 << 30, MemoryLimit: 1 << 30, MemoryUsed: 2 << 30}
	require.Equal(t, uint64(1), h.Available())
	for _, c := range []struct {
		limit, used uint64
		bytes       uint64
		by          string
	}{
		{0, 0, 1 << 30, "memory"},
		{2 << 30, 1 << 29, 1 << 30, "memory"},
		{1 << 30, 1 << 29, 1 << 29, "GOMEMLIMIT"},
		{1 << 30, 1 << 31, 1, "GOMEMLIMIT"},
	} {
		h := Host{MemoryAvailable: 1 << 30, GoMemoryLimit: c.limit, GoMemoryUsed: c.used}
		bytes, by := h.MemoryRoom()
		require.Equal(t, c.bytes, bytes, "%+v", c)
		require.Equal(t, c.by, by, "%+v", c)
	}
	bytes, _ := Host{}.MemoryRoom()
	require.Zero(t, bytes, "unknown")
}

// What changes by the minute is read again, what does not is kept.
func TestHostIsRenewed(t *testing.T) {
	available := uint64(4 << 30)
	from := sources{
		cores:  func(bool) (int, error) { return 4, nil },
		memory: func() (uint64, uint64, error) { return 8 << 30, available, nil },
		load:   func() (float64, error) { return 0, errors.New("no load") },
		cgroup: func() (cgroup, error) { return cgroup{}, nil },
	}
	first := readHost(from)
	from.cores, available = nil, 1<<30
	second := renewHost(from, first)
	require.Equal(t, uint64(1<<30), second.MemoryAvailable)
	require.Equal(t, 4, second.PhysicalCores)
	require.Equal(t, uint64(4<<30), first.MemoryAvailable)
	require.Len(t, second.Warnings, 1, "said once")
}

// The real host can be read here, and in virtual time it is fresh after 100 ms.
func TestRealHost(t *testing.T) {
	h := CurrentHost()
	require.Positive(t, h.LogicalCores)
	require.Positive(t, h.Procs)
	require.Positive(t, ReadHost().LogicalCores)
	synctest.Test(t, func(t *testing.T) {
		before := CurrentHost().MemoryAvailable
		time.Sleep(2 * freshFor)
		require.Positive(t, CurrentHost().LogicalCores)
		require.Positive(t, before)
	})
}

// Shares of what there is, where that is known.
func TestPercentages(t *testing.T) {
	require.Zero(t, Host{LogicalCores: 2}.LoadPercent(), "an idle machine")
	require.Equal(t, 75.0, Host{LogicalCores: 2, Load: 1.5}.LoadPercent())
	require.Negative(t, Host{Load: 1.5}.LoadPercent())
	require.Negative(t, Host{LogicalCores: 2, Load: -1}.LoadPercent())
	require.Equal(t, 75.0, Host{MemoryTotal: 8 << 30, MemoryAvailable: 2 << 30}.MemoryPercent())
	require.Equal(t, 50.0, Host{MemoryTotal: 8 << 30, MemoryLimit: 4 << 30, MemoryAvailable: 2 << 30}.MemoryPercent())
	require.Negative(t, Host{MemoryAvailable: 2 << 30}.MemoryPercent())
}

// What differs between two hosts is told, as far as both are known.
func TestDifferences(t *testing.T) {
	a := Host{PhysicalCores: 1, LogicalCores: 2, Procs: 3, CPUQuota: 0.5, MemoryLimit: 5, GoMemoryLimit: 6}
	require.Empty(t, a.Differences(a))
	require.Empty(t, a.Differences(Host{}))
	require.Empty(t, Host{}.Differences(a))
	require.Equal(t, []string{
		"physical cores 1, was 2", "logical cores 2, was 3", "GOMAXPROCS 3, was 4", "CPU quota 0.5, was 1.5", "memory limit 5, was 6", "GOMEMLIMIT 6, was 7",
	}, a.Differences(Host{PhysicalCores: 2, LogicalCores: 3, Procs: 4, CPUQuota: 1.5, MemoryLimit: 6, GoMemoryLimit: 7}))
}

// What the runtime knows is read each time, also where the rest is fresh.
func TestRuntimeIsFresh(t *testing.T) {
	before := CurrentHost().Procs
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(before + 1))
	require.Equal(t, before+1, CurrentHost().Procs)
}

// Figures that say nothing are left to the runtime, and limits that bind nothing are none.
func TestHostOddities(t *testing.T) {
	from := sources{
		cores:  func(bool) (int, error) { return 0, nil },
		memory: func() (uint64, uint64, error) { return 8 << 30, 1 << 30, nil },
		load:   func() (float64, error) { return 0, nil },
		cgroup: func() (cgroup, error) { return cgroup{0, 8 << 30, 7 << 30}, nil },
	}
	h := readHost(from)
	require.Zero(t, h.PhysicalCores)
	require.Positive(t, h.LogicalCores)
	require.Len(t, h.Warnings, 1)
	require.Zero(t, h.MemoryLimit+h.MemoryUsed, "the machine has no more")
	require.Equal(t, uint64(1<<30), h.Available())
	from.cgroup = func() (cgroup, error) { return cgroup{0, 8<<30 - 1, 7 << 30}, nil }
	require.Equal(t, uint64(8<<30-1), readHost(from).MemoryLimit)
	from.memory = func() (uint64, uint64, error) { return 0, 0, errors.New("unknown") }
	require.Equal(t, uint64(8<<30-1), readHost(from).MemoryLimit, "that is all that is known")
}
