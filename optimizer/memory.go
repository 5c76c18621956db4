package optimizer

import (
	"math"

	"github.com/amorsize/amorsize/sampling"
)

// MemoryWorkers returns how many workers fit into 80 % of the available bytes
// when each needs perWorker, between 1 and most. Zero for either means unknown,
// and binds nothing.
func MemoryWorkers(available uint64, perWorker float64, most int) int {
	if available == 0 || perWorker <= 0 {
		return most
	}
	fit := MemoryShare * float64(available) / perWorker
	return max(1, min(most, int(min(fit, math.MaxInt32))))
}

// MemoryShare is the part of the available memory that a run may plan to use.
const MemoryShare = 0.8

// MemoryRoom returns the bytes that the calls of a run may hold together, the lowest of
// the caller's limit, GOMEMLIMIT and what the host has available, and which of them that
// is: the name of a [Limit]. It is 0 if nothing is known.
func MemoryRoom(host sampling.Host, c Constraints) (bytes uint64, name string) {
	bytes, name = host.MemoryRoom()
	if c.MemoryLimit > 0 && (bytes == 0 || c.MemoryLimit < bytes) {
		return c.MemoryLimit, LimitByCaller
	}
	return bytes, name
}

// LimitByCaller is the name of the [Limit] that Constraints.MemoryLimit sets.
const LimitByCaller = "WithMemoryLimit"

// OfMemory reports whether l is a limit on memory.
func (l Limit) OfMemory() bool {
	return l.Name == LimitByCaller || l.Name == "memory" || l.Name == "GOMEMLIMIT"
}

func (p *planner) boundByMemory(add func(string, int)) {
	if p.c.Workers > 0 {
		return
	}
	available, name := MemoryRoom(p.host, p.c)
	if available == 0 {
		return
	}
	need := float64(StackBytes)
	switch {
	case p.sample.HeldBytes > 0:
		need += p.sample.HeldBytes
	case p.sample.AllocKnown:
		need += p.sample.AllocBytes
	}
	add(name, MemoryWorkers(available, need, math.MaxInt32))
}
