// Package template inserts items into texts with {} and other placeholders, as xargs and GNU parallel write them.
package template

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
)

// ErrTemplate is wrapped by every error of a template.
var ErrTemplate = errors.New("template")

// Scope says which placeholders there are, in addition to those of every item.
type Scope struct {
	Columns bool     // {1}, {2}, …
	Several bool     // items are their columns: without a placeholder each is an argument
	Names   []string // {name}
	Any     bool     // items are JSON objects: any name may be a member's
	Strict  bool     // braces around a word always mean a placeholder
}

// kind is the meaning of a placeholder.
type kind int

const (
	text kind = iota
	whole
	noExtension
	base
	dir
	baseNoExtension
	number
	slot
	column
	name
)

var simple = map[string]kind{
	"": whole, ".": noExtension, "/": base, "//": dir, "/.": baseNoExtension, "#": number, "%": slot,
}

type part struct {
	kind   kind
	text   string // of text and name
	column int
}

// Template is a text with placeholders.
type Template struct {
	parts []part
	words []string // in braces, and unknown
}

var (
	word  = regexp.MustCompile(`^[A-Za-z_][\w.-]*$`)
	words = regexp.MustCompile(`^[\pL_][\pL\pN_.-]*( +[\pL\pN_.-]+)*$`) // the form of column names
)

// Parse reads a text. Text between {{ and }} is left unchanged. Braces around anything that is not a placeholder
// are text, as in awk '{print $1}'. Around words they are an error if columns have names and none has that name.
func Parse(source string, scope Scope) (Template, error) {
	var t Template
	rest := source
	for {
		open := strings.IndexByte(rest, '{')
		if open < 0 {
			break
		}
		if strings.HasPrefix(rest[open:], "{{") {
			if end := strings.Index(rest[open:], "}}"); end >= 0 {
				t.literal(rest[:open+end+2])
				rest = rest[open+end+2:]
				continue
			}
			break
		}
		end := strings.IndexByte(rest[open:], '}')
		if end < 0 {
			break
		}
		p, ok, err := t.placeholder(rest[open+1:open+end], scope)
		if err != nil {
			return t, err
		}
		if !ok {
			t.literal(rest[:open+1])
			rest = rest[open+1:]
			continue
		}
		t.literal(rest[:open])
		t.parts = append(t.parts, p)
		rest = rest[open+end+1:]
	}
	t.literal(rest)
	return t, nil
}

func (t *Template) literal(s string) {
	if s == "" {
		return
	}
	if last := len(t.parts) - 1; last >= 0 && t.parts[last].kind == text {
		t.parts[last].text += s
		return
	}
	t.parts = append(t.parts, part{kind: text, text: s})
}

// placeholder reads the text in braces; ok is false if it is not a placeholder.
func (t *Template) placeholder(inner string, scope Scope) (p part, ok bool, err error) {
	if k, ok := simple[inner]; ok {
		return part{kind: k}, true, nil
	}
	if n, ok := columnNumber(inner); ok {
		if n > 1 && !scope.Columns {
			return p, false, fmt.Errorf("%w: unknown placeholder {%s}: lines have one column; read columns with --csv or --tsv", ErrTemplate, inner)
		}
		return part{kind: column, column: n}, true, nil
	}
	if scope.named(inner) {
		return part{kind: name, text: inner}, true, nil
	}
	if !word.MatchString(inner) && (scope.Names == nil || !words.MatchString(inner)) {
		return p, false, nil
	}
	if scope.Names != nil {
		return p, false, fmt.Errorf("%w: unknown placeholder {%s}: the columns are %s", ErrTemplate, inner, strings.Join(scope.Names, ", "))
	}
	if scope.Strict {
		return p, false, unknownWord(inner)
	}
	t.words = append(t.words, inner)
	return p, false, nil
}

func columnNumber(inner string) (n int, ok bool) {
	n, err := strconv.Atoi(inner)
	return n, err == nil && n > 0 && n < 10_000
}

// named reports whether a text in braces is the name of a column or a member.
func (s Scope) named(inner string) bool {
	if slices.Contains(s.Names, inner) {
		return true
	}
	return s.Any && (words.MatchString(inner) || word.MatchString(inner))
}

func unknownWord(word string) error {
	return fmt.Errorf("%w: unknown placeholder {%s}: lines have no names; write {} for the line, or read names with --csv --header, --tsv --header or --jsonl", ErrTemplate, word)
}

// Constant reports whether t has no placeholder of an item.
func (t Template) Constant() bool {
	for _, p := range t.parts {
		if p.kind != text && p.kind != slot {
			return false
		}
	}
	return true
}

// Expand returns the text for an item in a slot. escape, if not nil, is applied to text from the item.
func (t Template) Expand(it items.Item, inSlot int, escape func(string) string) (string, error) {
	var b strings.Builder
	for _, p := range t.parts {
		if p.kind == text {
			b.WriteString(p.text)
			continue
		}
		value, err := p.value(it, inSlot)
		if err != nil {
			return "", err
		}
		if escape != nil {
			value = escape(value)
		}
		b.WriteString(value)
	}
	return b.String(), nil
}

func (p part) value(it items.Item, inSlot int) (string, error) {
	switch p.kind {
	case whole:
		return it.Text, nil
	case noExtension:
		return strings.TrimSuffix(it.Text, extension(it.Text)), nil
	case base:
		return filepath.Base(it.Text), nil
	case dir:
		return filepath.Dir(it.Text), nil
	case baseNoExtension:
		return strings.TrimSuffix(filepath.Base(it.Text), extension(it.Text)), nil
	case number:
		return strconv.Itoa(it.N), nil
	case slot:
		return strconv.Itoa(inSlot), nil
	case column:
		if value, ok := it.Column(p.column); ok {
			return value, nil
		}
		return "", fmt.Errorf("%w: item %d has no column %d", ErrTemplate, it.N, p.column)
	}
	if value, ok := it.Named(p.text); ok {
		return value, nil
	}
	return "", fmt.Errorf("%w: item %d has no %q", ErrTemplate, it.N, p.text)
}

// extension is the extension of the last element of a path; ".profile" is a name, not one.
func extension(path string) string {
	base := path[strings.LastIndexByte(path, '/')+1:]
	dot := strings.LastIndexByte(base, '.')
	if dot <= 0 {
		return ""
	}
	return base[dot:]
}
