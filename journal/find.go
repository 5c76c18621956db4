package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// Past is what is known about an item.
type Past struct {
	Result  []byte   // as encoded by the codec
	Failure *Failure // nil if it did not fail
}

// Find returns what is known about an item. With again, failures are reported as unknown;
// failures that are run again in any case always are. A record whose result is damaged is
// unknown as well: its item runs again, and [Journal.Lost] counts it.
func (j *Journal) Find(key Key, again bool) (past Past, known bool) {
	j.mu.Lock()
	p, known := j.index.at[key]
	unwritten := known && p.at() >= j.written
	j.mu.Unlock()
	if !known || p.failed() && (again || p.again()) {
		return past, false
	}
	if unwritten && j.flush() != nil {
		return past, false
	}
	past, err := j.recall(p)
	if err != nil {
		j.lost.Add(1)
		return Past{}, false
	}
	return past, true
}

// recall returns the contents of the record at a place.
func (j *Journal) recall(p place) (past Past, err error) {
	var e entry
	quick := false
	err = j.body(p.at(), func(body []byte) error {
		if !p.failed() && j.opts.Codec == JSON {
			past.Result, quick = resultIn(body)
		}
		if quick {
			return nil
		}
		return json.Unmarshal(body, &e)
	})
	switch {
	case err != nil || quick:
	case p.failed():
		var f Failure
		f, err = e.failure(j.index.startedBefore(p.at()))
		past.Failure = &f
	default:
		past.Result, err = j.result(&e)
	}
	return past, err
}

// resultIn returns a copy of the result in the line of a successful item, if its members are in
// the order of appendRecord. It is the fast path for reading millions of lines.
func resultIn(body []byte) ([]byte, bool) {
	const before = `,"result":`
	at := bytes.Index(body[:min(len(body), mostBefore)], []byte(before)) // no member before it has text from the user
	if at < 0 || len(body) < at+len(before)+sumLength || !bytes.HasPrefix(body, []byte(`{"type":"item","n":`)) {
		return nil, false
	}
	return bytes.Clone(body[at+len(before) : len(body)-sumLength]), true
}

// mostBefore is the last offset at which the result can begin in such a line.
const mostBefore = 200

var errDamaged = errors.New("the record is damaged")

// Has reports whether there is a record of an item that [Journal.Find] would look for.
func (j *Journal) Has(key Key, again bool) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	p, known := j.index.at[key]
	return known && (!p.failed() || !again && !p.again())
}

// Lost returns how many recorded results could not be read.
func (j *Journal) Lost() int { return int(j.lost.Load()) }

// result returns the result of an entry.
func (j *Journal) result(e *entry) ([]byte, error) {
	switch {
	case e.Spill != nil:
		return e.Spill.read(j.spillDir())
	case e.Result64 != nil:
		return e.Result64, nil
	case e.Result == nil && j.opts.Codec != None:
		return nil, errors.New("the record has no result")
	}
	return e.Result, nil
}

// entry returns the record at a place.
func (j *Journal) entry(at int64) (*entry, error) {
	e := new(entry)
	return e, j.body(at, func(body []byte) error { return json.Unmarshal(body, e) })
}

// body calls read with the line at a place, unless that is damaged.
func (j *Journal) body(at int64, read func(body []byte) error) error {
	return j.window.line(j.file, at, func(line []byte) error {
		body, sealed, right := unseal(line)
		if sealed && !right {
			return errDamaged
		}
		return read(body)
	})
}

// window is a buffered part of the file: records are mostly requested in their order.
type window struct {
	mu   sync.Mutex
	from int64
	part []byte
}

const windowSize = 256 << 10

// line calls read with the line that begins there.
func (w *window) line(file io.ReaderAt, at int64, read func(line []byte) error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for size := windowSize; ; size *= 2 {
		if line, ok := w.has(at); ok {
			return read(line)
		}
		if size > longest {
			return fmt.Errorf("no record ends behind %d", at)
		}
		if cap(w.part) < size {
			w.part = make([]byte, size)
		}
		n, err := file.ReadAt(w.part[:size], at)
		w.from, w.part = at, w.part[:n]
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if line, ok := w.has(at); ok || err != nil { // the file has no more
			defer w.shrink()
			if !ok {
				return fmt.Errorf("no record ends behind %d", at)
			}
			return read(line)
		}
	}
}

// shrink keeps only a few windows of memory.
func (w *window) shrink() {
	if cap(w.part) > 16*windowSize {
		w.part = nil
	}
}

// has returns the line, if all of it is in the window.
func (w *window) has(at int64) ([]byte, bool) {
	if at < w.from || at >= w.from+int64(len(w.part)) {
		return nil, false
	}
	rest := w.part[at-w.from:]
	end := bytes.IndexByte(rest, '\n')
	return rest[:end+1], end >= 0
}

// Add records the outcome of an item. It waits if [Options] say so. After an error, such as a
// full disk, nothing more is recorded.
func (j *Journal) Add(r Record) error {
	if j.viewed {
		return j.wrap(errViewed)
	}
	at := time.Since(j.began)
	var file *spill
	if len(r.Result) >= j.opts.SpillBytes && r.Failed == nil {
		var err error
		if file, err = j.spillOut(r.Key, r.Result); err != nil {
			return j.wrap(err)
		}
	}
	buffer, _ := lines.Get().(*[]byte)
	line := (*buffer)[:0]
	if r.Failed != nil {
		line = appendFailed(line, &r, at)
	} else {
		line = appendRecord(line, &r, at, j.opts.Codec, file)
	}
	line = seal(line, 0)
	err := j.add(line, func(at int64) bool {
		j.index.set(r.Key, placeOf(at, r.Failed != nil, r.Failed != nil && r.Failed.Again))
		return true
	})
	if *buffer = line; cap(line) <= windowSize {
		lines.Put(buffer)
	}
	switch {
	case err != nil:
		return j.wrap(err)
	case r.Failed != nil:
		j.failed.Add(1)
	default:
		j.well.Add(1)
	}
	return nil
}

// lines has buffers, for one line each.
var lines = sync.Pool{New: func() any { return new([]byte) }}
