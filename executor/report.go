package executor

import (
	"slices"
	"sort"
	"time"

	"github.com/amorsize/amorsize/optimizer"
)

// Report is what a run did. It is complete when the run returns.
type Report struct {
	// Plan is the plan that the run started with, or its revision after the first calls had
	// shown more than the sample could.
	Plan optimizer.Plan
	// Items is the number of items given, Succeeded and Failed how many of them ended
	// without and with an error. If the run was stopped, the rest were not run or were cut
	// off by the stop.
	Items, Succeeded, Failed int
	// Known is how many of them were not run, because a keeper (WithJournal) knew their
	// outcome from an earlier run. They are among Succeeded and Failed.
	Known int

	// Started is when the run began, Elapsed its wall time.
	Started time.Time
	Elapsed time.Duration
	// Busy is the time of all calls added up, over all workers, without what policies made
	// them wait: the total of Calls.Waits.
	Busy time.Duration
	// CPUTime is the CPU time of the whole process during the run, used by this run or
	// other code; 0 if unknown.
	CPUTime time.Duration
	// PredictedDuration is the predicted Elapsed, as last revised before half of the items
	// were done; it is a lower bound if Plan.AtBest. It is 0 if nothing was predicted:
	// everything was done within the sample, or the run was a stream.
	PredictedDuration time.Duration
	// Speedup is Busy over Elapsed: how many calls were in flight on average. A plain loop
	// would have taken that many times as long, if neither policies had made its calls wait
	// nor calls slowed each other down.
	Speedup float64

	// PeakWorkers and MeanWorkers count the workers over the time of the run.
	PeakWorkers int
	MeanWorkers float64
	// Chunks is how many ranges of items were claimed.
	Chunks int
	// Changes are the decisions on the number of workers, the first
	// [MaxChanges] of them.
	Changes []Change
	// Bound is what kept the run from having more calls in flight, for most of
	// its time.
	Bound Bound
	// Calls counts the calls and their outcomes.
	Calls Calls
	// Latency and Timeline are for I/O-bound calls: how long they took, and the run over
	// time in at most 512 moments. They are empty if the calls are CPU-bound or their
	// number was fixed.
	Latency  Latencies
	Timeline []Moment
	// Dropped is how many events, and lines for the logger, were dropped because the
	// listeners of the run were too slow.
	Dropped int
	// Warnings are the plan's and the run's.
	Warnings []string
	// Err is what the run returned. If the run ended in a panic or a Goexit of the caller's
	// goroutine, it is that.
	Err error

	invalid     []span // items without a result, sorted
	knownFailed int    // of Known
}

// MaxChanges is how many changes of the number of workers a report keeps.
const MaxChanges = 256

// Change is one decision on the number of workers.
type Change struct {
	At      time.Duration // since the start of the run
	Workers int
	Reason  string
}

// Valid reports whether results[i] is the result of item i: the item was run
// and its function returned no error. It costs a binary search.
func (r *Report) Valid(i int) bool {
	if i < 0 || i >= r.Items {
		return false
	}
	at := sort.Search(len(r.invalid), func(k int) bool { return r.invalid[k].Hi > i })
	return at == len(r.invalid) || i < r.invalid[at].Lo
}

// Goodput returns the successful items per second, counting only items that were run.
func (r *Report) Goodput() float64 {
	if r.Elapsed <= 0 {
		return 0
	}
	return float64(r.Succeeded-(r.Known-r.knownFailed)) / r.Elapsed.Seconds()
}

// setInvalid notes which items have no result, and counts.
func (r *Report) setInvalid(notRun, failed []span) {
	r.Failed = count(failed)
	r.Succeeded = r.Items - r.Failed - count(notRun)
	r.invalid = append(append([]span(nil), notRun...), failed...)
	slices.SortFunc(r.invalid, func(a, b span) int { return a.Lo - b.Lo })
}

func count(spans []span) (n int) {
	for _, s := range spans {
		n += s.Hi - s.Lo
	}
	return n
}
