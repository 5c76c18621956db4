package joblog

import (
	"bytes"
	"encoding/json"
	"slices"

	"github.com/amorsize/amorsize/journal"
)

// Past is the content of a log that is to be continued, in a few bytes for each item.
type Past struct {
	Header Header // of the first run in it; without a version if the lines that tell of runs are damaged
	Ended  bool   // its latest run has recorded its end, and was not stopped
	// Damaged is how many lines were skipped: their items run again.
	Damaged int
	runs    uint32
	fresh   bool  // the latest run left out failed items
	whole   int64 // bytes of whole lines
	failed  map[identity]*failures
	well    numbers // of successful items, which most are
}

type identity [16]byte

// failures are the numbers of the items of one identity that have failed and did not
// succeed later.
type failures struct {
	before, now []uint32 // in runs before the one that is read, and in it
	run         uint32   // that now is of
}

// readPast reads a log; nil if it is empty, or not even the first line is whole.
func readPast(file *journal.File, path string) (*Past, error) {
	p := &Past{failed: map[identity]*failures{}, well: newNumbers()}
	var err error
	if p.whole, _, err = file.Lines(p.add); err != nil {
		return nil, unread(path, err)
	}
	if p.whole == 0 { // a beginning that was cut off
		return nil, nil
	}
	return p, nil
}

func (p *Past) add(line journal.Line) error {
	p.Ended = false // what comes after an end is of a later run, even if that one's first line is damaged
	switch line.Type {
	case "run":
		var h Header
		if err := json.Unmarshal(line.Body, &h); err != nil {
			return err
		}
		p.fresh = leavesFailures(h.Flags)
		if p.runs++; p.runs == 1 {
			p.Header = h
		}
	case "item":
		id, n, ok, err := line.Outcome()
		if err != nil {
			p.Damaged++
			return nil //nolint:nilerr // it is told
		}
		p.over(identity(id), uint32(n), ok)
		if p.runs == 0 && !bytes.Contains(line.Body, []byte(`"wall_s":`)) { // the command's items have it
			p.Header.Command = journal.Program
		}
	case "end":
		return p.end(line.Body)
	case "":
		p.Damaged++
	}
	return nil
}

// end takes the end of a run. If no line before it tells of a run, it has the command.
func (p *Past) end(line []byte) error {
	var end struct {
		Summary struct {
			Cmd     string `json:"cmd"`
			Stopped string `json:"stopped"`
		} `json:"summary"`
	}
	if err := json.Unmarshal(line, &end); err != nil {
		return err
	}
	p.Ended = end.Summary.Stopped == ""
	if p.runs == 0 {
		p.Header.Command = end.Summary.Cmd
	}
	return nil
}

// over takes the outcome of an item. The same text twice in one run is two items. In a later run, the text is
// again one of the failed ones: the one with the same number, or the first; unless that run left out failed items.
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

// without removes an element from a list: at once if it is the first one, as it mostly is.
func without[T any](list []T, at int) []T {
	if at == 0 {
		return list[1:]
	}
	return slices.Delete(list, at, at+1)
}
