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
	hedgeKept  = 256 // how many of a host's latest response times are kept
	hedgeLeast = 40  // answers needed before anything is derived from them
	hedgeSaved = 10  // second requests that can be saved up
)

// Hedge makes a request be sent a second time if its answer takes longer than most of the host's
// latest answers. The first answer wins, and the other request is cancelled. That cuts the tail
// latency at the cost of a few more requests (Dean and Barroso, The Tail at Scale, 2013). It helps
// if single requests are slow independently, for example by a pause of one of many machines, but
// not if the whole service is slow.
//
// Only requests that are idempotent (see the package documentation) and whose body can be sent
// again are sent twice. The second one is under the same limits, and takes its own token. If the
// first request fails while the second one is in flight, the answer of the second is waited for.
type Hedge struct {
	// Quantile determines the delay of the second request: that quantile of the times to the
	// header of a host's latest 256 answers, plus a tenth. At least 0.5 and below 1; 0 is
	// [DefaultHedgeQuantile].
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

// hedger knows how long the answers of a host take, and how many second requests it may get.
type hedger struct {
	policy Hedge

	mu      sync.Mutex
	took    [hedgeKept]time.Duration // a ring
	answers int                      // total number
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

// begin counts a request, and returns the delay after which it may be sent again; 0 if not.
func (h *hedger) begin() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.credit = min(h.credit+h.policy.Budget, hedgeSaved)
	return h.delay
}

// spend uses one of the allowed second requests, if there is one.
func (h *hedger) spend() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.credit < 1 {
		return false
	}
	h.credit--
	return true
}

// answered records how long an answer took, or had taken when it was given up.
func (h *hedger) answered(took time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.took[h.answers%hedgeKept] = took
	h.answers++
	if n := min(h.answers, hedgeKept); n >= hedgeLeast && (h.delay == 0 || h.answers%16 == 0) {
		sorted := slices.Sorted(slices.Values(h.took[:n]))
		quantile := sorted[int(math.Ceil(h.policy.Quantile*float64(n)))-1]
		h.delay = quantile + quantile/10 + 1 // if all take the same time, no race against the answer
	}
}
