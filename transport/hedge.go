package transport

import (
	"math"
	"slices"
	"sync"
	"time"

	"github.com/amorsize/amorsize/internal/keyed"
)

// The defaults of a [Hedge].
const (
	DefaultHedgeQuantile = 0.95
	DefaultHedgeBudget   = 0.05
)

const (
	hedgeKept  = 256 // of a host's latest answers it is known how long they took
	hedgeLeast = 40  // answers there must be before anything follows from them
	hedgeSaved = 10  // second requests that may have been saved up
)

// Hedge has a request sent a second time if its answer takes longer than most of the host's
// latest ones did. The first answer wins, and the other request is cancelled. That cuts off
// the long times that a few requests take by bad luck, for a few more requests (Dean and
// Barroso, The Tail at Scale, 2013). It helps where they are slow each for itself, as by a
// pause of one of many machines, and not where the service is slow.
//
// Only requests are sent twice that are idempotent (see the package documentation) and whose
// body can be had again. The second one is under the same limits, and takes a token of its
// own. While one is under way that the first has failed before, its answer is waited for.
type Hedge struct {
	// Quantile is that of the times until the header of a host's latest 256 answers
	// after which, and a tenth more, the second request is sent, at least 0.5 and below 1;
	// 0 is [DefaultHedgeQuantile].
	Quantile float64
	// Budget is the share of requests to a host that may be sent a second time, above 0 up to 1; 0
	// is [DefaultHedgeBudget]. Ten may be saved up.
	Budget float64
}

// validate returns h with the defaults filled in.
func (h Hedge) validate() (Hedge, error) {
	if h.Quantile == 0 {
		h.Quantile = DefaultHedgeQuantile
	}
	if h.Budget == 0 {
		h.Budget = DefaultHedgeBudget
	}
	switch {
	case !(h.Quantile >= 0.5 && h.Quantile < 1):
		return h, bad("Hedge.Quantile", h.Quantile, "at least 0.5 and below 1, or 0 for the default")
	case !(h.Budget > 0 && h.Budget <= 1):
		return h, bad("Hedge.Budget", h.Budget, "above 0 up to 1, or 0 for the default")
	}
	return h, nil
}

// hedger knows of a host how long its answers take, and how many more requests it may get.
type hedger struct {
	policy Hedge

	mu      sync.Mutex
	took    [hedgeKept]time.Duration // a ring
	answers int                      // in all
	delay   time.Duration            // of a second request; 0 as long as it isn't known
	credit  float64                  // second requests that may be sent
}

func newHedgers(h Hedge, most int) *keyed.Map[string, *hedger] {
	create := func(string) *hedger { return &hedger{policy: h} }
	fresh := func(h *hedger) bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return h.answers == 0
	}
	return keyed.New[string](most, create, fresh, func(*hedger) bool { return true })
}

// begin counts a request, and returns after what time it may be sent again; 0 if not.
func (h *hedger) begin() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.credit = min(h.credit+h.policy.Budget, hedgeSaved)
	return h.delay
}

// spend takes one of the second requests that may be sent, if there is one.
func (h *hedger) spend() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.credit < 1 {
		return false
	}
	h.credit--
	return true
}

// answered takes note of how long an answer took, or had taken when it was given up.
func (h *hedger) answered(took time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.took[h.answers%hedgeKept] = took
	h.answers++
	if n := min(h.answers, hedgeKept); n >= hedgeLeast && (h.delay == 0 || h.answers%16 == 0) {
		sorted := slices.Sorted(slices.Values(h.took[:n]))
		quantile := sorted[int(math.Ceil(h.policy.Quantile*float64(n)))-1]
		h.delay = quantile + quantile/10 + 1 // where all take the same time, no race against the answer
	}
}
