package jsonl

import "strings"

// scanner checks whether bytes that arrive in pieces are a JSON value, by the same rules as json.Valid, which
// needs them all in memory.
type scanner struct {
	state state
	open  []byte // objects and arrays, as '{' and '['
	key   bool   // the string is the name of a member
	left  int    // digits of \u1234
	rest  string // of true, false or null
}

type state uint8

const (
	value        state = iota
	firstElement       // or the end of an array
	firstKey           // or the end of an object
	nextKey
	colon
	after // a value
	inString
	escape
	unicode
	word
	minus
	zero
	integer
	point
	fraction
	exponent
	sign
	power
	broken
)

// mostOpen is how deep values may be nested, as in encoding/json.
const mostOpen = 10_000

func (s *scanner) write(piece []byte) {
	for _, c := range piece {
		if s.state == broken {
			return
		}
		s.step(c)
	}
}

// whole reports whether the bytes so far are a complete value.
func (s *scanner) whole() bool {
	switch s.state {
	case after, zero, integer, fraction, power:
		return len(s.open) == 0
	}
	return false
}

func (s *scanner) step(c byte) {
	switch s.state {
	case inString:
		s.quoted(c)
	case escape, unicode:
		s.escaped(c)
	case word:
		if c != s.rest[0] {
			s.state = broken
		} else if s.rest = s.rest[1:]; s.rest == "" {
			s.state = after
		}
	case minus, zero, integer, point, fraction, exponent, sign, power:
		s.number(c)
	default:
		if c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			s.structure(c)
		}
	}
}

func (s *scanner) quoted(c byte) {
	switch {
	case c == '"' && s.key:
		s.state = colon
	case c == '"':
		s.state = after
	case c == '\\':
		s.state = escape
	case c < ' ':
		s.state = broken
	}
}

func (s *scanner) escaped(c byte) {
	switch {
	case s.state == escape && c == 'u':
		s.state, s.left = unicode, 4
	case s.state == escape && strings.IndexByte(`"\/bfnrt`, c) >= 0:
		s.state = inString
	case s.state == unicode && strings.IndexByte("0123456789abcdefABCDEF", c) >= 0:
		if s.left--; s.left == 0 {
			s.state = inString
		}
	default:
		s.state = broken
	}
}

// part is the role of a byte in a number.
type part uint8

const (
	other part = iota
	nought
	digit // another one
	dot
	letterE
	plusMinus
	parts
)

func partOf(c byte) part {
	switch {
	case c == '0':
		return nought
	case c >= '1' && c <= '9':
		return digit
	case c == '.':
		return dot
	case c == 'e' || c == 'E':
		return letterE
	case c == '+' || c == '-':
		return plusMinus
	}
	return other
}

// numbers gives the next state for a byte in each state within a number. No byte of a number leads to value: that
// means that the number can't continue so.
var numbers = [broken][parts]state{
	minus:    {nought: zero, digit: integer},
	zero:     {dot: point, letterE: exponent},
	integer:  {nought: integer, digit: integer, dot: point, letterE: exponent},
	point:    {nought: fraction, digit: fraction},
	fraction: {nought: fraction, digit: fraction, letterE: exponent},
	exponent: {nought: power, digit: power, plusMinus: sign},
	sign:     {nought: power, digit: power},
	power:    {nought: power, digit: power},
}

func (s *scanner) number(c byte) {
	if next := numbers[s.state][partOf(c)]; next != value {
		s.state = next
		return
	}
	switch s.state {
	case zero, integer, fraction, power:
		s.state = after
		s.step(c)
	default:
		s.state = broken
	}
}

// structure takes a byte outside of strings, numbers and words.
func (s *scanner) structure(c byte) {
	if s.closes(c) {
		s.open, s.state = s.open[:len(s.open)-1], after
		return
	}
	switch at := s.state; {
	case at == value || at == firstElement:
		s.begin(c)
	case (at == firstKey || at == nextKey) && c == '"':
		s.state, s.key = inString, true
	case at == colon && c == ':':
		s.state = value
	case at == after && c == ',':
		s.goOn()
	default:
		s.state = broken
	}
}

// inside returns the opening byte of the innermost object or array; 0 is neither.
func (s *scanner) inside() byte {
	if len(s.open) == 0 {
		return 0
	}
	return s.open[len(s.open)-1]
}

// closes reports whether c is the end of an object or array that may end here.
func (s *scanner) closes(c byte) bool {
	switch s.state {
	case firstElement, firstKey, after:
		return s.inside() == '[' && c == ']' || s.inside() == '{' && c == '}'
	}
	return false
}

// goOn takes the comma after an element or a member.
func (s *scanner) goOn() {
	switch s.inside() {
	case '[':
		s.state = value
	case '{':
		s.state = nextKey
	default:
		s.state = broken
	}
}

// begin takes the first byte of a value.
func (s *scanner) begin(c byte) {
	switch {
	case c == '{':
		s.nest(c, firstKey)
	case c == '[':
		s.nest(c, firstElement)
	case c == '"':
		s.state, s.key = inString, false
	case c == '-':
		s.state = minus
	case c == '0':
		s.state = zero
	case c >= '1' && c <= '9':
		s.state = integer
	case c == 't':
		s.state, s.rest = word, "true"[1:]
	case c == 'f':
		s.state, s.rest = word, "false"[1:]
	case c == 'n':
		s.state, s.rest = word, "null"[1:]
	default:
		s.state = broken
	}
}

// nest takes the beginning of an object or array.
func (s *scanner) nest(c byte, first state) {
	if len(s.open) == mostOpen {
		s.state = broken
		return
	}
	s.open, s.state = append(s.open, c), first
}
