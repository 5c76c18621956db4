package sampling

import (
	"io/fs"
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
