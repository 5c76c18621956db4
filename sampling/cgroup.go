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

// cgroup is what the control group of this process allows. Zero is no limit.
type cgroup struct {
	cpuQuota                float64 // cores
	memoryLimit, memoryUsed uint64  // bytes
}

// cgroupMount is where a hierarchy shows up in the file system.
type cgroupMount struct {
	mountPoint string // without leading slash, as fs.FS wants it
	root       string // the group that is visible at the mount point
}

// readCgroup finds the group of this process below root (the file system's "/")
// and reads its limits: cgroup v2's unified hierarchy, or v1's cpu and memory
// controllers, each wherever it is mounted. Every group on the way up can limit
// too; the tightest limit counts. No cgroups at all is no error.
func readCgroup(root fs.FS) (cgroup, error) {
	mounts, err := cgroupMounts(root)
	if err != nil || len(mounts) == 0 {
		return cgroup{}, ignoreMissing(err)
	}
	groups, err := cgroupPaths(root)
	if err != nil {
		return cgroup{}, ignoreMissing(err)
	}
	var out cgroup
	var errs []error
	note := func(err error) {
		if err = ignoreMissing(err); err != nil {
			errs = append(errs, err)
		}
	}
	walk := func(controller string, read func(dir string) error) {
		mount, ok := mounts[controller]
		group, inGroup := groups[controller]
		if ok && inGroup {
			note(eachAncestor(mount, group, read))
		}
	}
	walk("", func(dir string) error { return errors.Join(out.readCPUv2(root, dir), out.readMemoryv2(root, dir)) })
	walk("cpu", func(dir string) error { return out.readCPUv1(root, dir) })
	walk("memory", func(dir string) error { return out.readMemoryv1(root, dir) })
	return out, errors.Join(errs...)
}

// eachAncestor calls read for the directory of the group and of each group above it.
func eachAncestor(mount cgroupMount, group string, read func(dir string) error) error {
	rel := strings.TrimPrefix(group, mount.root)
	var errs []error
	for {
		errs = append(errs, read(path.Join(mount.mountPoint, rel)))
		if rel = path.Clean("/" + rel); rel == "/" {
			return errors.Join(errs...)
		}
		rel = path.Dir(rel)
	}
}

// cgroupMounts reads /proc/self/mountinfo. The key is the v1 controller, "" for v2.
func cgroupMounts(root fs.FS) (map[string]cgroupMount, error) {
	out := map[string]cgroupMount{}
	err := eachLine(root, "proc/self/mountinfo", func(line string) error {
		// 36 35 0:31 ROOT MOUNTPOINT options [optional...] - TYPE SOURCE SUPEROPTIONS
		before, after, ok := strings.Cut(line, " - ")
		left, right := strings.Fields(before), strings.Fields(after)
		if !ok || len(left) < 5 || len(right) < 3 {
			return nil
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
		return nil
	})
	return out, err
}

// cgroupPaths reads /proc/self/cgroup. The key is the v1 controller, "" for v2.
func cgroupPaths(root fs.FS) (map[string]string, error) {
	out := map[string]string{}
	err := eachLine(root, "proc/self/cgroup", func(line string) error {
		parts := strings.SplitN(line, ":", 3)
		if len(parts) == 3 {
			for controller := range strings.SplitSeq(parts[1], ",") {
				out[controller] = parts[2]
			}
		}
		return nil
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

func (c *cgroup) readMemoryv2(root fs.FS, dir string) error {
	return c.limitMemory(root, path.Join(dir, "memory.max"), path.Join(dir, "memory.current"))
}

func (c *cgroup) readMemoryv1(root fs.FS, dir string) error {
	return c.limitMemory(root, path.Join(dir, "memory.limit_in_bytes"), path.Join(dir, "memory.usage_in_bytes"))
}

func (c *cgroup) limitMemory(root fs.FS, limitFile, usedFile string) error {
	text, err := readText(root, limitFile)
	if err != nil || text == "max" {
		return ignoreMissing(err)
	}
	limit, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return fmt.Errorf("%s: %w", limitFile, err)
	}
	if limit == 0 || limit >= math.MaxInt64-1<<16 { // v1 says "none" with a number near 2⁶³
		return nil
	}
	text, err = readText(root, usedFile)
	if err != nil {
		return ignoreMissing(err)
	}
	used, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return fmt.Errorf("%s: %w", usedFile, err)
	}
	if c.memoryLimit == 0 || limit-min(used, limit) < c.memoryLimit-min(c.memoryUsed, c.memoryLimit) {
		c.memoryLimit, c.memoryUsed = limit, used
	}
	return nil
}

func readText(root fs.FS, name string) (string, error) {
	data, err := fs.ReadFile(root, name)
	return strings.TrimSpace(string(data)), err
}

func eachLine(root fs.FS, name string, do func(line string) error) error {
	file, err := root.Open(name)
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(file)
	for lines.Scan() && err == nil {
		err = do(lines.Text())
	}
	return errors.Join(err, lines.Err(), file.Close())
}

// ignoreMissing takes a file that is not there for a limit that is not there.
func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
