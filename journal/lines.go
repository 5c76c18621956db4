package journal

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Line is a line of a journal. It is valid until the next line is read.
type Line struct {
	At     int64  // where it begins in the file
	Number int    // from 1
	Type   string // "run", "item", "try", "end"; "" if it is damaged
	Body   []byte // a JSON object
}

// longest is the maximum length of a line: a longer one counts as damaged.
const longest = 1 << 28

// Read calls visit for each whole line of a journal. It returns the number of bytes in whole
// lines: the rest is a line that was cut off. A line without a correct checksum is damaged,
// unless it is of version 1. Errors are those of r and of visit, [ErrVersion], and
// [ErrNotJournal] if there are lines but none is a journal's.
func Read(r io.Reader, visit func(Line) error) (whole int64, err error) {
	s := reading{in: bufio.NewReaderSize(r, 256<<10), sealed: true}
	for {
		raw, err := s.next()
		switch {
		case errors.Is(err, io.EOF) && s.right == 0 && (s.lines > 0 || !torn(raw)):
			return s.at, ErrNotJournal
		case errors.Is(err, io.EOF):
			return s.at, nil
		case err != nil:
			return s.at, err
		}
		s.lines++
		line := Line{At: s.at, Number: s.lines, Body: raw}
		if err := s.look(&line); err != nil {
			return s.at, err
		}
		if err := visit(line); err != nil {
			return s.at, err
		}
		s.at += int64(s.length)
	}
}

// reading is the state of a Read.
type reading struct {
	in     *bufio.Reader
	long   []byte // a line that is longer than the buffer
	length int    // of the line
	at     int64
	lines  int
	right  int  // headers, and other lines with a right checksum
	sealed bool // lines have checksums
}

// next returns the next line with its end; without one, io.EOF comes with it.
func (s *reading) next() ([]byte, error) {
	line, err := s.in.ReadSlice('\n')
	s.length = len(line)
	if !errors.Is(err, bufio.ErrBufferFull) {
		return line, err
	}
	s.long = s.long[:0]
	for ; errors.Is(err, bufio.ErrBufferFull); s.length += len(line) {
		if len(s.long) < longest {
			s.long = append(s.long, line...)
		}
		line, err = s.in.ReadSlice('\n')
	}
	s.long = append(s.long, line...)
	return s.long, err
}

// look determines the type of a line.
func (s *reading) look(line *Line) error {
	body, sealed, right := unseal(line.Body)
	line.Body = body
	kind, ok := kindOf(body)
	switch {
	case sealed && !right, !ok || s.length > longest:
		return nil
	case kind == "run":
		return s.run(line, sealed)
	case !sealed && s.sealed, !sealed && !json.Valid(body):
		return nil
	}
	if sealed {
		s.right++
	}
	line.Type = kind
	return nil
}

// run takes the header of a run. A newer version may have other checksums, or none.
func (s *reading) run(line *Line, sealed bool) error {
	var h struct {
		V int `json:"v"`
	}
	if json.Unmarshal(line.Body, &h) != nil || h.V < 1 {
		return nil
	}
	if h.V > Version {
		return fmt.Errorf("%w: %d and %d", ErrVersion, h.V, Version)
	}
	if !sealed && h.V > 1 {
		return nil
	}
	line.Type = "run"
	s.sealed = h.V > 1
	s.right++
	return nil
}

// kindOf returns the type of a line, which is its first member.
func kindOf(body []byte) (kind string, ok bool) {
	rest, ok := bytes.CutPrefix(body, []byte(`{"type":"`))
	if !ok {
		return "", false
	}
	name, _, ok := bytes.Cut(rest, []byte{'"'})
	switch string(name) { // the compiler makes no copy here
	case "item":
		return "item", ok
	case "try":
		return "try", ok
	}
	return string(name), ok
}

// torn reports whether a file without a whole line is the beginning of a journal.
func torn(head []byte) bool {
	const first = `{"type":"run",`
	return bytes.HasPrefix([]byte(first), head[:min(len(head), len(first))])
}
