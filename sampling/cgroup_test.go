package sampling

import (
	"errors"
	"io/fs"
	"runtime"
	"runtime/debug"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// tree makes a file system of files and their contents.
func tree(files map[string]string) fs.FS {
	out := fstest.MapFS{}
	for name, text := range files {
		out[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return out
}

const v2Mount = "29 22 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"

func TestCgroup(t *testing.T) {
	for _, c := range []struct {
		name  string
		files map[string]string
		want  cgroup
	}{
		{"none", map[string]string{}, cgroup{}},
		{"v2", map[string]string{
			"proc/self/mountinfo":                    v2Mount,
			"proc/self/cgroup":                       "0::/app\n",
			"sys/fs/cgroup/cpu.max":                  "400000 100000\n",
			"sys/fs/cgroup/app/cpu.max":              "150000 100000\n",
			"sys/fs/cgroup/app/memory.max":           "1073741824\n",
			"sys/fs/cgroup/app/memory.current":       "268435456\n",
			"sys/fs/cgroup/unrelated/cpu.max":        "1000 100000\n",
			"sys/fs/cgroup/unrelated/memory.max":     "1\n",
			"sys/fs/cgroup/unrelated/memory.current": "1\n",
		}, cgroup{1.5, 1 << 30, 1 << 28}},
		{"v2, the parent is tighter", map[string]string{
			"proc/self/mountinfo":                   v2Mount,
			"proc/self/cgroup":                      "0::/pod/app\n",
			"sys/fs/cgroup/pod/app/cpu.max":         "max 100000\n",
			"sys/fs/cgroup/pod/app/memory.max":      "max\n",
			"sys/fs/cgroup/pod/cpu.max":             "50000 100000\n",
			"sys/fs/cgroup/pod/memory.max":          "1000000\n",
			"sys/fs/cgroup/pod/memory.current":      "400000\n",
			"sys/fs/cgroup/pod/app/memory.current":  "300000\n",
			"sys/fs/cgroup/pod/app/something.other": "",
		}, cgroup{0.5, 1000000, 400000}},
		{"v2 in a container: the group's own root is mounted", map[string]string{
			"proc/self/mountinfo":          "29 22 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n",
			"proc/self/cgroup":             "0::/docker/abc\n",
			"sys/fs/cgroup/cpu.max":        "200000 100000",
			"sys/fs/cgroup/memory.max":     "2000000",
			"sys/fs/cgroup/memory.current": "1000000",
		}, cgroup{2, 2000000, 1000000}},
		{"v2, the soft limit is tighter", map[string]string{
			"proc/self/mountinfo":              v2Mount,
			"proc/self/cgroup":                 "0::/app\n",
			"sys/fs/cgroup/app/memory.max":     "1073741824\n",
			"sys/fs/cgroup/app/memory.high":    "536870912\n",
			"sys/fs/cgroup/app/memory.current": "268435456\n",
		}, cgroup{0, 1 << 29, 1 << 28}},
		{"v2, a soft limit of a parent, none here", map[string]string{
			"proc/self/mountinfo":              v2Mount,
			"proc/self/cgroup":                 "0::/pod/app\n",
			"sys/fs/cgroup/pod/memory.high":    "1000000\n",
			"sys/fs/cgroup/pod/memory.current": "1200000\n",
			"sys/fs/cgroup/pod/app/memory.max": "2000000\n", "sys/fs/cgroup/pod/app/memory.current": "500000\n",
			"sys/fs/cgroup/pod/app/memory.high": "max\n",
		}, cgroup{0, 1000000, 1200000}},
		{"v2, file pages that can be dropped are not in use", map[string]string{
			"proc/self/mountinfo":              v2Mount,
			"proc/self/cgroup":                 "0::/app\n",
			"sys/fs/cgroup/app/memory.max":     "1000000\n",
			"sys/fs/cgroup/app/memory.current": "900000\n",
			"sys/fs/cgroup/app/memory.stat":    "anon 200000\nfile 700000\ninactive_file 600000\n",
		}, cgroup{0, 1000000, 300000}},
		{"v1, soft limit", map[string]string{
			"proc/self/mountinfo":                                 "31 22 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n",
			"proc/self/cgroup":                                    "4:memory:/app\n",
			"sys/fs/cgroup/memory/app/memory.limit_in_bytes":      "5000000\n",
			"sys/fs/cgroup/memory/app/memory.soft_limit_in_bytes": "3000000\n",
			"sys/fs/cgroup/memory/app/memory.usage_in_bytes":      "2000000\n",
			"sys/fs/cgroup/memory/app/memory.stat":                "inactive_file 1\ntotal_inactive_file 500000\n",
		}, cgroup{0, 3000000, 1500000}},
		{"v1", map[string]string{
			"proc/self/mountinfo": "30 22 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n" +
				"31 22 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n",
			"proc/self/cgroup": "4:memory:/app\n3:cpu,cpuacct:/app\n1:name=systemd:/x\n",
			"sys/fs/cgroup/cpu,cpuacct/app/cpu.cfs_quota_us":    "250000\n",
			"sys/fs/cgroup/cpu,cpuacct/app/cpu.cfs_period_us":   "100000\n",
			"sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us":        "-1\n",
			"sys/fs/cgroup/memory/app/memory.limit_in_bytes":    "5000000\n",
			"sys/fs/cgroup/memory/app/memory.usage_in_bytes":    "2000000\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes":        "9223372036854771712\n",
			"sys/fs/cgroup/memory/memory.usage_in_bytes":        "7000000\n",
			"sys/fs/cgroup/memory/app/memory.kmem.usage_in_foo": "1",
		}, cgroup{2.5, 5000000, 2000000}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := readCgroup(tree(c.files))
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
}

// What can't be understood is an error, and what else there is counts.
func TestCgroupGarbage(t *testing.T) {
	for name, text := range map[string]string{"cpu.max": "lots", "memory.max": "some"} {
		files := map[string]string{
			"proc/self/mountinfo":      "garbage\n" + v2Mount,
			"proc/self/cgroup":         "garbage\n0::/\n",
			"sys/fs/cgroup/cpu.max":    "100000 100000",
			"sys/fs/cgroup/memory.max": "max",
		}
		files["sys/fs/cgroup/"+name] = text
		_, err := readCgroup(tree(files))
		require.ErrorContains(t, err, name)
	}
	_, err := readCgroup(tree(map[string]string{
		"proc/self/mountinfo": v2Mount, "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "0 0"}))
	require.ErrorIs(t, err, fs.ErrInvalid)
}

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

// A controller that is mounted and has no group of ours, or the other way round, limits nothing.
func TestHalfACgroup(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"no group": {"proc/self/mountinfo": v2Mount, "proc/self/cgroup": "3:pids:/x\n", "sys/fs/cgroup/cpu.max": "1000 100000"},
		"no mount": {"proc/self/mountinfo": "29 22 0:26 / /sys/fs/cgroup/pids ro - cgroup cgroup rw,pids\n", "proc/self/cgroup": "0::/app\n", "sys/fs/cgroup/app/cpu.max": "1000 100000", "app/cpu.max": "1000 100000", "cpu.max": "1000 100000"},
	} {
		got, err := readCgroup(tree(files))
		require.NoError(t, err, name)
		require.Equal(t, cgroup{}, got, name)
	}
}
