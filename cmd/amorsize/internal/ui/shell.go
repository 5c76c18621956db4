package ui

import (
	"strconv"
	"strings"
)

// plain are the characters that have no special meaning to any shell within a word.
const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=.,/:@%{}#"

// Shell writes an argument for a shell: unchanged if possible, else in quotes. Control characters are written as
// bash and other shells read them, $'\n'.
func Shell(arg string) string {
	special := func(r rune) bool { return !strings.ContainsRune(plain, r) }
	comment := strings.HasPrefix(arg, "#")
	braces := strings.Contains(arg, "{") && (strings.Contains(arg, ",") || strings.Contains(arg, "..")) // {a,b} and {1..3} are several words
	switch {
	case arg != "" && !comment && !braces && !strings.ContainsFunc(arg, special):
		return arg
	case strings.ContainsFunc(arg, func(r rune) bool { return r < ' ' }):
		text := strconv.Quote(arg)
		text = strings.ReplaceAll(text[1:len(text)-1], `\"`, `"`)
		return "$'" + strings.ReplaceAll(text, "'", `\'`) + "'"
	}
	return "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
}

// ShellLine writes a command for a shell.
func ShellLine(argv []string) string {
	parts := make([]string, len(argv))
	for i, arg := range argv {
		parts[i] = Shell(arg)
	}
	return strings.Join(parts, " ")
}
