package sampling

import (
	"fmt"
	"os"
	"runtime"
	"sync"

	"github.com/shirou/gopsutil/v3/cpu"
	"github.com/shirou/gopsutil/v3/load"
	"github.com/shirou/gopsutil/v3/mem"
)

// Host is what the machine offers to a run. A field that is zero (for Load and
// the percentages: negative) is unknown, and Warnings says why.
type Host struct {
	// PhysicalCores and LogicalCores are those of the machine.
	PhysicalCores int `json:"physical_cores,omitempty"`
	LogicalCores  int `json:"logical_cores"`
	// Procs is GOMAXPROCS: how many goroutines can compute at once. Since Go 1.25
	// it respects the CPU quota of its own accord.
	Procs int `json:"procs"`
	// CPUQuota is the number of cores that the cgroup may use, 0 for no limit.
	CPUQuota float64 `json:"cpu_quota,omitempty"`
	// MemoryTotal and MemoryAvailable are the machine's, in bytes.
	MemoryTotal     uint64 `json:"memory_total,omitempty"`
	MemoryAvailable uint64 `json:"memory_available,omitempty"`
	// MemoryLimit and MemoryUsed are the cgroup's, in bytes; limit 0 is no limit.
	MemoryLimit uint64 `json:"memory_limit,omitempty"`
	MemoryUsed  uint64 `json:"memory_used,omitempty"`
	// Load is the load average of the last minute, negative if unknown.
	Load float64 `json:"load"`
	// Warnings names what could not be read, and why.
	Warnings []string `json:"warnings,omitempty"`
}

// QuickHost returns what the runtime knows without reading anything: logical
// cores and GOMAXPROCS. It costs some 20 ns.
func QuickHost() Host {
	return Host{LogicalCores: runtime.NumCPU(), Procs: runtime.GOMAXPROCS(0), Load: -1}
}

// hostFacts is the one piece of shared state here: what the machine is does not
// change while a process runs, and finding out costs a millisecond, so it is
// found out once, by the first run that is large enough to need it.
var hostFacts = sync.OnceValue(func() Host { return readHost(systemSources()) })

// CurrentHost returns the facts of this machine. The first call in a process
// reads them, in about a millisecond; later ones only renew GOMAXPROCS. What
// changes by the minute (available memory, load) is as of the first call:
// [ReadHost] reads anew.
func CurrentHost() Host {
	h := hostFacts()
	h.Procs = runtime.GOMAXPROCS(0)
	return h
}

// ReadHost reads the facts of this machine anew.
func ReadHost() Host { return readHost(systemSources()) }

// Available returns how many bytes can still be used: what the machine has
// left or what the cgroup's limit leaves, whichever is less; 0 if unknown.
func (h Host) Available() uint64 {
	available := h.MemoryAvailable
	if h.MemoryLimit > 0 && h.MemoryLimit > h.MemoryUsed {
		if left := h.MemoryLimit - h.MemoryUsed; available == 0 || left < available {
			available = left
		}
	}
	return available
}

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

// Differences says in which respects other is another host for the purpose of
// a plan: cores, GOMAXPROCS, quota, memory limit. Facts that either does not
// know are not compared.
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
	return out
}

// sources is where readHost reads; tests give their own.
type sources struct {
	cores  func(logical bool) (int, error)
	memory func() (total, available uint64, err error)
	load   func() (float64, error)
	cgroup func() (cgroup, error)
}

func systemSources() sources {
	return sources{
		cores: cpu.Counts,
		memory: func() (uint64, uint64, error) {
			m, err := mem.VirtualMemory()
			if err != nil {
				return 0, 0, err
			}
			return m.Total, m.Available, nil
		},
		load: func() (float64, error) {
			avg, err := load.Avg()
			if err != nil {
				return -1, err
			}
			return avg.Load1, nil
		},
		cgroup: func() (cgroup, error) {
			if runtime.GOOS != "linux" {
				return cgroup{}, nil
			}
			return readCgroup(os.DirFS("/"))
		},
	}
}

func readHost(from sources) Host {
	h := QuickHost()
	unknown := func(what string, err error) {
		h.Warnings = append(h.Warnings, fmt.Sprintf("%s unknown: %v", what, err))
	}
	if n, err := from.cores(false); err != nil || n < 1 {
		unknown("physical cores", orMissing(err))
	} else {
		h.PhysicalCores = n
	}
	if n, err := from.cores(true); err == nil && n > 0 {
		h.LogicalCores = n
	}
	var err error
	if h.MemoryTotal, h.MemoryAvailable, err = from.memory(); err != nil {
		unknown("memory", err)
	}
	if h.Load, err = from.load(); err != nil {
		h.Load = -1
		unknown("load", err)
	}
	group, err := from.cgroup()
	if err != nil {
		unknown("cgroup", err)
	}
	h.CPUQuota, h.MemoryLimit, h.MemoryUsed = group.cpuQuota, group.memoryLimit, group.memoryUsed
	if h.MemoryTotal > 0 && h.MemoryLimit >= h.MemoryTotal {
		h.MemoryLimit, h.MemoryUsed = 0, 0 // a limit above what there is binds nothing
	}
	return h
}

func orMissing(err error) error {
	if err == nil {
		return fmt.Errorf("not reported")
	}
	return err
}
