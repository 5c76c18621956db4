package ui

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// screen returns a terminal that takes its files for a screen: what is written to it can be read.
func screen(t *testing.T) (term *Terminal, out, err func() string) {
	t.Helper()
	term, out, err = files(t, ColorNever)
	term.outTTY, term.errTTY = true, true
	return term, out, err
}

const cleared = "\r\x1b[K"

// On a screen results stand above the line of progress, which comes back below them.
func TestProgressStaysBelowResults(t *testing.T) {
	term, out, err := screen(t)
	term.Progress("1/3")
	require.NoError(t, term.Text([]byte("a\n"), false))
	require.Equal(t, "a\n", out())
	require.Equal(t, "1/3"+cleared+"1/3", err())
	require.NoError(t, term.Text([]byte("b"), true))
	require.Equal(t, "1/3"+cleared+"1/3"+cleared+"b1/3", err())
}

// A result that has not ended its line is not followed by progress, which would stand in that line.
func TestProgressWaitsForTheEndOfALine(t *testing.T) {
	term, out, err := screen(t)
	term.Progress("1/3")
	require.NoError(t, term.Text([]byte("a"), false))
	term.Progress("2/3")
	require.Equal(t, "1/3"+cleared, err())
	require.NoError(t, term.Text([]byte("b\n"), false))
	term.Progress("3/3")
	require.Equal(t, "ab\n", out())
	require.Equal(t, "1/3"+cleared+"3/3", err())
}

// Results that go to a file or a pipe leave the line of progress alone, however they end.
func TestResultsInAPipelineLeaveProgressAlone(t *testing.T) {
	term, out, err := files(t, ColorNever)
	term.Progress("1/3")
	require.NoError(t, term.Text([]byte("a"), false))
	require.Equal(t, "1/3", err())
	term.Progress("2/3")
	require.Equal(t, "a", out())
	require.Equal(t, "1/3"+cleared+"2/3", err())
}

// A line of progress that was removed is gone: what follows removes nothing, and the same line can come again.
func TestProgressThatWasRemovedIsGone(t *testing.T) {
	term, _, err := screen(t)
	term.Progress("1/3")
	term.Progress("")
	term.Say("a word")
	term.Progress("1/3")
	require.Equal(t, "1/3"+cleared+"a word\n1/3", err())
}

// What is longer than the screen is wide is broken between words, or cut if it is the line of progress.
func TestTerminalKeepsToItsWidth(t *testing.T) {
	long := strings.TrimSpace(strings.Repeat("word ", 20))
	term, _, err := screen(t)
	term.Say(long)
	require.Equal(t, strings.TrimSpace(strings.Repeat("word ", 16))+"\n  word word word word\n", strings.ReplaceAll(err(), " \n", "\n"))
	piped, _, err := files(t, ColorNever)
	piped.Say(long)
	require.Equal(t, long+"\n", err(), "a program reads it")
	term, _, err = screen(t)
	term.Progress(strings.Repeat("x", 100))
	require.Equal(t, strings.Repeat("x", 78)+"…", err(), "the last column stays free, lest the cursor moves on")
}

// What is written aside stands above the progress, and the writer learns what became of it.
func TestAsideWriter(t *testing.T) {
	term, out, err := screen(t)
	term.Progress("1/3")
	n, failed := term.AsideWriter().Write([]byte("aside\n"))
	require.NoError(t, failed)
	require.Equal(t, 6, n)
	require.Equal(t, "1/3"+cleared+"aside\n1/3", err())
	require.Empty(t, out())
	require.NoError(t, term.err.Close())
	n, failed = term.AsideWriter().Write([]byte("aside\n"))
	require.ErrorIs(t, failed, os.ErrClosed)
	require.Zero(t, n)
	require.ErrorIs(t, term.Text([]byte("b"), true), os.ErrClosed)
}
