package sampling

import (
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/shirou/gopsutil/v3/cpu"
	"github.com/shirou/gopsutil/v3/load"
	"github.com/shirou/gopsutil/v3/mem"

	"github.com/amorsize/amorsize/internal/clock"
)

// Host is what the machine offers to a run. A field that is zero (for Load and
// the percentages: negative) is unknown, and Warnings says why.
type Host struct {
	// PhysicalCores and LogicalCores are those of the machine.
	PhysicalCores int `json:"physical_cores,omitempty"`
	LogicalCores  int `json:"logical_cores"`
	// Procs is GOMAXPROCS: how many goroutines can compute at once. Since Go 1.25 it
	// respects the CPU quota by itself.
	Procs int `json:"procs"`
	// CPUQuota is the number of cores that the cgroup may use, 0 for no limit.
	CPUQuota float64 `json:"cpu_quota,omitempty"`
	// MemoryTotal and MemoryAvailable are the machine's, in bytes.
	MemoryTotal     uint64 `json:"memory_total,omitempty"`
	MemoryAvailable uint64 `json:"memory_available,omitempty"`
	// MemoryLimit and MemoryUsed are the cgroup's, in bytes; limit 0 is no limit.
	// The limit is the hard or the soft one, whichever leaves less (cgroup v2:
	// memory.max, memory.high). File pages that can be dropped are not counted as used.
	MemoryLimit uint64 `json:"memory_limit,omitempty"`
	MemoryUsed  uint64 `json:"memory_used,omitempty"`
	// GoMemoryLimit is the Go runtime's own limit (GOMEMLIMIT), 0 for none, and
	// GoMemoryUsed what counts against it, without garbage, in bytes.
	GoMemoryLimit uint64 `json:"go_memory_limit,omitempty"`
	GoMemoryUsed  uint64 `json:"go_memory_used,omitempty"`
	// Load is the load average of the last minute, negative if unknown.
	Load float64 `json:"load"`
	// Warnings names what could not be read, and why.
	Warnings []string `json:"warnings,omitempty"`
}

// QuickHost returns what the runtime knows without reading anything: logical
// cores, GOMAXPROCS and GOMEMLIMIT. It costs some 50 ns, 1 µs under a GOMEMLIMIT.
func QuickHost() Host {
	h := Host{LogicalCores: runtime.NumCPU(), Procs: runtime.GOMAXPROCS(0), Load: -1}
	h.GoMemoryLimit, h.GoMemoryUsed = goMemory()
	return h
}

// freshFor is how long facts that change by the minute are used without reading them
// again: reading costs a run 0.2 ms, which must not happen in each of many short runs.
const freshFor = 5 * time.Second

// host is the only shared state here: the facts of this machine.
var host remembered

// remembered has the facts of a machine as last read.
type remembered struct {
	sync.Mutex
	facts Host
	at    time.Duration
	known bool
}

// CurrentHost returns the facts of this machine. The first call in a process reads them,
// in about a millisecond. Later calls update what changes: GOMAXPROCS and GOMEMLIMIT
// always; available memory, the cgroup and load if they are older than five seconds, in
// 0.2 ms. [ReadHost] reads everything again.
func CurrentHost() Host { return host.current(systemSources) }

func (r *remembered) current(from func() sources) Host {
	r.Lock()
	defer r.Unlock()
	now := clock.Now()
	switch age := now - r.at; {
	case !r.known:
		r.facts, r.known, r.at = readHost(from()), true, now
	case age < 0 || age > freshFor: // below 0: virtual time
		r.facts, r.at = renewHost(from(), r.facts), now
	default:
		r.facts = r.facts.withRuntime()
	}
	return r.facts
}

// ReadHost reads the facts of this machine again.
func ReadHost() Host { return readHost(systemSources()) }

// withRuntime returns h with the present facts of the runtime.
func (h Host) withRuntime() Host {
	quick := QuickHost()
	h.Procs, h.GoMemoryLimit, h.GoMemoryUsed = quick.Procs, quick.GoMemoryLimit, quick.GoMemoryUsed
	return h
}

// Available returns how many bytes can still be used: what the machine has
// left or what the cgroup's limit leaves, whichever is less, at least 1; 0 if
// unknown.
func (h Host) Available() uint64 {
	available := h.MemoryAvailable
	if h.MemoryLimit > 0 {
		if left := remaining(h.MemoryLimit, h.MemoryUsed); available == 0 || left < available {
			available = left
		}
	}
	return available
}

// MemoryRoom returns how many bytes this process can still use, and the source of that:
// "memory", which is [Host.Available], or "GOMEMLIMIT", whichever is less. It is 0 if
// unknown.
func (h Host) MemoryRoom() (bytes uint64, by string) {
	bytes, by = h.Available(), "memory"
	if h.GoMemoryLimit > 0 {
		if left := remaining(h.GoMemoryLimit, h.GoMemoryUsed); bytes == 0 || left < bytes {
			bytes, by = left, "GOMEMLIMIT"
		}
	}
	return bytes, by
}

