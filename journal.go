package amorsize

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/amorsize/amorsize/executor"
	"github.com/amorsize/amorsize/journal"
)

// WithJournal keeps what becomes of each item in j, with its result. Run again with the same
// items, after a crash or with more of them, only those are run that are missing, and the
// results of all are returned, each once and in order: see package journal for what may run
// twice. Report.Known says how many were there already; progress is of those that are left.
//
// An item is known by its encoding as JSON, or by [WithKey], wherever it stands. Equal items
// are told apart by their order. One that can't be encoded is run each time.
//
// Items that failed are in j as well: [journal.Journal.Failed] lists them. With
// [WithErrors]([Collect]) they have failed in later runs too, with a [*journal.PastError],
// unless how is [journal.RetryFailed]. Without, they are run again: a failure that ends the
// run ends no item. Nor do a panic, and the end of the context.
//
// If something can't be recorded, since the disk is full or a result has no encoding, the run
// ends with a [*journal.Error]: what came then would be paid for twice. [Optimize] ignores
// the option. It costs some 2 µs an item.
func WithJournal(j *journal.Journal, how ...journal.Mode) Option {
	return set(j != nil, "Journal", "nil", "a journal", func(c *settings) {
		c.journal, c.again = j, slices.Contains(how, journal.RetryFailed)
	})
}

// WithKey has items be known by a key in a journal, as a URL, the number of a row, a path:
// what else an item has may change. T is the type of the run's items; for any other one the
// run returns a [*ConfigError].
func WithKey[T any](key func(item T) string) Option {
	return set(key != nil, "Key", "nil", "a function", func(c *settings) { c.key = key })
}

// journaling is what is to be kept of a run.
type journaling struct {
	journal *journal.Journal // nil if nothing is
	again   bool             // items that failed are run again
	key     any              // a func(T) string, nil for a digest
}

// keyFunc returns what tells the key of an item, not regarding equal ones.
func keyFunc[T any](c *settings) (func(T) (journal.Key, error), error) {
	if c.key == nil {
		return func(item T) (journal.Key, error) {
			text, err := json.Marshal(item)
			return journal.KeyOf(text), err
		}, nil
	}
	key, ok := c.key.(func(T) string)
	if !ok {
		return nil, &ConfigError{Field: "WithKey", Value: fmt.Sprintf("%T", c.key), Range: fmt.Sprintf("a function of the run's items: %T", key)}
	}
	return func(item T) (journal.Key, error) { return journal.KeyOf([]byte(key(item))), nil }, nil
}

// keeper returns what keeps the items of a run, nil if nothing does.
func keeper[T, R any](c *settings) (executor.Keeper[T, R], error) {
	key, err := keyFunc[T](c)
	if err != nil || c.journal == nil {
		return nil, err
	}
	found := c.journal.Found()
	if found.Runs > 0 && found.Header.Command != journal.Program {
		return nil, &journal.Error{Path: c.journal.Path(), Err: fmt.Errorf("%w: of amorsize %s", journal.ErrOther, found.Header.Command)}
	}
	c.Warnings = append(slices.Clip(c.Warnings), found.Warnings()...)
	return &journaled[T, R]{
		Journal: c.journal, again: c.again || c.Errors == FailFast, keyOf: key, equal: map[journal.Key]equal{}, keys: keys{},
	}, nil
}

// journaled keeps the items of one run in a journal.
type journaled[T, R any] struct {
	*journal.Journal
	again bool
	keyOf func(T) (journal.Key, error)

	mu       sync.Mutex
	equal    map[journal.Key]equal
	repeated bool // some items are equal
	keys     keys // of items that are to be run
}

// equal counts equal items: how many there have been, and before which all have a record.
// Which of them is run first has the first record that is missing, so that as many are known
// as there are records, of another list as well.
type equal struct{ seen, recorded int32 }

// Known implements [executor.Keeper].
func (k *journaled[T, R]) Known(i int, item T) (past executor.Outcome[R], known bool, err error) {
	key, err := k.keyOf(item)
	if err != nil { // it is run each time
		return past, false, nil
	}
	k.mu.Lock()
	of := k.equal[key]
	of.seen++
	k.equal[key] = of
	k.repeated = k.repeated || of.seen > 1
	k.mu.Unlock()
	found, known := k.Find(key.Again(int(of.seen)-1), k.again)
	switch {
	case !known:
		k.mu.Lock()
		defer k.mu.Unlock()
		k.keys.put(i, key)
	case found.Failure != nil:
		past.Err, past.Attempts = &journal.PastError{Failure: *found.Failure}, found.Failure.Attempts
	default:
		if err := k.Codec().Unmarshal(found.Result, &past.Value); err != nil {
			return past, false, &journal.Error{Path: k.Path(), Err: fmt.Errorf("the result of item %d can't be read as a %T: %w", i, past.Value, err)}
		}
	}
	return past, known, nil
}

