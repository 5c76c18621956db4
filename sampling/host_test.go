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
	require.Equal(t, []string{
		"physical cores unknown: no such thing here", "memory unknown: no such thing here",
		"load unknown: no such thing here", "cgroup unknown: no such thing here",
	}, bad.Warnings, "unknown, never a failure")
	require.Equal(t, runtime.NumCPU(), bad.LogicalCores, "the runtime knows")
	require.Positive(t, bad.Procs)
	require.Zero(t, bad.Available())
	require.Equal(t, -1.0, bad.Load)
	require.Equal(t, -1.0, bad.LoadPercent())
	require.Equal(t, -1.0, bad.MemoryPercent())

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
		{2 << 30, 1 << 30, 1 << 30, "memory"},
		{2 << 30, 1<<30 + 1, 1<<30 - 1, "GOMEMLIMIT"},
		{1 << 30, 1 << 29, 1 << 29, "GOMEMLIMIT"},
		{1 << 30, 1 << 31, 1, "GOMEMLIMIT"},
	} {
		h := Host{MemoryAvailable: 1 << 30, GoMemoryLimit: c.limit, GoMemoryUsed: c.used}
		bytes, by := h.MemoryRoom()
		require.Equal(t, c.bytes, bytes, "%+v", c)
		require.Equal(t, c.by, by, "%+v", c)
	}
	bytes, by := Host{}.MemoryRoom()
	require.Zero(t, bytes, "unknown")
	require.Equal(t, "memory", by)
	bytes, by = Host{GoMemoryLimit: 5, GoMemoryUsed: 2}.MemoryRoom()
	require.Equal(t, uint64(3), bytes, "all that is known")
	require.Equal(t, "GOMEMLIMIT", by)
	require.Equal(t, uint64(3), Host{MemoryLimit: 5, MemoryUsed: 2}.Available(), "all that is known")
	require.Equal(t, uint64(2), Host{MemoryAvailable: 2, MemoryLimit: 5, MemoryUsed: 2}.Available())
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
	first.Procs, first.GoMemoryLimit = -1, 1
	second := renewHost(from, first)
	require.Equal(t, QuickHost().Procs, second.Procs)
	require.Equal(t, QuickHost().GoMemoryLimit, second.GoMemoryLimit)
	require.Equal(t, uint64(1<<30), second.MemoryAvailable)
	require.Equal(t, 4, second.PhysicalCores)
	require.Equal(t, uint64(4<<30), first.MemoryAvailable)
	require.Len(t, second.Warnings, 1, "said once")
}

// The real host can be read here.
func TestRealHost(t *testing.T) {
	h := ReadHost()
	require.Positive(t, h.LogicalCores)
	require.Positive(t, h.Procs)
	if runtime.GOOS == "linux" {
		require.Positive(t, h.MemoryAvailable)
		require.GreaterOrEqual(t, h.Load, 0.0)
	}
	require.Equal(t, h.LogicalCores, CurrentHost().LogicalCores)
}

// Facts are fresh for five seconds, and renewed after that, or where the clock is another one.
func TestFresh(t *testing.T) {
	cores, reads := 0, 0
	from := func() sources {
		return sources{
			cores:  func(bool) (int, error) { cores++; return 4, nil },
			memory: func() (uint64, uint64, error) { reads++; return 8 << 30, uint64(reads), nil },
			load:   func() (float64, error) { return 0, nil },
			cgroup: func() (cgroup, error) { return cgroup{}, nil },
		}
	}
	var r remembered
	require.Equal(t, uint64(1), r.current(from).MemoryAvailable, "before anything was read")
	synctest.Test(t, func(t *testing.T) {
		require.Equal(t, uint64(2), r.current(from).MemoryAvailable, "virtual time is decades away")
		require.Equal(t, uint64(2), r.current(from).MemoryAvailable)
		time.Sleep(freshFor)
		require.Equal(t, uint64(2), r.current(from).MemoryAvailable)
		time.Sleep(time.Nanosecond)
		require.Equal(t, uint64(3), r.current(from).MemoryAvailable)
		time.Sleep(freshFor + 1)
		require.Equal(t, uint64(4), r.current(from).MemoryAvailable)
		require.Equal(t, uint64(4), r.current(from).MemoryAvailable)
	})
	require.Equal(t, 2, cores, "physical and logical ones are read once")
}

