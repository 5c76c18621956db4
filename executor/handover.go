package executor

import "sync"

// handover has the results that workers have completed and the loop has not taken yet,
// added claim by claim.
type handover[T, R any] struct {
	ready chan struct{} // a token: there is something

	mu       sync.Mutex
	hungry   bool // the loop waits for the token
	results  []Result[T, R]
	ranges   []span         // of the items of these results, one after the other; used only in order
	failure  *Result[T, R]  // that ended the stream
	stopped  []Result[T, R] // items not completed because the stream ended
	panicked *PanicError
}

// wake lets the loop know that there is something. mu is held.
func (h *handover[T, R]) wake() {
	if h.hungry {
		h.hungry = false
		poke(h.ready)
	}
}

// wait notes that the loop waits, unless there is something to take. mu is held.
func (h *handover[T, R]) wait() bool {
	h.hungry = len(h.results) == 0
	return h.hungry
}

// panics records a panic: the one of the lowest item is raised in the caller.
func (h *handover[T, R]) panics(e *PanicError) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if e.before(h.panicked) {
		h.panicked = e
	}
}

// leave records an item that failed because the stream has ended, or in a stream that has
// failed. mu is held.
func (h *handover[T, R]) leave(of Result[T, R], err error) {
	h.stopped = append(h.stopped, Result[T, R]{Index: of.Index, Item: of.Item, Err: err})
}

// fail records the failure that ends the stream: the one of the lowest index among those
// seen. mu is held.
func (h *handover[T, R]) fail(of Result[T, R], err error) {
	of = Result[T, R]{Index: of.Index, Item: of.Item, Err: err}
	if h.failure != nil && h.failure.Index < of.Index {
		h.leave(of, err)
		return
	}
	if h.failure != nil {
		h.leave(*h.failure, h.failure.Err)
	}
	h.failure = &of
}
