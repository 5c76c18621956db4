//go:build unix

package main

import (
	"fmt"
	"image"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// screen is a terminal of tmux with a shell in it.
type screen struct {
	t      *testing.T
	socket string
}

func newScreen(t *testing.T, columns int) *screen {
	t.Helper()
	s := &screen{t, fmt.Sprintf("amorsize-%d-%d", os.Getpid(), columns)}
	s.tmux("-f", "/dev/null", "new-session", "-d", "-x", fmt.Sprint(columns), "-y", "40", "env PS1='ready> ' AMORSIZE_HISTORY=off sh")
	t.Cleanup(func() { _ = exec.Command("tmux", "-L", s.socket, "kill-server").Run() })
	s.until("ready>")
	return s
}

func (s *screen) tmux(args ...string) string {
	s.t.Helper()
	out, err := exec.Command("tmux", append([]string{"-L", s.socket}, args...)...).CombinedOutput()
	require.NoError(s.t, err, string(out))
	return string(out)
}

func (s *screen) keys(keys ...string) { s.tmux(append([]string{"send-keys"}, keys...)...) }

// until waits for the screen to show a text, and returns what it shows then.
func (s *screen) until(text string) (shown string) {
	s.t.Helper()
	require.Eventually(s.t, func() bool {
		shown = s.tmux("capture-pane", "-p", "-e")
		return strings.Contains(shown, text)
	}, 20*time.Second, 10*time.Millisecond, "%q does not appear", text)
	return shown
}

// TestTerminal looks at the command in a real terminal.
func TestTerminal(t *testing.T) {
	needs(t, "tmux")
	amorsize := build(t)
	dir := t.TempDir()
	begin := func(s *screen, env, flags string) {
		goes := filepath.Join(dir, s.socket)
		s.keys(fmt.Sprintf(`clear; seq 40 | %s %s run -j2 %s --sh 'test $1 -lt 30 || while [ ! -e %s ]; do sleep 0.02; done; test $1 != 7 || { echo bad >&2; exit 3; }'`,
			env, amorsize, flags, goes), "Enter")
	}
	for _, columns := range []int{120, 60} {
		t.Run(fmt.Sprint(columns, " columns"), func(t *testing.T) {
			s := newScreen(t, columns)
			begin(s, "", "")
			shown := s.until("29/40")
			require.Contains(t, shown, "\x1b[1mamorsize: ", "the plan, in bold")
			require.Contains(t, shown, "  plan: 2 slots")
			require.Equal(t, columns >= 70, strings.Contains(shown, "▕"), "a bar, where there is room")
			require.Equal(t, 1, strings.Count(shown, "/40 ")+strings.Count(shown, "/40\x1b"), "one line of progress: %s", shown)
			for line := range strings.Lines(shown) {
				if strings.Contains(line, "29/40") {
					require.LessOrEqual(t, utf8.RuneCountInString(strings.TrimRight(line, "\n")), columns)
				}
			}
			require.NoError(t, os.WriteFile(filepath.Join(dir, s.socket), nil, 0o600))
			shown = s.until("again: ")
			require.NotContains(t, shown, "/40 ", "the line of progress is gone")
			require.Contains(t, shown, "done: 40 items")
			require.Contains(t, shown, "\x1b[31m1 failed")
			require.Contains(t, shown, `failed: #7 "7" exit:3: bad`)
		})
	}
	t.Run("no color", func(t *testing.T) {
		s := newScreen(t, 100)
		require.NoError(t, os.WriteFile(filepath.Join(dir, s.socket), nil, 0o600))
		begin(s, "NO_COLOR=1", "")
		shown := s.until("again: ")
		require.NotContains(t, shown, "\x1b[1m")
		require.NotContains(t, shown, "\x1b[31m")
	})
	t.Run("interrupted", func(t *testing.T) {
		s := newScreen(t, 110)
		begin(s, "", "")
		s.until("29/40")
		s.keys("C-c")
		s.until("amorsize: draining: 2 running, no more are started; Ctrl-C again terminates them")
		s.keys("C-c")
		shown := s.until("stopped (interrupted)")
		require.Contains(t, shown, "terminating 2")
		require.Contains(t, shown, " left")
	})
	t.Run("piped", func(t *testing.T) {
		s := newScreen(t, 115)
		require.NoError(t, os.WriteFile(filepath.Join(dir, s.socket), nil, 0o600))
		s.keys("clear; seq 5 | "+amorsize+" run -k -- echo got 2>&1 | cat -v; echo o''ver", "Enter")
		shown := s.until("over\n")
		require.NotContains(t, shown, "^[", "no escapes where nobody watches")
		var results []string
		for line := range strings.Lines(shown) { // the plan may be told between them
			if strings.HasPrefix(line, "got ") {
				results = append(results, line)
			}
		}
		require.Equal(t, []string{"got 1\n", "got 2\n", "got 3\n", "got 4\n", "got 5\n"}, results)
	})
}

// TestReportInBrowser draws a run, and looks at the page as Chromium does: light
// and dark, wide and narrow.
func TestReportInBrowser(t *testing.T) {
	needs(t, "chromium")
	amorsize, dir := build(t), t.TempDir()
	run := func(argv ...string) {
		cmd := exec.Command(amorsize, argv...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "AMORSIZE_HISTORY=off")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
	}
	run("run", "--exit-zero", "--log", "run.jsonl", "--range", "300", "--sh", `sleep 0.05; test $(($1 % 17)) != 0 || { echo "a long message without an end: $(seq -s, 100)" >&2; exit 4; }`)
	run("report", "run.jsonl", "-o", "report.html")
	shoot := func(name string, width int, dark bool) image.Image {
		file := filepath.Join(dir, name+".png")
		args := []string{"--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run",
			fmt.Sprintf("--window-size=%d,1600", width), "--screenshot=" + file, "--user-data-dir=" + filepath.Join(dir, "profile")}
		if dark {
			args = append(args, "--blink-settings=preferredColorScheme=0")
		}
		out, err := exec.Command("chromium", append(args, "file://"+filepath.Join(dir, "report.html"))...).CombinedOutput()
		require.NoError(t, err, string(out))
		require.NotContains(t, string(out), "CONSOLE", "the page complains")
		f, err := os.Open(file)
		require.NoError(t, err)
		defer func() { _ = f.Close() }()
		picture, err := png.Decode(f)
		require.NoError(t, err)
		return picture
	}
	gray := func(p image.Image, x, y int) int {
		r, g, b, _ := p.At(x, y).RGBA()
		return int(r+g+b) / 3 >> 8
	}
	for _, width := range []int{1280, 420} {
		for _, dark := range []bool{false, true} {
			name := fmt.Sprintf("%d-%v", width, dark)
			p := shoot(name, width, dark)
			require.Equal(t, width, p.Bounds().Dx())
			background := gray(p, 2, 2)
			require.Equal(t, dark, background < 128, "%s: the background is %d", name, background)
			ink := 0
			for y := range p.Bounds().Dy() {
				require.InDelta(t, background, gray(p, width-2, y), 4, "%s: something runs over the edge at line %d", name, y)
				for x := 0; x < width; x += 3 {
					if d := gray(p, x, y) - background; d > 60 || d < -60 {
						ink++
					}
				}
			}
			require.Greater(t, ink, 3000, "%s: there is something on the page", name)
		}
	}
}