// remaining returns the unused part of a limit, at least 1, because 0 would mean no
// limit.
func remaining(limit, used uint64) uint64 { return max(1, limit-min(used, limit)) }

// MemoryPercent returns the used share of the memory, 0 to 100, negative if unknown.
func (h Host) MemoryPercent() float64 {
	total := h.MemoryTotal
	if h.MemoryLimit > 0 && (total == 0 || h.MemoryLimit < total) {
		total = h.MemoryLimit
	}
	if total == 0 || h.Available() == 0 {
		return -1
	}
	return 100 * max(0, 1-float64(h.Available())/float64(total))
}

// LoadPercent returns the load of the last minute as a share of the cores, 0
// to 100 and above, negative if unknown.
func (h Host) LoadPercent() float64 {
	if h.Load < 0 || h.LogicalCores == 0 {
		return -1
	}
	return 100 * h.Load / float64(h.LogicalCores)
}

// Differences says in which respects other is another host for the purpose of a plan:
// cores, GOMAXPROCS, quota, memory limit. Facts that are unknown on either side are not
// compared.
func (h Host) Differences(other Host) []string {
	var out []string
	add := func(name string, mine, theirs float64) {
		if mine > 0 && theirs > 0 && mine != theirs {
			out = append(out, fmt.Sprintf("%s %v, was %v", name, mine, theirs))
		}
	}
	add("physical cores", float64(h.PhysicalCores), float64(other.PhysicalCores))
	add("logical cores", float64(h.LogicalCores), float64(other.LogicalCores))
	add("GOMAXPROCS", float64(h.Procs), float64(other.Procs))
	add("CPU quota", h.CPUQuota, other.CPUQuota)
	add("memory limit", float64(h.MemoryLimit), float64(other.MemoryLimit))
	add("GOMEMLIMIT", float64(h.GoMemoryLimit), float64(other.GoMemoryLimit))
	return out
}

// sources is where readHost reads; tests pass their own.
type sources struct {
	cores  func(logical bool) (int, error)
	memory func() (total, available uint64, err error)
	load   func() (float64, error)
	cgroup func() (cgroup, error)
}

// ownCgroup finds the group of this process once: processes are hardly ever moved between
// groups while they run, and finding the group costs more than reading it.
var ownCgroup = sync.OnceValues(func() (cgroupDirs, error) {
	if runtime.GOOS != "linux" {
		return cgroupDirs{}, nil
	}
	return findCgroup(os.DirFS("/"))
})

func systemSources() sources { return sourcesIn(os.DirFS("/"), ownCgroup) }

// sourcesIn returns the sources of a system with its files below root; group finds the
// cgroup of this process.
func sourcesIn(root fs.FS, group func() (cgroupDirs, error)) sources {
	return sources{
		cores: cpu.Counts,
		memory: func() (uint64, uint64, error) {
			if total, available, err := readMeminfo(root); err == nil {
				return total, available, nil
			}
			m, err := mem.VirtualMemory()
			if err != nil {
				return 0, 0, err
			}
			return m.Total, m.Available, nil
		},
		load: func() (float64, error) {
			avg, err := load.Avg()
			if err != nil {
				return 0, err
			}
			return avg.Load1, nil
		},
		cgroup: func() (cgroup, error) {
			dirs, err := group()
			if err != nil {
				return cgroup{}, err
			}
			return dirs.read(root)
		},
	}
}

func readHost(from sources) Host {
	h := QuickHost()
	if n, err := from.cores(false); err != nil || n < 1 {
		h.unknown("physical cores", orMissing(err))
	} else {
		h.PhysicalCores = n
	}
	if n, err := from.cores(true); err == nil && n > 0 {
		h.LogicalCores = n
	}
	return renewHost(from, h)
}

// renewHost returns h with the facts that can change while a process runs read again.
func renewHost(from sources, h Host) Host {
	h = h.withRuntime()
	h.Warnings = slices.DeleteFunc(slices.Clone(h.Warnings), func(w string) bool {
		return !strings.HasPrefix(w, "physical cores")
	})
	var err error
	if h.MemoryTotal, h.MemoryAvailable, err = from.memory(); err != nil {
		h.unknown("memory", err)
	}
	if h.Load, err = from.load(); err != nil {
		h.Load = -1
		h.unknown("load", err)
	}
	group, err := from.cgroup()
	if err != nil {
		h.unknown("cgroup", err)
	}
	h.CPUQuota, h.MemoryLimit, h.MemoryUsed = group.cpuQuota, group.memoryLimit, group.memoryUsed
	if h.MemoryTotal > 0 && h.MemoryLimit >= h.MemoryTotal {
		h.MemoryLimit, h.MemoryUsed = 0, 0 // a limit above the physical memory does not bind
	}
	return h
}

// unknown records what could not be read, and why.
func (h *Host) unknown(what string, err error) {
	h.Warnings = append(h.Warnings, fmt.Sprintf("%s unknown: %v", what, err))
}

func orMissing(err error) error {
	if err == nil {
		return fmt.Errorf("not reported")
	}
	return err
}
