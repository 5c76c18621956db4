package joblog

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
)

// Past is what a log says that is to be continued, in a few bytes for each item.
type Past struct {
	Header Header // of the first run in it
	Ended  bool   // its latest run has been told to the end, and was not stopped
	runs   uint32
	whole  int64 // bytes of whole lines
	items  map[identity]*outcomes
	well   map[identity]uint32 // items that went well, as most do
}

type identity [16]byte

// outcomes are the items of one identity of which some have failed and did not
// succeed later.
type outcomes struct {
	before, now uint32 // failed, in runs before the one that is read, and in it
	run         uint32 // that now is of
}

// readPast reads a log; nil if it is empty, or not even the first line is whole.
func readPast(file *os.File, path string) (*Past, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrLog, err)
	}
	p := &Past{items: map[identity]*outcomes{}, well: map[identity]uint32{}}
	if p.whole, err = eachLine(start(file, info.Size()), path, p.add); err != nil {
		return nil, err
	}
	if p.Header.V > 0 {
		return p, nil
	}
	if p.whole == 0 && torn(file, info.Size()) {
		return nil, nil
	}
	return nil, notALog(path)
}

// torn reports whether a file without a whole line is the beginning of a log.
func torn(file *os.File, size int64) bool {
	const first = `{"type":"run",`
	head := make([]byte, min(size, int64(len(first))))
	n, _ := file.ReadAt(head, 0)
	return n == len(head) && strings.HasPrefix(first, string(head))
}

// entry is what has to be known of a line.
type entry struct {
	Type    string `json:"type"`
	V       int    `json:"v"`
	ID      string `json:"id"`
	OK      bool   `json:"ok"`
	Summary struct {
		Stopped string `json:"stopped"`
	} `json:"summary"`
}

func (p *Past) add(line []byte) error {
	if bytes.HasPrefix(line, []byte(`{"type":"run"`)) {
		p.runs, p.Ended = p.runs+1, false
		var h Header
		if err := json.Unmarshal(line, &h); err != nil {
			return err
		}
		if h.V > Version {
			return fmt.Errorf("version %d is newer than this amorsize, which knows %d", h.V, Version)
		}
		if p.Header.V == 0 {
			p.Header = h
		}
		return nil
	}
	var e entry
	if err := json.Unmarshal(line, &e); err != nil {
		return err
	}
	switch e.Type {
	case "try":
	case "item":
		var id identity
		if n, err := hex.Decode(id[:], []byte(e.ID)); err != nil || n != len(id) {
			return fmt.Errorf("%q is no identity of an item", e.ID)
		}
		p.over(id, e.OK)
	case "end":
		p.Ended = e.Summary.Stopped == ""
	default:
		return fmt.Errorf("type %q is unknown", e.Type)
	}
	return nil
}

// over takes the outcome of an item. The same text twice in one run is two items;
// in a later run it is one of them again, a failed one first.
func (p *Past) over(id identity, ok bool) {
	o := p.items[id]
	if o == nil && ok {
		p.well[id]++
		return
	}
	if o == nil {
		o = &outcomes{run: p.runs}
		p.items[id] = o
	}
	if o.run != p.runs {
		o.before, o.now, o.run = o.before+o.now, 0, p.runs
	}
	if o.before > 0 {
		o.before--
	}
	if ok {
		p.well[id]++
	} else {
		o.now++
	}
	if o.before+o.now == 0 {
		delete(p.items, id)
	}
}

// Finished tells which items need not be run again: each identity as often as it
// is over. With again, those that failed are not among them.
type Finished struct {
	count map[identity]uint32
}

// Finished returns the items that are over. The past is of no use then.
func (p *Past) Finished(again bool) *Finished {
	if !again {
		for id, o := range p.items {
			p.well[id] += o.before + o.now
		}
	}
	return &Finished{count: p.well}
}

// Skip reports whether the item is over, and counts it off.
func (f *Finished) Skip(it items.Item) bool {
	var id identity
	if _, err := hex.Decode(id[:], []byte(it.Identity())); err != nil || f.count[id] == 0 {
		return false
	}
	f.count[id]--
	return true
}
