package command

import (
	"bufio"
	"io"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/process"
)

// How many slots the files allow that may be open.
func TestFileCaps(t *testing.T) {
	for _, inOrder := range []bool{false, true} {
		require.Equal(t, jobs.Caps{}, fileCaps(0, 7, inOrder))
	}
	for limit, fixed := range map[int]int{1: 1, 16: 1, 25: 1, 26: 2, 30: 2, 31: 3, 1024: 201} {
		require.Equal(t, jobs.Caps{Files: 7, Fixed: fixed}, fileCaps(limit, 7, false), limit)
		require.Equal(t, jobs.Caps{Files: 1, Fixed: 1}, fileCaps(limit, 1, true), "lines that wait need files for a given number, too")
	}
}

// A line that no question was read for makes the answer before doubtful, if there was one.
func TestDoubt(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("what a pipe holds is not known elsewhere")
	}
	for last, question := range []string{"question", "question", ""} {
		questions, ask, err := os.Pipe()
		require.NoError(t, err)
		answers, answer, err := os.Pipe()
		require.NoError(t, err)
		p := &coprocess{Partner: process.Partner{Questions: ask, Answers: answers}, lines: bufio.NewReaderSize(answers, 64<<10)}
		p.last = items.Of(last, "before")
		_, _ = answer.WriteString("early\n")
		_, err = p.ask([]byte(question), 0)
		require.ErrorIs(t, err, errAstray)
		require.Equal(t, last > 0, p.doubtful)
		for _, f := range []*os.File{questions, ask, answers, answer} {
			require.NoError(t, f.Close())
		}
	}
}

// A single byte is an extra line, too: an empty one. It may come with the answer or after it.
func TestAhead(t *testing.T) {
	answers, answer, err := os.Pipe()
	require.NoError(t, err)
	c := &coprocess{Partner: process.Partner{Answers: answers}, lines: bufio.NewReaderSize(answers, 64<<10)}
	for _, ahead := range []bool{true, false} {
		_, _ = answer.WriteString("answer\n")
		if ahead {
			_, _ = answer.WriteString("\n")
		}
		line, err := c.line()
		require.NoError(t, err)
		require.Equal(t, "answer\n", string(line))
		require.Equal(t, ahead, c.ahead())
		_, _ = c.lines.Discard(c.lines.Buffered())
	}
	if runtime.GOOS == "linux" { // what a pipe holds is not known elsewhere
		_, _ = answer.WriteString("\n")
		require.True(t, c.ahead())
	}
	require.NoError(t, answers.Close())
	require.NoError(t, answer.Close())
}

// letters is a text without an end of line, of so many bytes.
type letters int

func (l *letters) Read(p []byte) (int, error) {
	n := min(len(p), int(*l))
	for i := range p[:n] {
		p[i] = 'a'
	}
	if *l -= letters(n); n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// An answer may be as long as is promised, its newline included, and no longer.
func TestLongestAnswer(t *testing.T) {
	for _, more := range []int{0, 1} {
		text := letters(longestAnswer - 1 + more)
		c := coprocess{lines: bufio.NewReaderSize(io.MultiReader(&text, strings.NewReader("\n")), 1<<20)}
		answer, err := c.line()
		if more > 0 {
			require.ErrorIs(t, err, errEndless)
			continue
		}
		require.NoError(t, err)
		require.Len(t, answer, longestAnswer)
	}
}
