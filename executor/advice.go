package executor

import (
	"cmp"
	"slices"
)

// Explain says in words what a bound means, and what would change it. A run that nothing binds
// yet, whose limit grows still, has the empty one.
func (b Bound) Explain() (means, change string) {
	switch b {
	case BoundByCores:
		return "The calls compute, and all cores are busy.", "More cores, or cheaper calls."
	case BoundByMemory:
		return "Memory has no room for more calls in flight.", "A higher memory limit, or calls that hold less."
	case BoundByPolicies:
		return "A policy holds calls back.", "A higher rate, if the service allows it; or an end of its refusals."
	case BoundByService:
		return "The service achieves no more with more calls in flight, or refuses them.", "A larger quota, or a faster service."
	case BoundByItems:
		return "There are too few items, or they come too slowly.", "Nothing needs to: or items that come faster."
	case BoundByCaller:
		return "A bound that was set: a number of workers, or the most of them.", "A higher bound, or none: then it is found."
	}
	return "Nothing yet: the limit still grows.", "Time."
}

// LongestWait returns the policy that has made calls wait longest, retries not counted; nil if
// none has.
func (c *Calls) LongestWait() *Wait {
	waits := slices.DeleteFunc(slices.Clone(c.Waits), func(w Wait) bool { return w.Kind == "retry" })
	if len(waits) == 0 {
		return nil
	}
	longest := slices.MaxFunc(waits, func(a, b Wait) int { return cmp.Compare(a.Total, b.Total) })
	return &longest
}
