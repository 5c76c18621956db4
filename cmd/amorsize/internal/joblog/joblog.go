// Package joblog keeps what became of each item in a file of JSON lines, so that a
// run can be continued, what failed run again, and a report drawn.
package joblog

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
)

// Version is that of the format. It changes when a field changes its meaning; new
// ones may come with any release.
const Version = 1

// Header is the first line of a run.
type Header struct {
	Type    string      `json:"type"` // "run"
	V       int         `json:"v"`
	Command string      `json:"command"` // run, http or exec
	Args    []string    `json:"args"`    // what follows the flags
	Flags   [][2]string `json:"flags"`   // those that were given, with their values
	Names   []string    `json:"names,omitempty"`
	Dir     string      `json:"dir"`
	Host    string      `json:"host"`
	Started time.Time   `json:"started"`
	Version string      `json:"version"`
}

// Entry is a failed attempt ("try"), or an item that is over ("item").
type Entry struct {
	Type   string  `json:"type"`
	N      int     `json:"n"`
	ID     string  `json:"id"`
	Item   *string `json:"item,omitempty"`   // its text if it is short, or failed
	Item64 string  `json:"item64,omitempty"` // the same in base64, if it is no UTF-8
	// Values are its columns, if it is nothing else.
	Values []string `json:"values,omitempty"`
	OK     bool     `json:"ok"`
	Tries  int      `json:"tries"`
	Why    string   `json:"why,omitempty"` // exit:22, signal, timeout, spawn, throttled, …
	Err    string   `json:"err,omitempty"` // with the last lines of standard error
	At     float64  `json:"at_s"`          // its end, since the start of the run
	Wall   float64  `json:"wall_s"`        // of the attempt
	Took   float64  `json:"took_s,omitempty"`
	CPU    float64  `json:"cpu_s,omitempty"`
	Memory int64    `json:"rss_bytes,omitempty"`
	Batch  int      `json:"batch,omitempty"` // items of the job, if it is more than one
	File   string   `json:"file,omitempty"`  // of its result, of an item that is over; of a batch, its first item has it
	run    int      // of the log, from 1
	fresh  bool     // of a run that left out what had failed
}

// Text returns the item's text, false if it is not in the log.
func (e Entry) Text() (string, bool) {
	if e.Item != nil {
		return *e.Item, true
	}
	raw, err := base64.StdEncoding.DecodeString(e.Item64)
	return string(raw), err == nil && e.Item64 != ""
}

// short is up to which length the text of an item that succeeded is kept.
const short = 1 << 10

// Describe sets what identifies an item.
func (e *Entry) Describe(it items.Item) {
	e.N, e.ID, e.Values = it.N, it.Identity(), it.Values()
	switch {
	case e.OK && len(it.Text) > short:
		e.Values = nil
	case utf8.ValidString(it.Text):
		e.Item = &it.Text
	default:
		e.Item64 = base64.StdEncoding.EncodeToString([]byte(it.Text))
	}
}

// End is the last line of a run.
type End struct {
	Type    string          `json:"type"` // "end"
	Summary json.RawMessage `json:"summary"`
}

// Content is a log as it was read.
type Content struct {
	Header  Header // of the first run in it
	Entries []Entry
	End     json.RawMessage // summary of the last run that ended, nil if none did
	runs    int
	fresh   bool // the latest of them left out what had failed
}

// leavesFailures reports whether a run of those flags leaves out what has failed.
func leavesFailures(flags [][2]string) bool {
	return slices.Contains(flags, [2]string{"resume", "true"}) && !slices.Contains(flags, [2]string{"resume-failed", "true"})
}

// ErrLog is what every error of reading a log is.
var ErrLog = errors.New("log")

// Read reads a log. A last line that was cut off is left out.
func Read(path string) (*Content, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrLog, err)
	}
	defer func() { _ = file.Close() }()
	c := &Content{}
	if _, err := eachLine(file, path, c.add); err != nil {
		return nil, err
	}
	if c.Header.V == 0 {
		return nil, notALog(path)
	}
	return c, nil
}

func notALog(path string) error {
	return fmt.Errorf("%w: %s is not a log that amorsize wrote: write one with --log", ErrLog, path)
}

// eachLine calls add for each whole line, which is only valid during the call. It
// returns how many bytes they are: what follows was cut off.
func eachLine(r io.Reader, path string, add func(line []byte) error) (whole int64, err error) {
	lines := bufio.NewReaderSize(r, 256<<10)
	var long []byte // a line that is longer than the buffer
	for n := 1; ; n++ {
		line, err := lines.ReadSlice('\n')
		for long = long[:0]; errors.Is(err, bufio.ErrBufferFull); {
			long = append(long, line...)
			line, err = lines.ReadSlice('\n')
		}
		if len(long) > 0 {
			long = append(long, line...)
			line = long
		}
		switch {
		case err == io.EOF:
			return whole, nil
		case err != nil:
			return whole, fmt.Errorf("%w: %w", ErrLog, err)
		}
		if err := add(line); err != nil {
			return whole, fmt.Errorf("%w: %s line %d is not of a log that amorsize wrote: %w", ErrLog, path, n, err)
		}
		whole += int64(len(line))
	}
}

func (c *Content) add(line []byte) error {
	var kind struct {
		Type  string      `json:"type"`
		V     int         `json:"v"`
		Flags [][2]string `json:"flags"`
	}
	if err := json.Unmarshal(line, &kind); err != nil {
		return err
	}
	switch kind.Type {
	case "run":
		if kind.V > Version {
			return fmt.Errorf("version %d is newer than this amorsize, which knows %d", kind.V, Version)
		}
		c.fresh = leavesFailures(kind.Flags)
		if c.runs++; c.Header.V == 0 {
			return json.Unmarshal(line, &c.Header)
		}
	case "try", "item":
		var e Entry
		if err := json.Unmarshal(line, &e); err != nil {
			return err
		}
		e.run, e.fresh = c.runs, c.fresh
		c.Entries = append(c.Entries, e)
	case "end":
		var end End
		if err := json.Unmarshal(line, &end); err != nil {
			return err
		}
		c.End = end.Summary
	default:
		return fmt.Errorf("type %q is unknown", kind.Type)
	}
	return nil
}

// Failed returns the items that failed and did not succeed later, in the order in
// which they failed.
func (c *Content) Failed() []Entry {
	var list []Entry
	for _, e := range c.outcomes() {
		if !e.OK {
			list = append(list, *e)
		}
	}
	return list
}

// outcomes returns the latest outcome of each item. The same text twice in one run is two
// items; in a later run it is one of them again, one that failed: that of the same number,
// or the first; unless that run left out what had failed.
func (c *Content) outcomes() []*Entry {
	var list []*Entry
	open := map[string][]int{} // failures by identity, as places in list
	for i := range c.Entries {
		e := &c.Entries[i]
		if e.Type != "item" {
			continue
		}
		at := len(list)
		if before := open[e.ID]; len(before) > 0 && list[before[0]].run < e.run && !e.fresh {
			k := max(0, slices.IndexFunc(before, func(at int) bool { return list[at].N == e.N && list[at].run < e.run }))
			at = before[k]
			open[e.ID] = without(before, k)
			list[at] = e
		} else {
			list = append(list, e)
		}
		if !e.OK {
			open[e.ID] = append(open[e.ID], at)
		}
	}
	return list
}
