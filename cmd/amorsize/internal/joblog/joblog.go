// Package joblog keeps the outcome of each item in a file of JSON lines. With it a run can be continued, failed
// items can run again, and a report can be drawn.
package joblog

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"unicode/utf8"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/internal/jsontext"
	"github.com/amorsize/amorsize/journal"
)

// Version is the version of the format: see package journal, whose lines a log has.
const Version = journal.Version

// Header is the first line of a run.
type Header = journal.Header

// Entry is a failed attempt ("try"), or an item that has ended ("item").
type Entry struct {
	Type   string  `json:"type"`
	N      int     `json:"n"`
	ID     string  `json:"id"`
	OK     bool    `json:"ok"`               // Type to OK come first: a million lines are read by them
	Item   *string `json:"item,omitempty"`   // its text if it is short or the item failed
	Item64 string  `json:"item64,omitempty"` // the same in base64, if it is not UTF-8
	// Values are its columns, if it is only columns.
	Values []string `json:"values,omitempty"`
	// Values64 are the same in base64, if one is not UTF-8.
	Values64 [][]byte `json:"values64,omitempty"`
	Tries    int      `json:"tries"`
	Why      string   `json:"why,omitempty"` // exit:22, signal, timeout, spawn, throttled, …
	Err      string   `json:"err,omitempty"` // with the last lines of standard error
	At       float64  `json:"at_s"`          // its end, since the start of the run
	Wall     float64  `json:"wall_s"`        // of the attempt
	Took     float64  `json:"took_s,omitempty"`
	CPU      float64  `json:"cpu_s,omitempty"`
	Memory   int64    `json:"rss_bytes,omitempty"`
	Batch    int      `json:"batch,omitempty"`  // items of the job, if it is more than one
	File     string   `json:"file,omitempty"`   // of its result, if the item has ended; of a batch, its first item has it
	File64   []byte   `json:"file64,omitempty"` // the same in base64, if it is not UTF-8
	run      int      // of the log, from 1
	fresh    bool     // of a run that left out failed items
}

// Text returns the item's text, false if it is not in the log.
func (e Entry) Text() (string, bool) {
	if e.Item != nil {
		return *e.Item, true
	}
	raw, err := base64.StdEncoding.DecodeString(e.Item64)
	return string(raw), err == nil && e.Item64 != ""
}

// short is the maximum length at which the text of a successful item is kept.
const short = 1 << 10

// Describe sets what identifies an item.
func (e *Entry) Describe(it items.Item) {
	e.N, e.ID, e.Item, e.Item64, e.Values, e.Values64 = it.N, it.Identity(), nil, "", nil, nil
	if e.OK && len(it.Text) > short {
		return
	}
	e.Values = it.Values()
	e.Values64 = jsontext.ExactList(e.Values)
	if utf8.ValidString(it.Text) {
		e.Item = &it.Text
	} else {
		e.Item64 = base64.StdEncoding.EncodeToString([]byte(it.Text))
	}
}

// Keep sets the file of the item's result, "" if there is none.
func (e *Entry) Keep(file string) { e.File, e.File64 = file, jsontext.Exact(file) }

// entryOf reads the line of an entry.
func entryOf(line []byte) (e Entry, err error) {
	err = json.Unmarshal(line, &e)
	jsontext.RestoreList(&e.Values, e.Values64)
	jsontext.Restore(&e.File, e.File64)
	return e, err
}

// End is the last line of a run.
type End struct {
	Type    string          `json:"type"` // "end"
	Summary json.RawMessage `json:"summary"`
}

// Content is the content of a log.
type Content struct {
	Header  Header // of the first run in it
	Entries []Entry
	End     json.RawMessage // summary of the last run that ended, nil if none did
	Damaged int             // lines that were skipped
	runs    int
	fresh   bool // the latest run left out failed items
}

// leavesFailures reports whether a run with those flags leaves out failed items.
func leavesFailures(flags [][2]string) bool {
	return slices.Contains(flags, [2]string{"resume", "true"}) && !slices.Contains(flags, [2]string{"resume-failed", "true"})
}

// ErrLog is wrapped by every error of reading a log.
var ErrLog = errors.New("log")

// headless is what is wrong with a log that has lines, but none that tells of a run.
const headless = "its first line is damaged or gone"

// Read reads a log. It skips a last line that was cut off, and damaged lines.
func Read(path string) (*Content, error) {
	c := &Content{}
	whole, err := eachLine(path, c.add)
	switch {
	case err != nil:
		return nil, err
	case whole == 0:
		return nil, unread(path, journal.ErrNotJournal)
	case c.runs == 0:
		return nil, fmt.Errorf("%w: %s: %s, which has the command: start that again with --resume", ErrLog, path, headless)
	}
	return c, nil
}

// eachLine calls visit for each line of a log. It returns the number of bytes in whole lines.
func eachLine(path string, visit func(journal.Line) error) (whole int64, err error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrLog, err)
	}
	defer func() { _ = file.Close() }()
	whole, err = journal.Read(file, visit)
	return whole, unread(path, err)
}

// unread is why a log can't be read.
func unread(path string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, journal.ErrNotJournal):
		return fmt.Errorf("%w: %s is not a log that amorsize wrote: write one with --log", ErrLog, path)
	case errors.Is(err, journal.ErrVersion):
		return fmt.Errorf("%w: %s: %w", ErrLog, path, err)
	}
	return fmt.Errorf("%w: %w", ErrLog, err)
}

// hasFile reports whether a line names a file: quotes within a text are escaped.
func hasFile(line []byte) bool { return bytes.Contains(line, []byte(`"file":`)) }

func (c *Content) add(line journal.Line) error {
	switch line.Type {
	case "run":
		var h Header
		if err := json.Unmarshal(line.Body, &h); err != nil {
			return err
		}
		c.fresh = leavesFailures(h.Flags)
		if c.runs++; c.runs == 1 {
			c.Header = h
		}
	case "try", "item":
		e, err := entryOf(line.Body)
		if err != nil {
			c.Damaged++
			return nil //nolint:nilerr // it is told
		}
		e.run, e.fresh = c.runs, c.fresh
		c.Entries = append(c.Entries, e)
	case "end":
		var end End
		if err := json.Unmarshal(line.Body, &end); err != nil {
			return err
		}
		c.End = end.Summary
	case "":
		c.Damaged++
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

// outcomes returns the latest outcome of each item. The same text twice in one run is two items. In a later run,
// the text is again one of the failed ones: the one with the same number, or the first; unless that run left out
// failed items.
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
