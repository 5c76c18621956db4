package executor

import (
	"slices"
	"time"

	"github.com/amorsize/amorsize/optimizer"
)

// Bound names what kept a run from having more calls in flight.
type Bound string

// What can bound a run.
const (
	BoundByCores    Bound = "cores"       // the calls compute
	BoundByMemory   Bound = "memory"      // memory of the calls in flight
	BoundByPolicies Bound = "policies"    // a rate limit, an open breaker, backing off
	BoundByService  Bound = "the service" // more calls in flight did not raise throughput, or were refused
	BoundByItems    Bound = "items"       // items ran out first, or arrived too slowly
	BoundByCaller   Bound = "the caller"  // the caller set a number or a bound
)

// Moment is the state of a run of I/O-bound calls at one time.
type Moment struct {
	At       time.Duration // since the start of the run
	Limit    int           // calls that may be in flight
	InFlight int           // calls that were in flight
	Held     int           // workers that policies made wait
	Rate     float64       // calls per second, as of the latest measurement
	Latency  time.Duration // mean time of a call, as of the latest measurement
	Base     time.Duration // mean time of a call without load
	Bound    Bound         // what kept the limit from being higher; empty while it grew
}

// Latencies are how long I/O-bound calls took: each attempt separately, without the time that policies made
// it wait. They are exact to 1 %.
type Latencies struct {
	Base               time.Duration // mean of a call without load
	P50, P90, P99, Max time.Duration
}

// boundByPlan returns what keeps a run from having more calls in flight according to its plan; fixed says
// that the caller set the number.
func boundByPlan(plan *optimizer.Plan, fixed bool) Bound {
	at := slices.IndexFunc(plan.Limits, func(l optimizer.Limit) bool { return l.Binding })
	switch {
	case fixed:
		return BoundByCaller
	case at < 0:
		return BoundByCores
	}
	switch plan.Limits[at].Name {
	case "WithMaxWorkers":
		return BoundByCaller
	case "memory", "GOMEMLIMIT", optimizer.LimitByCaller:
		return BoundByMemory
	case "items":
		return BoundByItems
	}
	if plan.Mode == optimizer.Serial && plan.Host.Procs > 1 {
		return BoundByItems // not enough work for a second worker to help
	}
	return BoundByCores
}
