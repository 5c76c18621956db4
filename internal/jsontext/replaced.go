// Package jsontext tells of texts that encoding/json has made.
package jsontext

import "bytes"

// Replaced reports whether encoding/json has replaced bytes that are no UTF-8 in what it has
// made: then others may be encoded alike, and decoding does not give them back. It writes them
// as an escape, and U+FFFD itself as what it is.
func Replaced(text []byte) bool {
	const escape = `\ufffd`
	for at := 0; ; {
		i := bytes.Index(text[at:], []byte(escape))
		if i < 0 {
			return false
		}
		at += i
		before := 0
		for before < at && text[at-1-before] == '\\' {
			before++
		}
		if before%2 == 0 {
			return true
		}
		at += len(escape)
	}
}
