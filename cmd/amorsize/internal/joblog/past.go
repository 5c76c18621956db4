package joblog

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
)

// Past is what a log says that is to be continued, in a few bytes for each item.
type Past struct {
	Header Header // of the first run in it
	Ended  bool   // its latest run has been told to the end, and was not stopped
	runs   uint32
	fresh  bool  // the latest run left out what had failed
	whole  int64 // bytes of whole lines
	failed map[identity]*failures
	well   numbers // of items that went well, as most do
}

type identity [16]byte

// failures are the numbers of the items of one identity that have failed and did not
// succeed later.
type failures struct {
	before, now []uint32 // in runs before the one that is read, and in it
	run         uint32   // that now is of
}

// readPast reads a log; nil if it is empty, or not even the first line is whole.
func readPast(file *os.File, path string) (*Past, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrLog, err)
	}
	p := &Past{failed: map[identity]*failures{}, well: newNumbers()}
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
	N       uint32 `json:"n"`
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
		p.fresh = leavesFailures(h.Flags)
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
		p.over(id, e.N, e.OK)
	case "end":
		p.Ended = e.Summary.Stopped == ""
	default:
		return fmt.Errorf("type %q is unknown", e.Type)
	}
	return nil
}

// over takes the outcome of an item. The same text twice in one run is two items; in a
// later run it is one of them again, one that failed: that of the same number, or the first;
// unless that run left out what had failed.
func (p *Past) over(id identity, n uint32, ok bool) {
	f := p.failed[id]
	if f == nil && ok {
		p.well.add(id, n)
		return
	}
	if f == nil {
		f = &failures{run: p.runs}
		p.failed[id] = f
	}
	if f.run != p.runs {
		f.before, f.now, f.run = append(f.before, f.now...), nil, p.runs
	}
	if len(f.before) > 0 && !p.fresh {
		f.before = without(f.before, max(0, slices.Index(f.before, n)))
	}
	if ok {
		p.well.add(id, n)
	} else {
		f.now = append(f.now, n)
	}
	if len(f.before)+len(f.now) == 0 {
		delete(p.failed, id)
	}
}

// without takes an element out of a list: at once if it is the first one, as it mostly is.
func without[T any](list []T, at int) []T {
	if at == 0 {
		return list[1:]
	}
	return slices.Delete(list, at, at+1)
}