// Keep implements [executor.Keeper].
func (k *journaled[T, R]) Keep(i int, item T, now executor.Outcome[R]) error {
	key, ok := k.take(i, now.Err == nil)
	r := journal.Record{Index: i, Key: key, Attempts: now.Attempts, Took: now.Took}
	switch {
	case now.Err != nil:
		if !ok { // it has none; what it is listed by is its number
			r.Key = journal.KeyOf(fmt.Appendf(nil, "%T %d", item, i))
		}
		r.Failed = failed(item, now.Err)
		r.Failed.Again = r.Failed.Again || !ok
	case !ok:
		return nil
	default:
		var err error
		if r.Result, err = k.Codec().Marshal(now.Value); err != nil {
			return &journal.Error{Path: k.Path(), Err: fmt.Errorf("the result of item %d can't be kept: %w", i, err)}
		}
	}
	return k.Add(r)
}

// take returns the key that the record of an item gets, if it has one.
func (k *journaled[T, R]) take(i int, well bool) (key journal.Key, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if key, ok = k.keys.take(i); !ok {
		return key, false
	}
	if well && !k.repeated { // the journal will have it, if an equal one should come
		return key, true
	}
	of := k.equal[key]
	for of.recorded < of.seen-1 && k.Has(key.Again(int(of.recorded)), k.again) {
		of.recorded++
	}
	n := int(of.recorded)
	of.recorded++
	k.equal[key] = of
	return key.Again(n), true
}

// keys are those of items by their number. Most numbers come in their order, and go in about
// the same: so they are in pages, which are found sooner than each for itself.
type keys map[int]*keyPage

const pageSize = 256

type keyPage struct {
	keys  [pageSize]journal.Key
	there [pageSize]bool
	left  int
}

func (k keys) put(i int, key journal.Key) {
	p := k[i/pageSize]
	if p == nil {
		p = &keyPage{}
		k[i/pageSize] = p
	}
	p.keys[i%pageSize], p.there[i%pageSize] = key, true
	p.left++
}

func (k keys) take(i int) (key journal.Key, ok bool) {
	p := k[i/pageSize]
	if p == nil || !p.there[i%pageSize] {
		return key, false
	}
	key, p.there[i%pageSize] = p.keys[i%pageSize], false
	if p.left--; p.left == 0 {
		delete(k, i/pageSize)
	}
	return key, true
}

// failed returns what is kept of an item that failed.
func failed(item any, err error) *journal.Failed {
	_, panicked := err.(*PanicError) //nolint:errorlint // of a nested run it is an error like others
	f := &journal.Failed{Err: err.Error(), Types: typesOf(err), Again: panicked}
	if text, ok := item.(string); ok {
		f.Item = text
	} else if text, err := json.Marshal(item); err == nil {
		f.Item = string(text)
	} else {
		f.Item = fmt.Sprintf("%+v", item)
	}
	return f
}

// mostTypes is how many types of an error are kept.
const mostTypes = 8

// typesOf returns the types of an error and of what it wraps.
func typesOf(err error) (types []string) {
	for list := []error{err}; len(list) > 0 && len(types) < mostTypes; {
		err, list = list[0], list[1:]
		if err == nil {
			continue
		}
		types = append(types, fmt.Sprintf("%T", err))
		switch e := err.(type) { //nolint:errorlint // it unwraps
		case interface{ Unwrap() error }:
			list = append(list, e.Unwrap())
		case interface{ Unwrap() []error }:
			list = append(list, e.Unwrap()...)
		}
	}
	return types
}

// synced puts what was recorded onto the disk at the end of a run, which returns err.
func (c *settings) synced(err *error) {
	if unsynced := c.unsynced(*err); unsynced != nil {
		*err = errors.Join(*err, unsynced)
	}
}

// unsynced is synced, and returns what is wrong, unless that is what the run ended with.
func (c *settings) unsynced(err error) error {
	if c.journal == nil {
		return nil
	}
	if unsynced := c.journal.Sync(); unsynced != nil && !errors.Is(err, journal.ErrJournal) {
		return unsynced
	}
	return nil
}