// What the system tells is read from its files, and what they lack from elsewhere.
func TestSources(t *testing.T) {
	root := tree(map[string]string{
		"proc/meminfo":                 "MemTotal: 4096 kB\nMemAvailable: 1024 kB\n",
		"proc/self/mountinfo":          v2Mount,
		"proc/self/cgroup":             "0::/\n",
		"sys/fs/cgroup/cpu.max":        "150000 100000",
		"sys/fs/cgroup/memory.max":     "2000",
		"sys/fs/cgroup/memory.current": "500",
	})
	from := sourcesIn(root, func() (cgroupDirs, error) { return findCgroup(root) })
	total, available, err := from.memory()
	require.NoError(t, err)
	require.Equal(t, []uint64{4 << 20, 1 << 20}, []uint64{total, available})
	group, err := from.cgroup()
	require.NoError(t, err)
	require.Equal(t, cgroup{1.5, 2000, 500}, group)

	broken := errors.New("no such thing here")
	from = sourcesIn(tree(nil), func() (cgroupDirs, error) { return cgroupDirs{}, broken })
	total, available, err = from.memory()
	require.NoError(t, err)
	require.Positive(t, available)
	require.Greater(t, total, available)
	_, err = from.cgroup()
	require.ErrorIs(t, err, broken)
}

// Shares of what there is, where that is known.
func TestPercentages(t *testing.T) {
	for _, c := range []struct {
		host Host
		want float64
	}{
		{Host{LogicalCores: 2}, 0}, // an idle machine
		{Host{LogicalCores: 2, Load: 1.5}, 75},
		{Host{LogicalCores: 2, Load: 0.5}, 25},
		{Host{LogicalCores: 1, Load: 0.5}, 50},
		{Host{LogicalCores: 1, Load: 2}, 200},
		{Host{Load: 1.5}, -1},
		{Host{LogicalCores: 2, Load: -1}, -1},
	} {
		require.Equal(t, c.want, c.host.LoadPercent(), c.host)
	}
	for _, c := range []struct {
		host Host
		want float64
	}{
		{Host{MemoryTotal: 8, MemoryAvailable: 2}, 75},
		{Host{MemoryTotal: 8, MemoryAvailable: 8}, 0},
		{Host{MemoryTotal: 8, MemoryAvailable: 9}, 0},
		{Host{MemoryTotal: 8, MemoryLimit: 4, MemoryAvailable: 2}, 50},
		{Host{MemoryTotal: 8, MemoryLimit: 16, MemoryAvailable: 2}, 75},
		{Host{MemoryLimit: 4, MemoryUsed: 1}, 25},
		{Host{MemoryAvailable: 2}, -1},
		{Host{MemoryTotal: 8}, -1},
		{Host{}, -1},
	} {
		require.Equal(t, c.want, c.host.MemoryPercent(), c.host)
	}
}

// What differs between two hosts is told, as far as both are known.
func TestDifferences(t *testing.T) {
	a := Host{PhysicalCores: 1, LogicalCores: 2, Procs: 3, CPUQuota: 0.5, MemoryLimit: 5, GoMemoryLimit: 6}
	b := Host{PhysicalCores: 2, LogicalCores: 3, Procs: 4, CPUQuota: 0.75, MemoryLimit: 6, GoMemoryLimit: 7}
	require.Empty(t, a.Differences(a))
	require.Empty(t, a.Differences(Host{}))
	require.Empty(t, Host{}.Differences(a))
	require.Equal(t, []string{
		"physical cores 1, was 2", "logical cores 2, was 3", "GOMAXPROCS 3, was 4", "CPU quota 0.5, was 0.75", "memory limit 5, was 6", "GOMEMLIMIT 6, was 7",
	}, a.Differences(b))
}

// What the runtime knows is read each time, also where the rest is fresh, and left as it is.
func TestRuntimeIsFresh(t *testing.T) {
	before := runtime.GOMAXPROCS(0)
	require.Equal(t, before, CurrentHost().Procs)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(before + 1))
	require.Equal(t, before+1, CurrentHost().Procs)
	require.Equal(t, before+1, runtime.GOMAXPROCS(0))
	require.Equal(t, -1.0, QuickHost().Load, "unknown")
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
	require.Equal(t, []string{"physical cores unknown: not reported"}, h.Warnings)
	require.Zero(t, h.MemoryLimit+h.MemoryUsed, "the machine has no more")
	require.Equal(t, uint64(1<<30), h.Available())
	from.cgroup = func() (cgroup, error) { return cgroup{0, 8<<30 - 1, 7 << 30}, nil }
	require.Equal(t, uint64(8<<30-1), readHost(from).MemoryLimit)
	from.memory = func() (uint64, uint64, error) { return 0, 0, errors.New("unknown") }
	require.Equal(t, uint64(8<<30-1), readHost(from).MemoryLimit, "that is all that is known")
	from.cores = func(bool) (int, error) { return 1, nil }
	h = readHost(from)
	require.Equal(t, []int{1, 1}, []int{h.PhysicalCores, h.LogicalCores})
}
