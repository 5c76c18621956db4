// Package jsonl writes texts of any size as JSON values, in a line, without holding them in memory.
package jsonl

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"unicode/utf8"
)

// Kind is what a text is.
type Kind int

// The kinds.
const (
	JSON   Kind = iota // a JSON value
	Text               // UTF-8 that is no JSON value
	Binary             // anything else, which JSON does not have
)

// KindOf reads a text to its end. An error is the reader's.
func KindOf(r io.Reader) (Kind, error) {
	var s scanner
	kind := JSON
	err := pieces(r, func(piece []byte) error {
		if !utf8.Valid(piece) {
			kind = Binary
			return io.EOF
		}
		s.write(piece)
		return nil
	})
	switch {
	case kind == Binary:
		return Binary, nil
	case err == nil && !s.whole():
		return Text, nil
	}
	return kind, err
}

// Copy writes a text of that kind as a value: JSON unchanged except for the space around its parts, Text as a
// string, and Binary as a base64 string. An error is the reader's or the writer's; then the output is not a value.
func (k Kind) Copy(w io.Writer, r io.Reader) error {
	switch k {
	case JSON:
		var c compactor
		return pieces(r, func(piece []byte) error {
			_, err := w.Write(c.compact(piece))
			return err
		})
	case Text:
		return quoted(w, func() error {
			return pieces(r, func(piece []byte) error {
				_, err := w.Write(escapedText(piece))
				return err
			})
		})
	}
	return quoted(w, func() error {
		e := base64.NewEncoder(base64.StdEncoding, w)
		if _, err := io.Copy(e, r); err != nil {
			return err
		}
		return e.Close()
	})
}

func quoted(w io.Writer, write func() error) error {
	if _, err := io.WriteString(w, `"`); err != nil {
		return err
	}
	if err := write(); err != nil {
		return err
	}
	_, err := io.WriteString(w, `"`)
	return err
}

// escapedText returns the text between the quotes of a string.
func escapedText(piece []byte) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(string(piece)) // a string can always be written
	return b.Bytes()[1 : b.Len()-2]
}

// compactor removes space outside of strings.
type compactor struct {
	out             []byte
	inside, escaped bool // a string
}

func (c *compactor) compact(piece []byte) []byte {
	c.out = c.out[:0]
	for _, b := range piece {
		switch {
		case !c.inside && (b == ' ' || b == '\t' || b == '\r' || b == '\n'):
			continue
		case c.escaped:
			c.escaped = false
		case c.inside && b == '\\':
			c.escaped = true
		case b == '"':
			c.inside = !c.inside
		}
		c.out = append(c.out, b)
	}
	return c.out
}

// pieceSize is how much of a text is held in memory.
const pieceSize = 64 << 10

// pieces calls each with what r has, in pieces that are cut between characters.
func pieces(r io.Reader, each func([]byte) error) error {
	buffer := make([]byte, pieceSize)
	kept := 0
	for {
		n, err := io.ReadFull(r, buffer[kept:])
		end := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !end {
			return err
		}
		read := buffer[:kept+n]
		whole := len(read)
		if !end {
			whole = wholeRunes(read)
		}
		if err := each(read[:whole]); err != nil || end {
			return err
		}
		kept = copy(buffer, read[whole:])
	}
}

// wholeRunes returns how much of text is complete characters.
func wholeRunes(text []byte) int {
	for i := 1; i < utf8.UTFMax && i <= len(text); i++ {
		if at := len(text) - i; utf8.RuneStart(text[at]) {
			if !utf8.FullRune(text[at:]) {
				return at
			}
			break
		}
	}
	return len(text)
}
