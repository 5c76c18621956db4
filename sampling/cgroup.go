package sampling

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path"
	"strconv"
	"strings"
)

// cgroup has the limits of this process's control group. Zero is no limit.
type cgroup struct {
	cpuQuota                float64 // cores
	memoryLimit, memoryUsed uint64  // bytes
}

// cgroupMount is where a hierarchy is mounted in the file system.
type cgroupMount struct {
	mountPoint string // without leading slash, as fs.FS requires
	root       string // the group that is visible at the mount point
}

// cgroupDirs are the directories of the group of this process and of the groups
// above it, for cgroup v2 and for v1's cpu and memory controllers.
type cgroupDirs struct{ v2, cpu, memory []string }

// readCgroup finds the group of this process below root (the file system's "/") and reads
// its limits: cgroup v2's unified hierarchy, or v1's cpu and memory controllers, each
// wherever it is mounted. Each parent group can limit too; the tightest limit counts. It
// is not an error if there are no cgroups.
func readCgroup(root fs.FS) (cgroup, error) {
	dirs, err := findCgroup(root)
	if err != nil {
		return cgroup{}, err
	}
	return dirs.read(root)
}

// findCgroup finds the group of this process.
func findCgroup(root fs.FS) (dirs cgroupDirs, err error) {
	mounts, err := cgroupMounts(root)
	if err != nil {
		return dirs, ignoreMissing(err)
	}
	groups, err := cgroupPaths(root)
	if err != nil {
		return dirs, ignoreMissing(err)
	}
	find := func(controller string) []string {
		mount, ok := mounts[controller]
		group, inGroup := groups[controller]
		if !ok || !inGroup {
			return nil
		}
		return ancestors(mount, group)
	}
	return cgroupDirs{v2: find(""), cpu: find("cpu"), memory: find("memory")}, nil
}

// read reads the limits of the groups.
func (d cgroupDirs) read(root fs.FS) (out cgroup, err error) {
	var errs []error
	for _, dir := range d.v2 {
		errs = append(errs, out.readCPUv2(root, dir), out.readMemoryv2(root, dir))
	}
	for _, dir := range d.cpu {
		errs = append(errs, out.readCPUv1(root, dir))
	}
	for _, dir := range d.memory {
		errs = append(errs, out.readMemoryv1(root, dir))
	}
	return out, errors.Join(errs...)
}

// ancestors lists the directory of the group and of each group above it.
func ancestors(mount cgroupMount, group string) (dirs []string) {
	rel := strings.TrimPrefix(group, mount.root)
	for {
		dirs = append(dirs, path.Join(mount.mountPoint, rel))
		if rel = path.Clean("/" + rel); rel == "/" {
			return dirs
		}
		rel = path.Dir(rel)
	}
}

// cgroupMounts reads /proc/self/mountinfo. The key is the v1 controller, "" for v2.
func cgroupMounts(root fs.FS) (map[string]cgroupMount, error) {
	out := map[string]cgroupMount{}
	err := eachLine(root, "proc/self/mountinfo", func(line string) {
		// 36 35 0:31 ROOT MOUNTPOINT options [optional...] - TYPE SOURCE SUPEROPTIONS
		before, after, _ := strings.Cut(line, " - ")
		left, right := strings.Fields(before), strings.Fields(after)
		if len(left) < 6 || len(right) < 3 {
			return
		}
		mount := cgroupMount{root: strings.TrimSuffix(left[3], "/"), mountPoint: strings.TrimPrefix(left[4], "/")}
		switch right[0] {
		case "cgroup2":
			out[""] = mount
		case "cgroup":
			for option := range strings.SplitSeq(right[2], ",") {
				if option == "cpu" || option == "memory" {
					out[option] = mount
				}
			}
		}
	})
	return out, err
}

// cgroupPaths reads /proc/self/cgroup. The key is the v1 controller, "" for v2.
func cgroupPaths(root fs.FS) (map[string]string, error) {
	out := map[string]string{}
	err := eachLine(root, "proc/self/cgroup", func(line string) {
		parts := strings.SplitN(line, ":", 3)
		if len(parts) == 3 {
			for controller := range strings.SplitSeq(parts[1], ",") {
				out[controller] = parts[2]
			}
		}
	})
	return out, err
}

