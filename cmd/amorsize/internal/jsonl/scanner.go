package jsonl

import "strings"

// scanner tells whether bytes that come piece by piece are a JSON value, by the same rules
// as json.Valid, which wants them all in memory.
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

// whole reports whether what was written is a value, and no part of one.
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

func (s *scanner) number(c byte) {
	digit := c >= '0' && c <= '9'
	switch at := s.state; {
	case at == minus && c == '0':
		s.state = zero
	case at == minus && digit:
		s.state = integer
	case digit && (at == integer || at == fraction || at == power):
	case digit && at == point:
		s.state = fraction
	case digit && (at == exponent || at == sign):
		s.state = power
	case c == '.' && (at == zero || at == integer):
		s.state = point
	case (c == 'e' || c == 'E') && (at == zero || at == integer || at == fraction):
		s.state = exponent
	case (c == '+' || c == '-') && at == exponent:
		s.state = sign
	case at == zero || at == integer || at == fraction || at == power:
		s.state = after
		s.step(c)
	default:
		s.state = broken
	}
}

// structure takes what is between strings, numbers and words.
func (s *scanner) structure(c byte) {
	inside := byte(0)
	if len(s.open) > 0 {
		inside = s.open[len(s.open)-1]
	}
	switch at := s.state; {
	case at == firstElement && c == ']', at == firstKey && c == '}', at == after && (inside == '[' && c == ']' || inside == '{' && c == '}'):
		s.open, s.state = s.open[:len(s.open)-1], after
	case at == value || at == firstElement:
		s.begin(c)
	case (at == firstKey || at == nextKey) && c == '"':
		s.state, s.key = inString, true
	case at == colon && c == ':', at == after && inside == '[' && c == ',':
		s.state = value
	case at == after && inside == '{' && c == ',':
		s.state = nextKey
	default:
		s.state = broken
	}
}

// begin takes the first byte of a value.
func (s *scanner) begin(c byte) {
	switch {
	case (c == '{' || c == '[') && len(s.open) == mostOpen:
		s.state = broken
	case c == '{':
		s.open, s.state = append(s.open, c), firstKey
	case c == '[':
		s.open, s.state = append(s.open, c), firstElement
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
