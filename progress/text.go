package progress

import (
	"strings"
	"unicode/utf8"
)

// Fit cuts a line to a number of columns. Color escapes take no columns.
func Fit(line string, columns int) string {
	if columns < 1 {
		return ""
	}
	width, end, escape := 0, len(line), false
	for i, r := range line {
		switch {
		case r == '\x1b':
			escape = true
		case escape:
			escape = r != 'm'
		default:
			if width++; width == columns {
				end = min(end, i)
			}
		}
	}
	if width <= columns-1 || utf8.RuneCountInString(line) < columns {
		return line
	}
	return line[:end] + "…"
}

// Wrap breaks lines of a text that are longer than a number of columns, between two words. A
// continuation is indented like its line plus two columns, or to where the text begins after
// "word: ". A word that is longer than a line, such as a path, is not broken. Color escapes take
// no columns.
func Wrap(text string, columns int) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		end := ""
		if strings.HasSuffix(line, "\n") {
			line, end = line[:len(line)-1], "\n"
		}
		b.WriteString(wrapLine(line, columns))
		b.WriteString(end)
	}
	return b.String()
}

func wrapLine(line string, columns int) string {
	if shown(line) <= columns || columns < 20 {
		return line
	}
	body := strings.TrimLeft(line, " ")
	lead := len(line) - len(body)
	hang := lead + 2
	if label, rest, ok := strings.Cut(body, ": "); ok && lead > 0 && len(label) <= 10 && !strings.Contains(label, " ") {
		hang = lead + len(label) + 2 + len(rest) - len(strings.TrimLeft(rest, " "))
	}
	hang = min(hang, columns/2)
	var b strings.Builder
	at := 0 // columns of the line so far
	for i, word := range strings.SplitAfter(body, " ") {
		if i == 0 {
			b.WriteString(line[:lead])
			at = lead
		}
		if size := shown(strings.TrimRight(word, " ")); at > hang && at+size > columns {
			trimmed := strings.TrimRight(b.String(), " ")
			b.Reset()
			b.WriteString(trimmed + "\n" + strings.Repeat(" ", hang))
			at = hang
		}
		b.WriteString(word)
		at += shown(word)
	}
	return b.String()
}

// shown returns how many columns a text takes.
func shown(text string) (columns int) {
	escape := false
	for _, r := range text {
		switch {
		case r == '\x1b':
			escape = true
		case escape:
			escape = r != 'm'
		default:
			columns++
		}
	}
	return columns
}
