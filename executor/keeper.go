package executor

import (
	"errors"
	"slices"
	"sync/atomic"
	"time"
)

// A Keeper keeps the outcomes of the items of a run, and knows the outcomes of some of them from
// an earlier run: those are not run again.
type Keeper[T, R any] interface {
	// Known is asked about each item, in their order, by one goroutine, before it is run. A known
	// failure counts with [Collect] only: with [FailFast], where it would end the run, the item
	// is run again. An error ends the run.
	Known(i int, item T) (past Outcome[R], known bool, err error)
	// Keep receives the outcome of item i, from the goroutine that ran it. It is not called for
	// items that the end of the run cut off. An error ends the run, which returns it. If the
	// keeper has a method Warnings() []string, the report has what it returns at the end.
	Keep(i int, item T, now Outcome[R]) error
}

// syncer is a keeper that tells how many lines are on disk, by how many syncs, and how long those
// took together.
type syncer interface {
	Synced() (lines, syncs int64, took time.Duration)
}

// Outcome is the outcome of an item, over all its attempts.
type Outcome[R any] struct {
	Value    R
	Err      error // what the last attempt returned; a [*PanicError], [ErrGoexit]
	Attempts int
	Took     time.Duration // including waits for policies; for a batch, an equal share
}

// errUnkept is what a runner returns when the keeper failed; the worker has the reason.
var errUnkept = errors.New("amorsize: the outcome of an item could not be kept")

// past has the known items, which are not run again. It is written before the run, and by the
// producer of a stream.
type past struct {
	numbers []int        // of the items that are run; nil if they have their original numbers
	apart   int          // known items that the source does not have
	warns   warner       // nil if the keeper has no warnings
	faults  []fault      // of those that failed
	known   atomic.Int64 // items
	failed  atomic.Int64 // of them
}

// number returns the caller's number of an item of the run.
func (p *past) number(i int) int {
	if p == nil || p.numbers == nil || i < 0 || i >= len(p.numbers) {
		return i
	}
	return p.numbers[i]
}

// spans returns the caller's numbers of some items of the run.
func (p *past) spans(s span) (list []span) {
	if p == nil || p.numbers == nil {
		return []span{s}
	}
	for i := s.Lo; i < s.Hi; i++ {
		n := p.numbers[i]
		if last := len(list) - 1; last >= 0 && list[last].Hi == n {
			list[last].Hi++
		} else {
			list = append(list, span{Lo: n, Hi: n + 1})
		}
	}
	return list
}

// renumber returns faults by the caller's numbers, with those of an earlier run.
func (p *past) renumber(faults []fault) []fault {
	if p == nil {
		return faults
	}
	all := slices.Clone(p.faults)
	for _, f := range faults {
		for k, s := range p.spans(f.span) {
			if k > 0 {
				f.err = nil // it is reported once
			}
			all = append(all, fault{s, f.err})
		}
	}
	return all
}

// restore returns spans by the caller's numbers.
func (p *past) restore(spans []span) []span {
	if p == nil || p.numbers == nil {
		return spans
	}
	var all []span
	for _, s := range spans {
		all = append(all, p.spans(s)...)
	}
	return all
}

// place sets the caller's number in an error that a runner has made.
func (p *past) place(err error) {
	if p == nil || p.numbers == nil {
		return
	}
	switch e := err.(type) { //nolint:errorlint // what is wrapped is another run's
	case *ItemError:
		e.Index = p.number(e.Index)
	case *BatchError:
		e.apart = len(p.spans(span{Lo: e.Index, Hi: e.Index + e.Size})) > 1
		e.Index = p.number(e.Index)
	case *PanicError:
		e.Index = p.number(e.Index)
	}
}

// warner is a keeper that has warnings for the report at the end of a run.
type warner interface{ Warnings() []string }

// warn returns the warnings of the keeper.
func (p *past) warn() []string {
	if p == nil || p.warns == nil {
		return nil
	}
	return p.warns.Warnings()
}

// failures returns how many items failed in an earlier run.
func (p *past) failures() int64 {
	if p == nil {
		return 0
	}
	return p.failed.Load()
}

// passed returns how many failures of an earlier run a stream has yielded.
func (p *past) passed() int {
	if p == nil {
		return 0
	}
	return int(p.failed.Load()) - len(p.faults)
}

// tell writes the numbers of known items into the report.
func (p *past) tell(r *Report) {
	if p == nil {
		return
	}
	r.Items += p.apart
	r.Known, r.knownFailed = int(p.known.Load()), int(p.failed.Load())
}

func newPast[T, R any](k Keeper[T, R]) *past {
	p := &past{}
	p.warns, _ = k.(warner)
	return p
}

// count counts a known item that a stream yields.
func (p *past) count(failed error) {
	p.known.Add(1)
	if failed != nil {
		p.failed.Add(1)
	}
}

// left asks the keeper about all items. It returns those that are to be run, and puts the known
// results of the others in out.
func left[T, R any](k Keeper[T, R], items []T, out []R, mode ErrorMode) ([]T, *past, error) {
	p := newPast(k)
	var rest []T
	for i := range items {
		of, known, err := k.Known(i, items[i])
		switch {
		case err != nil:
			return nil, nil, err
		case !known || of.Err != nil && mode == FailFast:
			if p.numbers != nil {
				rest, p.numbers = append(rest, items[i]), append(p.numbers, i)
			}
			continue
		case of.Err != nil:
			p.faults = append(p.faults, fault{span{Lo: i, Hi: i + 1}, &ItemError{Index: i, Attempts: of.Attempts, Err: of.Err}})
			p.failed.Add(1)
		default:
			out[i] = of.Value
		}
		p.apart++
		if p.numbers == nil { // the first known one: all items before it are to be run
			rest, p.numbers = slices.Clone(items[:i]), make([]int, i)
			for n := range p.numbers {
				p.numbers[n] = n
			}
		}
	}
	p.known.Store(int64(p.apart))
	if p.numbers == nil {
		return items, p, nil
	}
	return rest, p, nil
}
