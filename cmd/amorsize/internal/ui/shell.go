package ui

import (
	"strconv"
	"strings"
)

// Shell writes an argument as a shell has to be given it.
func Shell(arg string) string {
	if arg != "" && strings.IndexFunc(arg, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=.,/:@%{}#", r)
	}) < 0 {
		return arg
	}
	if strings.ContainsFunc(arg, func(r rune) bool { return r < ' ' }) {
		return "$" + strings.ReplaceAll(strconv.Quote(arg), `"`, "'")
	}
	return "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
}

// ShellLine writes a command as a shell has to be given it.
func ShellLine(argv []string) string {
	parts := make([]string, len(argv))
	for i, arg := range argv {
		parts[i] = Shell(arg)
	}
	return strings.Join(parts, " ")
}
