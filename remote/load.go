package remote

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/remote/internal/frame"
	"github.com/amorsize/amorsize/remote/internal/store"
)

// load is a chunk that is being worked.
type load[T, R any] struct {
	chunk   store.Chunk
	items   [][]byte // as they came
	indices []int64  // in the run; nil if they follow each other
	decoded []T
	wrong   map[int]error // why an item cannot be decoded
	order   []int         // which items can be; nil if all can
	base    int           // the index of its first item in the stream
	done    chan struct{}

	lock   sync.Mutex
	keep   int // how many items this worker keeps: fewer than all if others get the rest
	limit  int // how many are to run
	fed    int // how many have begun
	under  int // of those, in the stream
	values []R
	errs   []error
	spoilt bool // an item was cut off: there is no result
	closed bool
}

func newLoad[T, R any](f *Func[T, R], c store.Chunk) (*load[T, R], error) {
	items, err := frame.Split(c.Items, c.Count)
	if err != nil {
		return nil, err
	}
	l := &load[T, R]{chunk: c, items: items, done: make(chan struct{}), keep: len(items), limit: len(items)}
	l.values, l.errs = make([]R, len(items)), make([]error, len(items))
	payloads := items
	if c.Round > 0 {
		payloads, l.indices = make([][]byte, len(items)), make([]int64, len(items))
		for i, item := range items {
			if l.indices[i], payloads[i], err = store.Unindexed(item); err != nil {
				return nil, err
			}
		}
	}
	l.decoded, l.wrong = f.in.all(payloads)
	if l.wrong != nil {
		for i := range items {
			if l.wrong[i] == nil {
				l.order = append(l.order, i)
			}
		}
		l.limit = len(l.order)
	}
	return l, nil
}

// at is the place in the chunk of the item that is run as number n: items that cannot be decoded are not run.
func (l *load[T, R]) at(n int) int {
	if l.wrong == nil {
		return n
	}
	return l.order[n]
}

// take returns the next item to run.
func (l *load[T, R]) take() (item T, more bool) {
	l.lock.Lock()
	defer l.lock.Unlock()
	if l.fed >= l.limit {
		l.finish()
		return item, false
	}
	item = l.decoded[l.at(l.fed)]
	l.fed++
	l.under++
	return item, true
}

// ended records the outcome of an item, and returns true if it was the last. When the worker was cut off, failures
// do not count.
func (l *load[T, R]) ended(r *amorsize.Result[T, R], cut bool) (last bool) {
	l.lock.Lock()
	defer l.lock.Unlock()
	i := l.at(r.Index - l.base)
	l.values[i], l.errs[i] = r.Value, r.Err
	l.under--
	if r.Err != nil && (cut || notRun(r.Err)) {
		l.spoilt, l.limit = true, l.fed
	}
	l.finish()
	return l.closed
}

// notRun says that the stream ended before the item began: the function's own errors have attempts.
func notRun(err error) bool {
	var item *amorsize.ItemError
	return errors.As(err, &item) && item.Attempts == 0 && errors.Is(item, amorsize.ErrNotRun)
}

// finish closes done when no item is left to run and none is in flight.
func (l *load[T, R]) finish() {
	if l.under == 0 && l.fed >= l.limit && !l.closed {
		l.closed = true
		close(l.done)
	}
}

// spoil marks the chunk as having no result.
func (l *load[T, R]) spoil() {
	l.lock.Lock()
	defer l.lock.Unlock()
	l.spoilt, l.limit = true, l.fed
	l.finish()
}

func (l *load[T, R]) spoiled() bool {
	l.lock.Lock()
	defer l.lock.Unlock()
	return l.spoilt
}

func (l *load[T, R]) complete() bool {
	l.lock.Lock()
	defer l.lock.Unlock()
	return l.closed
}

func (l *load[T, R]) count() int {
	l.lock.Lock()
	defer l.lock.Unlock()
	return l.keep
}

// cut stops the chunk before the items that have not begun, and returns them and where they begin.
func (l *load[T, R]) cut() (rest [][]byte, from int) {
	l.lock.Lock()
	defer l.lock.Unlock()
	if l.fed == 0 || l.fed >= l.limit { // a chunk that is next to begin is not late
		return nil, l.keep
	}
	from = l.at(l.fed)
	rest = l.items[from:l.keep]
	l.limit, l.keep = l.fed, from
	return rest, from
}

// untouched ends the chunk if none of its items has begun, and says so: then all of it goes back unchanged.
func (l *load[T, R]) untouched() bool {
	l.lock.Lock()
	defer l.lock.Unlock()
	if l.fed > 0 || l.limit == 0 {
		return false
	}
	l.spoilt, l.limit = true, 0
	l.finish()
	return true
}

// packed is the outcomes of the items.
func (l *load[T, R]) packed(f *Func[T, R], most int) store.Done {
	l.lock.Lock()
	defer l.lock.Unlock()
	d := store.Done{Key: l.chunk.Key, Fence: l.chunk.Fence, Count: l.keep}
	for i := range l.keep {
		data, attempts, err := l.outcome(f, i, most)
		if l.chunk.Round > 0 {
			d.Failures = append(d.Failures, again(l.indices[i], data, attempts, err))
			continue
		}
		if err == nil {
			d.Data = frame.AppendOutcome(d.Data, data, false)
			continue
		}
		words := message(err)
		d.Data = frame.AppendOutcome(d.Data, []byte(words), true)
		d.Failed++
		d.Failures = append(d.Failures, store.Failure{Item: l.chunk.Start + int64(i), Attempts: attempts, Error: words, Payload: l.items[i]})
	}
	return d
}

// outcome is an item's encoded value, or its error and the number of attempts.
func (l *load[T, R]) outcome(f *Func[T, R], i, most int) (data []byte, attempts int, err error) {
	if err := l.wrong[i]; err != nil {
		return nil, 0, err
	}
	attempts = 1
	if err := l.errs[i]; err != nil {
		var item *amorsize.ItemError
		if errors.As(err, &item) { // its index is that of the stream, which means nothing to the caller
			return nil, item.Attempts, item.Err
		}
		return nil, attempts, err
	}
	if data, err = guard(func() ([]byte, error) { return f.out.Encode(l.values[i]) }); err != nil {
		return nil, attempts, fmt.Errorf("its result cannot be encoded: %w", err)
	}
	if len(data) > most {
		return nil, attempts, fmt.Errorf("its result is %w: %d bytes, MaxResultBytes is %d", ErrTooLarge, len(data), most)
	}
	return data, attempts, nil
}

func again(index int64, data []byte, attempts int, err error) store.Failure {
	if err != nil {
		return store.Failure{Item: index, Attempts: attempts, Error: message(err), State: store.Failed}
	}
	return store.Failure{Item: index, Attempts: attempts, State: store.Mended, Value: data}
}

// maxMessage bounds the kept text of an error.
const maxMessage = 4 << 10

// message is the text of an error, in a form that a database accepts.
func message(err error) string {
	words := err.Error()
	if len(words) > maxMessage {
		words = words[:maxMessage] + "…"
	}
	return strings.ToValidUTF8(strings.ReplaceAll(words, "\x00", "␀"), "�")
}