func (c *cgroup) readCPUv2(root fs.FS, dir string) error {
	text, err := readText(root, path.Join(dir, "cpu.max"))
	if err != nil {
		return ignoreMissing(err)
	}
	fields := strings.Fields(text)
	if len(fields) != 2 {
		return fmt.Errorf("%s/cpu.max: %q", dir, text)
	}
	if fields[0] == "max" {
		return nil
	}
	return c.limitCPU(fields[0], fields[1])
}

func (c *cgroup) readCPUv1(root fs.FS, dir string) error {
	quota, err := readText(root, path.Join(dir, "cpu.cfs_quota_us"))
	if err != nil || strings.HasPrefix(quota, "-") {
		return ignoreMissing(err)
	}
	period, err := readText(root, path.Join(dir, "cpu.cfs_period_us"))
	if err != nil {
		return ignoreMissing(err)
	}
	return c.limitCPU(quota, period)
}

func (c *cgroup) limitCPU(quota, period string) error {
	q, err1 := strconv.ParseFloat(quota, 64)
	p, err2 := strconv.ParseFloat(period, 64)
	if err := errors.Join(err1, err2); err != nil || p <= 0 || q <= 0 {
		return fmt.Errorf("CPU quota %q over %q: %w", quota, period, errors.Join(err, fs.ErrInvalid))
	}
	if cores := q / p; c.cpuQuota == 0 || cores < c.cpuQuota {
		c.cpuQuota = cores
	}
	return nil
}

// readMemoryv2 reads the hard and the soft limit: above memory.high the kernel slows down
// the group's processes until they free memory.
func (c *cgroup) readMemoryv2(root fs.FS, dir string) error {
	return errors.Join(
		c.limitMemory(root, dir, "memory.max", "memory.current", "inactive_file"),
		c.limitMemory(root, dir, "memory.high", "memory.current", "inactive_file"))
}

func (c *cgroup) readMemoryv1(root fs.FS, dir string) error {
	return errors.Join(
		c.limitMemory(root, dir, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
		c.limitMemory(root, dir, "memory.soft_limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"))
}

// limitMemory takes the limit in a file of dir, if it leaves less than the earlier ones.
// reclaimable is the line of memory.stat with the number of used bytes in file pages,
// which the kernel drops when memory is needed.
func (c *cgroup) limitMemory(root fs.FS, dir, limitFile, usedFile, reclaimable string) error {
	limit, err := readBytes(root, path.Join(dir, limitFile))
	if err != nil || limit == 0 || limit >= math.MaxInt64-1<<16 { // v1 says "none" with a number near 2⁶³
		return ignoreMissing(err)
	}
	used, err := readBytes(root, path.Join(dir, usedFile))
	if err != nil {
		return ignoreMissing(err)
	}
	cache, err := readStat(root, path.Join(dir, "memory.stat"), reclaimable)
	used -= min(used, cache)
	if c.memoryLimit == 0 || remaining(limit, used) < remaining(c.memoryLimit, c.memoryUsed) {
		c.memoryLimit, c.memoryUsed = limit, used
	}
	return ignoreMissing(err)
}

// readBytes reads a number of bytes. "max", v2's word for none, is the largest.
func readBytes(root fs.FS, name string) (uint64, error) {
	text, err := readText(root, name)
	switch {
	case err != nil:
		return 0, err
	case text == "max":
		return math.MaxUint64, nil
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	return n, nil
}

// readStat reads a number from a file whose lines have a name and a number; 0 if the name
// is missing.
func readStat(root fs.FS, name, key string) (uint64, error) {
	text, err := readText(root, name)
	if err != nil {
		return 0, err
	}
	_, rest, found := strings.Cut("\n"+text, "\n"+key+" ")
	if !found {
		return 0, nil
	}
	number, _, _ := strings.Cut(rest, "\n")
	number, _, _ = strings.Cut(strings.TrimSpace(number), " ") // in meminfo a unit follows
	return strconv.ParseUint(number, 10, 64)
}

func readText(root fs.FS, name string) (string, error) {
	data, err := fs.ReadFile(root, name)
	return strings.TrimSpace(string(data)), err
}

func eachLine(root fs.FS, name string, do func(line string)) error {
	file, err := root.Open(name)
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		do(lines.Text())
	}
	return errors.Join(lines.Err(), file.Close())
}

// ignoreMissing treats a missing file as no limit.
func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
