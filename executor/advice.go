package executor

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
)

// Explain says in words what a bound means, and what would change it. The bound is empty while
// the limit still grows.
func (b Bound) Explain() (means, change string) {
	switch b {
	case BoundByCores:
		return "The calls are CPU-bound, and all cores are busy.", "More cores, or cheaper calls."
	case BoundByMemory:
		return "There is no memory for more calls in flight.", "A higher memory limit, or calls that use less memory."
	case BoundByPolicies:
		return "Calls wait for a policy.", "A higher rate, if the service allows one, or fewer refused calls."
	case BoundByService:
		return "More calls in flight do not raise throughput, or the service refuses them.", "A larger quota, or a faster service."
	case BoundByItems:
		return "There are too few items, or they arrive too slowly.", "Items that arrive faster, or more of them."
	case BoundByCaller:
		return "An option sets the number of workers, or its maximum.", "A higher value of that option, or none: then the number is measured."
	}
	return "Nothing yet: the limit is still rising.", "Time."
}

// LongestWait returns the policy that has made calls wait longest; nil if none has.
func (c *Calls) LongestWait() *Wait {
	if len(c.Waits) == 0 {
		return nil
	}
	longest := slices.MaxFunc(c.Waits, func(a, b Wait) int { return cmp.Compare(a.Total, b.Total) })
	return &longest
}

// Explain says in words what binds the run now, and what would change it: a policy that blocks
// all calls, or else the bound.
func (p Progress) Explain() (means, change string) {
	if p.Calls != nil {
		for _, s := range p.Calls.Policies {
			if means, change = s.explain(); means != "" {
				return means, change
			}
		}
	}
	means, change = p.Now.Bound.Explain()
	if p.Now.Bound != BoundByPolicies || p.Calls == nil || len(p.Calls.Waits) == 0 {
		return means, change
	}
	w := p.Calls.LongestWait()
	if w.Kind == "retry" {
		return fmt.Sprintf("Calls wait to be retried: %v each on average.", short(w.mean())), "Fewer failures, or a shorter delay before a retry."
	}
	return fmt.Sprintf("Calls wait for the %s: %v each on average.", named(w.Kind, w.Name), short(w.mean())), change
}

// explain says what the state of a policy means, if it is one that blocks calls.
func (s PolicyState) explain() (means, change string) {
	left := ""
	if s.Left > 0 {
		left = fmt.Sprintf(", %v more", short(s.Left))
	}
	name := named(s.Kind, s.Name)
	switch s.State {
	case "paused":
		if s.Kind == "remote" { // paused by a person
			return "The run is paused.", "The command amorsize-remote runs resume."
		}
		return fmt.Sprintf("The %s is paused%s: the service asked for it.", name, left), "The end of the pause; a lower rate, if it happens often."
	case "open":
		return fmt.Sprintf("The %s is open%s: too many calls have failed.", name, left), "A service that answers again: then probes close the breaker."
	case "half-open":
		return fmt.Sprintf("The %s is half-open: a few calls probe the service.", name), "Successful probes."
	}
	return "", ""
}

// named is a policy in a sentence.
func named(kind, name string) string {
	words, ok := map[string]string{
		"ratelimit": "rate limiter", "circuitbreaker": "circuit breaker", "concurrency": "concurrency limiter", "retry": "retrier",
	}[kind]
	if !ok {
		words = kind
	}
	if name == "" || name == kind {
		return words
	}
	return words + " " + strconv.Quote(name)
}

// pauses says that it was refusals of the service that held the calls up, if so: each pauses all of them.
func (r *Report) pauses() (means, change string) {
	rate, made := r.Plan.Constraints.Rate, float64(r.Calls.Ended)/max(1e-9, r.Elapsed.Seconds())
	longest, refused := r.Calls.LongestWait(), r.Calls.Failed.Overloaded
	switch {
	case r.Bound != BoundByPolicies || longest == nil || longest.Kind != "ratelimit":
		return "", ""
	case refused == 0 || 2*refused < r.Calls.Failed.All() || made >= 0.9*rate: // something else did
		return "", ""
	}
	return fmt.Sprintf("The service refused %s, which paused the others: %s/s were made, of %s/s that the rate allows.",
		plural(int(refused), "call"), perSecond(made), perSecond(rate)), "A rate a little below what the service allows, so that it refuses none."
}
