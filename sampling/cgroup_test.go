package sampling

import (
	"fmt"
	"io/fs"
	"math"
	"strconv"
	"testing"
	"testing/fstest"

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
		{"v2, a colon in its name", map[string]string{
			"proc/self/mountinfo":            v2Mount,
			"proc/self/cgroup":               "0::/app:1\n",
			"sys/fs/cgroup/app:1/cpu.max":    "200000 100000\n",
			"sys/fs/cgroup/app:1/memory.max": "max\n",
		}, cgroup{2, 0, 0}},
		{"v2, of limits that leave the same, the group's own counts", map[string]string{
			"proc/self/mountinfo":                  v2Mount,
			"proc/self/cgroup":                     "0::/pod/app\n",
			"sys/fs/cgroup/pod/app/memory.max":     "1000\n",
			"sys/fs/cgroup/pod/app/memory.current": "400\n",
			"sys/fs/cgroup/pod/memory.max":         "2000\n",
			"sys/fs/cgroup/pod/memory.current":     "1400\n",
		}, cgroup{0, 1000, 400}},
		{"v2 in a container: the group's own root is mounted", map[string]string{
			"proc/self/mountinfo":          "29 22 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n",
			"proc/self/cgroup":             "0::/docker/abc\n",
			"sys/fs/cgroup/cpu.max":        "200000 100000",
			"sys/fs/cgroup/memory.max":     "2000000",
			"sys/fs/cgroup/memory.current": "1000000",
		}, cgroup{2, 2000000, 1000000}},
		{"v2, a group below the one that is mounted", map[string]string{
			"proc/self/mountinfo":       "29 22 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n",
			"proc/self/cgroup":          "0::/docker/abc/app\n",
			"sys/fs/cgroup/cpu.max":     "200000 100000",
			"sys/fs/cgroup/app/cpu.max": "50000 100000",
		}, cgroup{0.5, 0, 0}},
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
			"sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us":       "100000\n",
			"sys/fs/cgroup/memory/app/memory.limit_in_bytes":    "5000000\n",
			"sys/fs/cgroup/memory/app/memory.usage_in_bytes":    "2000000\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes":        "9223372036854771712\n",
			"sys/fs/cgroup/memory/memory.usage_in_bytes":        "7000000\n",
			"sys/fs/cgroup/memory/app/memory.kmem.usage_in_foo": "1",
		}, cgroup{2.5, 5000000, 2000000}},
		{"v1, a period without a quota", map[string]string{
			"proc/self/mountinfo":                 "30 22 0:27 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n",
			"proc/self/cgroup":                    "3:cpu:/\n",
			"sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
		}, cgroup{}},
		{"v1, a quota without a period", map[string]string{
			"proc/self/mountinfo":                "30 22 0:27 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n",
			"proc/self/cgroup":                   "3:cpu:/\n",
			"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "100000\n",
		}, cgroup{}},
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
	const v1Mounts = "30 22 0:27 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n31 22 0:28 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
	for name, text := range map[string]string{
		"cpu.max": "lots of", "memory.max": "some", "memory.stat": "inactive_file few", "cpu/cpu.cfs_quota_us": "lots", "memory/memory.limit_in_bytes": "some",
	} {
		files := map[string]string{
			// A line of too few fields, on either side of " - ", is none.
			"proc/self/mountinfo":                        "garbage\nx - cgroup2 cgroup rw\n1 2 0:1 / /x rw - cgroup2 x\n1 2 0:1 / /x rw - \n" + v2Mount + v1Mounts,
			"proc/self/cgroup":                           "garbage\n0::/\n2:cpu:/\n3:memory:/\n",
			"sys/fs/cgroup/cpu.max":                      "100000 100000",
			"sys/fs/cgroup/memory.max":                   "1000",
			"sys/fs/cgroup/memory.current":               "400",
			"sys/fs/cgroup/cpu/cpu.cfs_period_us":        "100000",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "max",
		}
		_, err := readCgroup(tree(files))
		require.NoError(t, err)
		files["sys/fs/cgroup/"+name] = text
		got, err := readCgroup(tree(files))
		require.ErrorIs(t, err, strconv.ErrSyntax, name)
		if name != "cpu.max" {
			require.Equal(t, 1.0, got.cpuQuota, name)
		}
		if name != "memory.max" {
			require.Equal(t, uint64(1000), got.memoryLimit, name)
		}
	}
}

// A quota is so many microseconds of each period.
func TestCPUQuota(t *testing.T) {
	for text, cores := range map[string]float64{"150000 100000": 1.5, "1000 100000": 0.01, "1 1": 1, "max 100000": 0, "max 0": 0} {
		got, err := readCgroup(tree(map[string]string{
			"proc/self/mountinfo": v2Mount, "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": text}))
		require.NoError(t, err, text)
		require.Equal(t, cgroup{cpuQuota: cores}, got, text)
	}
	for _, text := range []string{"0 0", "0 1", "1 0", "-1 1", "1 -1", "x 1", "1 x", "1e999 1", "1 1e999", "1", "1 1 1", ""} {
		got, err := readCgroup(tree(map[string]string{
			"proc/self/mountinfo": v2Mount, "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": text}))
		require.Error(t, err, text)
		require.Zero(t, got, text)
	}
	var c cgroup
	require.ErrorIs(t, c.limitCPU("0", "1"), fs.ErrInvalid)
}

// What is no limit, in either hierarchy, and what is a low one.
func TestMemoryLimits(t *testing.T) {
	const none uint64 = math.MaxInt64 - 1<<16
	for _, c := range []struct {
		limit, used string
		want        cgroup
	}{
		{"max", "5", cgroup{}},
		{"0", "5", cgroup{}},
		{"1", "5", cgroup{0, 1, 5}},
		{"9", "", cgroup{}},
		{fmt.Sprint(none), "5", cgroup{}},
		{fmt.Sprint(none - 1), "5", cgroup{0, none - 1, 5}},
		{"9223372036854771712", "5", cgroup{}}, // what v1 has for none
	} {
		files := map[string]string{"proc/self/mountinfo": v2Mount, "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": c.limit}
		if c.used != "" {
			files["sys/fs/cgroup/memory.current"] = c.used
			files["sys/fs/cgroup/memory.stat"] = "anon 5\n"
		}
		got, err := readCgroup(tree(files))
		require.NoError(t, err, c)
		require.Equal(t, c.want, got, c)
	}
}

// A controller that is mounted and has no group of ours, or the other way round, limits nothing.
func TestHalfACgroup(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"no group":          {"proc/self/mountinfo": v2Mount, "proc/self/cgroup": "3:pids:/x\n", "sys/fs/cgroup/cpu.max": "1000 100000"},
		"nothing of groups": {"proc/self/mountinfo": v2Mount, "sys/fs/cgroup/cpu.max": "1000 100000"},
		"no mount":          {"proc/self/mountinfo": "29 22 0:26 / /sys/fs/cgroup/pids ro - cgroup cgroup rw,pids\n", "proc/self/cgroup": "0::/app\n", "sys/fs/cgroup/app/cpu.max": "1000 100000", "app/cpu.max": "1000 100000", "cpu.max": "1000 100000"},
	} {
		got, err := readCgroup(tree(files))
		require.NoError(t, err, name)
		require.Equal(t, cgroup{}, got, name)
	}
}
