package jsontext

import (
	"slices"
	"unicode/utf8"
)

// Exact returns what to write beside a text so that it can be read back: its bytes, which JSON
// has in base64. It is nil if the text is valid UTF-8, as JSON has that exactly.
func Exact(text string) []byte {
	if utf8.ValidString(text) {
		return nil
	}
	return []byte(text)
}

// ExactList returns the same for a list: all of its texts if one is not valid UTF-8.
func ExactList(texts []string) [][]byte {
	if !slices.ContainsFunc(texts, func(text string) bool { return !utf8.ValidString(text) }) {
		return nil
	}
	list := make([][]byte, len(texts))
	for i, text := range texts {
		list[i] = []byte(text)
	}
	return list
}

// Restore puts an exact text in place of what JSON has made of it. nil leaves it as it is.
func Restore(text *string, exact []byte) {
	if exact != nil {
		*text = string(exact)
	}
}

// RestoreList does the same for a list.
func RestoreList(texts *[]string, exact [][]byte) {
	if exact == nil {
		return
	}
	list := make([]string, len(exact))
	for i, text := range exact {
		list[i] = string(text)
	}
	*texts = list
}
