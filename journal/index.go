package journal

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"time"
)

// index has the place of the latest record of each item.
type index struct {
	at         map[Key]place
	failed     int // of them
	superseded int // records that are not the latest
	runs       []started
}

// started is the time at which a run was started, with the place of its header.
type started struct {
	at   int64
	when time.Time
}

// startedBefore returns when the run of a record was started.
func (x *index) startedBefore(at int64) time.Time {
	i, _ := slices.BinarySearchFunc(x.runs, at, func(s started, at int64) int { return cmp.Compare(s.at, at) })
	if i == 0 {
		return time.Time{}
	}
	return x.runs[i-1].when
}

// place is where a line begins, shifted by two flag bits.
type place int64

const (
	failedBit place = 1 << iota
	againBit        // the item failed, and is run again in any case
	placeBits = iota
)

func placeOf(at int64, failed, again bool) place {
	p := place(at) << placeBits
	if failed {
		p |= failedBit
	}
	if again {
		p |= againBit
	}
	return p
}

func (p place) at() int64    { return int64(p >> placeBits) }
func (p place) failed() bool { return p&failedBit != 0 }
func (p place) again() bool  { return p&againBit != 0 }

func newIndex() index { return index{at: map[Key]place{}} }

func (x *index) set(k Key, p place) {
	before := len(x.at)
	if x.failed > 0 && x.at[k].failed() {
		x.failed--
	}
	x.at[k] = p
	if len(x.at) == before {
		x.superseded++
	}
	if p.failed() {
		x.failed++
	}
}

// forget removes a failed item, or all of them.
func (x *index) forget(k Key) {
	if x.at[k].failed() {
		delete(x.at, k)
		x.failed--
		x.superseded++
	}
}

func (x *index) forgetAll() {
	for k, p := range x.at {
		if p.failed() {
			x.forget(k)
		}
	}
}

// reopen makes all failed items run again.
func (x *index) reopen() {
	for k, p := range x.at {
		if p.failed() {
			x.at[k] = p | againBit
		}
	}
}

// take takes a line.
func (x *index) take(line Line) error {
	switch line.Type {
	case "run":
		var h Header
		err := json.Unmarshal(line.Body, &h)
		x.runs = append(x.runs, started{line.At, h.Started})
		return err
	case "item":
		key, _, ok, err := outcomeOf(line.Body)
		if err != nil {
			return err
		}
		again := !ok && bytes.Contains(line.Body, []byte(`"again":true`)) // inside a text, quotes are escaped
		x.set(key, placeOf(line.At, !ok, again))
	case "forget":
		var f forgotten
		if err := json.Unmarshal(line.Body, &f); err != nil {
			return err
		}
		if f.ID == "" {
			x.forgetAll()
			return nil
		}
		key, err := keyFrom(f.ID)
		x.forget(key)
		return err
	case "retry":
		x.reopen()
	}
	return nil
}

// forgotten is the line that says that a failed item, or all of them, must be forgotten.
type forgotten struct {
	Type string `json:"type"` // "forget"
	ID   string `json:"id,omitempty"`
}

// Outcome returns the contents of an item's line. If its members are in the usual order,
// it uses a fast path, which matters for millions of lines.
func (l Line) Outcome() (key Key, n int, ok bool, err error) { return outcomeOf(l.Body) }

func outcomeOf(body []byte) (key Key, n int, ok bool, err error) {
	const head, id, state = `{"type":"item","n":`, `,"id":"`, `","ok":`
	if rest, is := bytes.CutPrefix(body, []byte(head)); is {
		n, rest = leadingNumber(rest)
		if rest, is = bytes.CutPrefix(rest, []byte(id)); is && len(rest) > 2*len(key) {
			digits, rest := rest[:2*len(key)], rest[2*len(key):]
			if rest, is = bytes.CutPrefix(rest, []byte(state)); is {
				key, err = keyFrom(digits)
				return key, n, bytes.HasPrefix(rest, []byte("true")), err
			}
		}
	}
	var e struct {
		N  int    `json:"n"`
		ID string `json:"id"`
		OK bool   `json:"ok"`
	}
	if err := json.Unmarshal(body, &e); err != nil {
		return key, 0, false, err
	}
	key, err = keyFrom(e.ID)
	return key, e.N, e.OK, err
}

// leadingNumber returns the number that text begins with, and the rest of the text.
func leadingNumber(text []byte) (n int, rest []byte) {
	at := 0
	for ; at < len(text) && text[at] >= '0' && text[at] <= '9'; at++ {
		n = 10*n + int(text[at]-'0')
	}
	return n, text[at:]
}
