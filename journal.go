package amorsize

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/amorsize/amorsize/executor"
	"github.com/amorsize/amorsize/journal"
)

// WithJournal records the outcome of each item in j, with its result. If the same items are run again,
// after a crash or with more of them, only the missing ones are run, and the results of all are returned,
// each once and in order. Package journal says what may run twice. Report.Known says how many were there
// already; progress counts only the remaining ones.
//
// An item is identified by its encoding as JSON, or by [WithKey], not by its position. If an item occurs
// three times and two are recorded, one is run. An item that can't be encoded is run each time; items with
// unexported fields need a key.
//
// Failed items are recorded as well: [journal.Journal.Failed] lists them. With [WithErrors]([Collect])
// later runs return a [*journal.PastError] for them and do not call the function, unless how is
// [journal.RetryFailed]. Items stopped by fail-fast, a panic or the end of the context run again.
//
// If an outcome can't be recorded, because the disk is full or a result has no encoding, the run ends with
// a [*journal.Error]: later results would be lost. j belongs to one function: journal.Options.Run names
// it. [Optimize] ignores the option. It costs some 2 µs per item.
func WithJournal(j *journal.Journal, how ...journal.Mode) Option {
	return set(j != nil, "Journal", "nil", "a journal", func(c *settings) {
		c.journal, c.again = j, slices.Contains(how, journal.RetryFailed)
	})
}

// WithoutJournal cancels an earlier [WithJournal]. It is for code that receives options and records
// outcomes itself, as package remote does.
func WithoutJournal() Option {
	return func(c *settings) error { c.journal = nil; return nil }
}

// WithKey identifies items in a journal by a key, such as a URL, a row number or a path. The rest of an
// item may then change. T is the type of the run's items; for any other one the run returns a
// [*ConfigError].
func WithKey[T any](key func(item T) string) Option {
	return set(key != nil, "Key", "nil", "a function", func(c *settings) { c.key = key })
}

// journaling is what options set for the journal of a run.
type journaling struct {
	journal *journal.Journal // nil if there is none
	again   bool             // items that failed are run again
	key     any              // a func(T) string, nil for a digest
}

// keeper returns what keeps the items of a run, nil if nothing does.
func keeper[T, R any](c *settings) (executor.Keeper[T, R], error) {
	keyOf, err := keyFunc[T](c, false)
	if err != nil || c.journal == nil {
		return nil, err
	}
	k, err := newJournaled[T, R](c, keyOf)
	if err != nil {
		return nil, err
	}
	codec := c.journal.Codec()
	k.encode = func(value R) ([]byte, error) { return codec.Marshal(value) }
	k.decode = func(raw []byte) (value R, err error) {
		err = codec.Unmarshal(raw, &value)
		return value, err
	}
	return k, nil
}

// newJournaled returns what keeps the items of a run in its journal, or an error if the journal can't be
// used.
func newJournaled[T, R any](c *settings, keyOf func(T) (journal.Key, error)) (*journaled[T, R], error) {
	found := c.journal.Found()
	if found.Runs > 0 && found.Header.Command != journal.Program {
		return nil, &journal.Error{Path: c.journal.Path(), Err: fmt.Errorf("%w: of amorsize %s", journal.ErrOtherRun, found.Header.Command)}
	}
	if err := c.journal.Err(); err != nil {
		return nil, err
	}
	failFast := c.Errors == FailFast
	return &journaled[T, R]{
		Journal: c.journal, again: c.again || failFast, failFast: failFast, keyOf: keyOf,
		equal: map[journal.Key]equal{}, keys: keys{}, lost: c.journal.Lost(),
	}, nil
}

// journaled keeps the items of one run in a journal.
type journaled[T, R any] struct {
	*journal.Journal
	again    bool // failed items are run again
	failFast bool // a failed item ends the run
	keyOf    func(T) (journal.Key, error)
	encode   func(R) ([]byte, error)
	decode   func([]byte) (R, error)
	lost     int // results that could not be read before
	known    atomic.Int64

	mu    sync.Mutex
	equal map[journal.Key]equal
	keys  keys // of items that are still to be run
}

