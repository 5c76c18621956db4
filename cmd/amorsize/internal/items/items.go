// Package items reads the items of a run: lines, columns, records, ranges.
package items

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Item is one unit of the input.
type Item struct {
	N      int      // its place in the input, from 1
	Text   string   // as it stands in the input, without its delimiter
	Fields []string // its columns, of CSV and TSV; else nil
	row    bool     // the item is its columns: they can't be derived from its text
	names  *names   // of the columns, as many as Fields
	record map[string]json.RawMessage
}

// names finds the column of a name.
type names struct {
	list []string
	at   map[string]int
}

func newNames(list []string) *names {
	n := &names{list: list, at: make(map[string]int, len(list))}
	for i, name := range list {
		if _, taken := n.at[name]; !taken {
			n.at[name] = i
		}
	}
	return n
}

// Of returns the item of a plain text.
func Of(n int, text string) Item { return Item{N: n, Text: text} }

// Column returns column i, counted from 1. The first column of a line without columns is the line.
func (it Item) Column(i int) (string, bool) {
	if it.Fields == nil {
		return it.Text, i == 1
	}
	if i < 1 || i > len(it.Fields) {
		return "", false
	}
	return it.Fields[i-1], true
}

// Named returns the column, or the member of the JSON object, of that name: a
// JSON string as its text, any other value as JSON.
func (it Item) Named(name string) (string, bool) {
	if it.record != nil {
		raw, ok := it.record[name]
		if !ok {
			return "", false
		}
		if raw[0] == '"' {
			return unquote(raw), true
		}
		return string(raw), true
	}
	if it.names == nil {
		return "", false
	}
	i, ok := it.names.at[name]
	if !ok {
		return "", false
	}
	return it.Fields[i], true
}

// IsRecord reports whether the item is a JSON value of the input: its JSON is its text, byte for byte.
func (it Item) IsRecord() bool { return it.record != nil }

// JSON returns the item as JSON: a record unchanged, columns as an object or an array, a line as a string.
func (it Item) JSON() []byte {
	switch {
	case it.record != nil:
		return []byte(it.Text)
	case it.names != nil:
		var b bytes.Buffer
		b.WriteByte('{')
		for i, name := range it.names.list {
			if i > 0 {
				b.WriteByte(',')
			}
			b.Write(quote(name))
			b.WriteByte(':')
			b.Write(quote(it.Fields[i]))
		}
		b.WriteByte('}')
		return b.Bytes()
	case it.Fields != nil:
		raw, _ := json.Marshal(it.Fields)
		return raw
	}
	return quote(it.Text)
}

// encodingError is why an item can't be handed over as JSON: another attempt would fail again.
type encodingError struct{ n int }

// Error names the item, which may be one of a batch.
func (e *encodingError) Error() string {
	return fmt.Sprintf("item %d is not UTF-8, which JSON can't hold: it would be changed", e.n)
}

// Permanent tells retriers so.
func (*encodingError) Permanent() bool { return true }

// Encoded returns the item as JSON for whoever is to work on it. Bytes that are not UTF-8 are an error: JSON has
// U+FFFD in their place, which is another item.
func (it Item) Encoded() (json.RawMessage, error) {
	texts := append([]string{it.Text}, it.Fields...)
	if it.names != nil {
		texts = append(texts, it.names.list...)
	}
	for _, text := range texts {
		if !utf8.ValidString(text) {
			return nil, &encodingError{it.N}
		}
	}
	return it.JSON(), nil
}

// Told returns the item for a result: its JSON or, as JSON can't have bytes that are not UTF-8, its text
// unchanged, to be written as base64 under another name.
func (it Item) Told() (shown json.RawMessage, raw []byte) {
	if !utf8.ValidString(it.Text) {
		return nil, []byte(it.Text)
	}
	return it.JSON(), nil
}

// unquote returns the text of a JSON string. It keeps bytes that are not UTF-8, for which the decoder has U+FFFD: no
// escape has such a byte, so what is between them can be decoded piece by piece.
func unquote(raw []byte) string {
	var b strings.Builder
	for rest := raw[1 : len(raw)-1]; len(rest) > 0; {
		n := 0
		for n < len(rest) {
			r, size := utf8.DecodeRune(rest[n:])
			if r == utf8.RuneError && size == 1 {
				break
			}
			n += size
		}
		var text string
		_ = json.Unmarshal([]byte(`"`+string(rest[:n])+`"`), &text) // it is a part of what has been decoded once
		b.WriteString(text)
		if rest = rest[n:]; len(rest) > 0 {
			b.WriteByte(rest[0])
			rest = rest[1:]
		}
	}
	return b.String()
}

func quote(text string) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(text) // a string can always be written
	return bytes.TrimRight(b.Bytes(), "\n")
}
