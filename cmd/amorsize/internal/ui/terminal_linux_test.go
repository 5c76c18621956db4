package ui

import (
	"os"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// onScreen returns a terminal whose messages go to a screen of that many columns. Nobody reads them.
func onScreen(t *testing.T, columns uint16, color Color) *Terminal {
	t.Helper()
	far, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no terminals here")
	}
	t.Cleanup(func() { _ = far.Close() })
	require.NoError(t, unix.IoctlSetPointerInt(int(far.Fd()), unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetUint32(int(far.Fd()), unix.TIOCGPTN)
	require.NoError(t, err)
	near, err := os.OpenFile("/dev/pts/"+strconv.Itoa(int(n)), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no terminals here")
	}
	t.Cleanup(func() { _ = near.Close() })
	require.NoError(t, unix.IoctlSetWinsize(int(near.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: columns, Row: 20}))
	out, err := os.Open(os.DevNull)
	require.NoError(t, err)
	t.Cleanup(func() { _ = out.Close() })
	return NewTerminal(out, near, color)
}

func TestWidthIsThatOfTheScreen(t *testing.T) {
	for columns, want := range map[uint16]int{100: 100, 1: 1, 0: 80} {
		require.Equal(t, want, onScreen(t, columns, ColorAuto).Width(), "a screen that does not know has 80")
	}
}

// A screen has progress and colors, unless it is a dumb one; and no colors where the user wants none.
func TestScreensHaveColors(t *testing.T) {
	for name, c := range map[string]struct {
		color               Color
		kind, noColor       string
		interactive, colors bool
	}{
		"usual":          {ColorAuto, "xterm", "", true, true},
		"NO_COLOR":       {ColorAuto, "xterm", "1", true, false},
		"dumb":           {ColorAuto, "dumb", "", false, false},
		"never":          {ColorNever, "xterm", "", true, false},
		"always":         {ColorAlways, "xterm", "1", true, true},
		"always on dumb": {ColorAlways, "dumb", "", false, true},
	} {
		t.Setenv("TERM", c.kind)
		t.Setenv("NO_COLOR", c.noColor)
		term := onScreen(t, 100, c.color)
		require.Equal(t, c.interactive, term.Interactive(), name)
		require.Equal(t, c.colors, term.Paint(Red, "red") != "red", name)
	}
}