// equal counts equal items: how many were seen, and up to which all have a record. The item that is
// recorded next takes the first missing record, so the number of known items equals the number of records,
// also when a later run has a different list.
type equal struct{ seen, recorded int32 }

// Known implements [executor.Keeper].
func (k *journaled[T, R]) Known(i int, item T) (past executor.Outcome[R], known bool, err error) {
	key, err := k.keyOf(item)
	if err != nil { // an item without a key is run each time
		return past, false, nil
	}
	k.mu.Lock()
	of := k.equal[key]
	of.seen++
	k.equal[key] = of
	k.mu.Unlock()
	found, known := k.Find(key.Again(int(of.seen)-1), k.again)
	if known {
		k.known.Add(1)
	}
	switch {
	case !known:
		k.mu.Lock()
		defer k.mu.Unlock()
		k.keys.put(i, key)
	case found.Failure != nil:
		past.Err, past.Attempts = &journal.PastError{Failure: *found.Failure}, found.Failure.Attempts
	default:
		if past.Value, err = k.decode(found.Result); err != nil {
			return past, false, &journal.Error{Path: k.Path(), Err: fmt.Errorf(
				"the result of item %d can't be read as a %T: %w (has the type of results changed? then change Options.Run, and begin a new file)", i, past.Value, err)}
		}
	}
	return past, known, nil
}

// Keep implements [executor.Keeper].
func (k *journaled[T, R]) Keep(i int, item T, now executor.Outcome[R]) error {
	key, ok := k.take(i)
	if !ok { // it has no key: its failure is listed under its number
		key = journal.KeyOf(fmt.Appendf(nil, "%T %d", item, i))
	}
	r := journal.Record{Index: i, Key: key, Attempts: now.Attempts, Took: now.Took}
	switch {
	case now.Err != nil:
		r.Failed = failed(item, now.Err)
		r.Failed.Again = r.Failed.Again || !ok || k.failFast
	case !ok:
		return k.Forget(key)
	default:
		var err error
		if r.Result, err = k.encoded(now.Value); err != nil {
			return &journal.Error{Path: k.Path(), Err: fmt.Errorf("the result of item %d can't be kept: %w", i, err)}
		}
	}
	return k.Add(r)
}

// encoded is encode, but a panic (of a result's own method) becomes an error.
func (k *journaled[T, R]) encoded(value R) (raw []byte, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("its encoding panicked: %v", v)
		}
	}()
	return k.encode(value)
}

// Warnings says what the journal has lost.
func (k *journaled[T, R]) Warnings() []string {
	found := k.Found()
	list := found.Warnings()
	if n := k.Lost() - k.lost; n > 0 {
		list = append(list, fmt.Sprintf("journal: results that could not be read, since a file of %s.spill is damaged or gone: %d; their items ran again", k.Path(), n))
	}
	k.mu.Lock()
	ran := len(k.equal)
	k.mu.Unlock()
	if found.Items > 0 && ran > 0 && k.known.Load() == 0 {
		list = append(list, fmt.Sprintf("journal: none of its %d items are of this run: is it the right file, and have the items' keys changed?", found.Items))
	}
	return list
}

// take returns the key that the record of an item gets, if it has one.
func (k *journaled[T, R]) take(i int) (key journal.Key, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if key, ok = k.keys.take(i); !ok {
		return key, false
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

// synced writes the records to disk at the end of a run that returns err, and adds a failure of that to
// err.
func (c *settings) synced(err *error) {
	if unsynced := c.unsynced(*err); unsynced != nil {
		*err = errors.Join(*err, unsynced)
	}
}

// unsynced writes the records to disk and returns the error, unless the run already ended with an error of
// the journal.
func (c *settings) unsynced(err error) error {
	if c.journal == nil {
		return nil
	}
	if unsynced := c.journal.Sync(); unsynced != nil && !errors.Is(err, journal.ErrJournal) {
		return unsynced
	}
	return nil
}
