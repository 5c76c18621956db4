package progress

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/ratelimit"
)

func TestFit(t *testing.T) {
	for _, c := range []struct {
		line    string
		columns int
		want    string
	}{
		{"12345", 6, "12345"}, {"12345", 5, "1234…"}, {"12345", 4, "123…"}, {"12345", 1, "…"}, {"12345", 0, ""},
		{"äöüß", 3, "äö…"}, {"\x1b[1mbold\x1b[0m", 5, "\x1b[1mbold\x1b[0m"},
	} {
		require.Equal(t, c.want, Fit(c.line, c.columns), "%q in %d", c.line, c.columns)
	}
}

// A line is broken between words, and goes on set in; nothing of it is lost.
func TestWrap(t *testing.T) {
	require.Equal(t, "  why:  one job takes\n        long, and much\n        of it is waiting\nshort\n", Wrap("  why:  one job takes long, and much of it is waiting\nshort\n", 24))
	require.Equal(t, "a plan of many words\n  here\n", Wrap("a plan of many words here\n", 21))
	require.Equal(t, "\x1b[1mbold words\x1b[0m here and\n  there", Wrap("\x1b[1mbold words\x1b[0m here and there", 20))
	path := "  again: " + strings.Repeat("x", 50) + " y"
	require.Equal(t, "  again: "+strings.Repeat("x", 50)+"\n         y", Wrap(path, 40))
	require.Equal(t, path, Wrap(path, 5), "too narrow for words")
	random := rand.New(rand.NewPCG(1, 1))
	for range 500 {
		var words []string
		for range 1 + random.IntN(30) {
			words = append(words, strings.Repeat(string(rune('a'+random.IntN(26))), 1+random.IntN(12)))
		}
		text := strings.Repeat(" ", random.IntN(4)) + strings.Join(words, " ")
		for _, columns := range []int{60, 80, 120} {
			wrapped := Wrap(text, columns)
			require.Equal(t, words, strings.Fields(wrapped))
			for line := range strings.SplitSeq(wrapped, "\n") {
				require.LessOrEqual(t, len(line), columns)
			}
		}
	}
}

func TestLine(t *testing.T) {
	now := time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)
	line := Line{Name: "crawl\x1b[2J\n", Done: 12345, Total: 20000, Rate: 120.4, InFlight: 1, Retried: 2, Failed: 3, Notes: []string{"refused×4"}, Remaining: 65 * time.Second, Bar: true}
	require.Equal(t, " crawl[2J: "+Count(12_345)+"/"+Count(20_000)+" ▕████████████▎       ▏  62 %  120/s  1 call  2 retried  3 failed  refused×4  ETA 1:05 (15:05:10)", line.Text(80, now))
	require.NotContains(t, line.Text(69, now), "▕")
	require.Equal(t, " 3 done, reading…  2 calls", Line{Done: 3, Total: -1, InFlight: 2}.Text(80, now))
	require.Equal(t, " 3/9 · paused: it asked for it", Line{Done: 3, Total: 9, Paused: "it asked for it"}.Text(80, now))
	require.Equal(t, "ETA 2.0 days (Jan 4 15:04)", ETA(48*time.Hour, now))
	require.Equal(t, "ETA 1439:59 (15:04:04)", ETA(24*time.Hour-time.Second, now))
	require.Equal(t, "1 item", Plural(1, "item"))
	require.Equal(t, Count(-1234)+" items", Plural(-1234, "item"))
}

func TestBar(t *testing.T) {
	require.Equal(t, "▕    ▏", bar(0, 4))
	require.Equal(t, "▕██  ▏", bar(0.5, 4))
	require.Equal(t, "▕██▌ ▏", bar(0.625, 4))
	require.Equal(t, "▕████▏", bar(1, 4))
	require.Equal(t, "▕████▏", bar(1.5, 4))
	require.Equal(t, "▕    ▏", bar(-1, 4))
}

func TestPerSecond(t *testing.T) {
	for rate, want := range map[float64]string{1234.5: "1234/s", 10: "10/s", 9.94: "9.9/s", 0.1: "0.1/s", 0.05: "3/min"} {
		require.Equal(t, want, PerSecond(rate))
	}
}

// screen is a terminal of so many columns: what is written to it, and what it shows then.
type screen struct {
	bytes.Buffer
	columns int
}

func newScreen(columns int) (*screen, *Bars) {
	s := &screen{columns: columns}
	b := New(s)
	b.watch, b.color, b.size = true, true, func() int { return s.columns }
	return s, b
}

// shows returns the lines that the terminal shows, as one that knows the escapes used here.
func (s *screen) shows() []string {
	lines, row := []string{""}, 0
	text := s.String()
	for len(text) > 0 {
		switch {
		case strings.HasPrefix(text, "\x1b[K"):
			lines[row] = ""
			text = text[3:]
		case strings.HasPrefix(text, "\x1b[A"):
			row--
			text = text[3:]
		case strings.HasPrefix(text, "\x1b["):
			text = text[strings.IndexByte(text, 'm')+1:]
		case text[0] == '\r':
			text = text[1:]
		case text[0] == '\n':
			if row++; row == len(lines) {
				lines = append(lines, "")
			}
			text = text[1:]
		default:
			lines[row] += text[:1]
			text = text[1:]
		}
	}
	return lines
}

func at(done, total int) amorsize.Progress {
	return amorsize.Progress{Completed: done, Total: total, Elapsed: time.Second, Rate: float64(done), Calls: &amorsize.Calls{}}
}

// Several runs have a line each; what ends stays above, as does what is written meanwhile.
func TestBars(t *testing.T) {
	s, b := newScreen(60)
	first, second := b.Bar("first"), b.Bar("second")
	first(at(1, 10))
	second(at(2, 20))
	first(at(3, 10))
	require.Equal(t, []string{" first: 3/10  3/s", " second: 2/20  2/s"}, s.shows())
	_, err := b.Write([]byte("a word\n"))
	require.NoError(t, err)
	require.Equal(t, []string{"a word", " first: 3/10  3/s", " second: 2/20  2/s"}, s.shows())
	over := at(10, 10)
	over.Over, over.Failed, over.Calls.Retried = true, 4, 2
	first(over)
	require.Equal(t, []string{"a word", "first: 10 items in 1s, 10/s, 4 failed, 2 retried", " second: 2/20  2/s"}, s.shows())
	require.Contains(t, s.String(), "\x1b[31m4 failed\x1b[0m")
	s.columns = 15 // the window has got smaller
	second(at(12, 20))
	require.Equal(t, " second: 12/2…", s.shows()[2])
	stopped := at(15, 20)
	stopped.Over = true
	second(stopped)
	require.Equal(t, []string{"a word", "first: 10 items in 1s, 10/s, 4 failed, 2 retried", "second: 15 of 20 items in 1s, 15/s", ""}, s.shows())
}

// Where nobody watches, a plain line comes now and then, and one at the end.
func TestPlain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		// No item is done at the instant of a line: what comes first then is not decided.
		limiter := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 10.05, BurstSize: 1})
		_, err := amorsize.Execute(func(i int) (int, error) { return i, nil }, make([]int, 1000),
			amorsize.WithPolicies(limiter), amorsize.WithProgress(Bar(&out)))
		require.NoError(t, err)
		lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
		require.Len(t, lines, 6+2, out.String()) // at 10 s to 60 s, 90 s, and the end
		require.Regexp(t, `^101/1 000  10/s .*ETA 1:2[89] \(\d\d:\d\d:\d\d\)$`, lines[0])
		require.Regexp(t, `^1 000 items in 1m39\.4s, 10/s$`, lines[7])
		require.NotContains(t, out.String(), "\x1b")
	})
}

// Runs that go on at once tell one display.
func TestBarsAtOnce(t *testing.T) {
	s, b := newScreen(80)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			_, err := amorsize.Execute(func(i int) (int, error) { return i, nil }, make([]int, 1000), amorsize.WithProgress(b.Bar("one")), amorsize.WithProgressInterval(1))
			require.NoError(t, err)
		})
	}
	group.Wait()
	shown := s.shows()
	require.Len(t, shown, 5)
	for _, line := range shown[:4] {
		require.Contains(t, line, "one: "+Count(1000)+" items in")
	}
}

// What policies do is part of the line.
func TestOf(t *testing.T) {
	p := at(5, 10)
	p.Workers, p.Calls.Retried, p.Calls.Failed.Overloaded = 3, 2, 7
	require.Equal(t, Line{Done: 5, Total: 10, Rate: 5, Unit: "call", InFlight: 3, Retried: 2, Notes: []string{"refused×7"}, Bar: true}, Of(p))
	p.Now.Limit, p.Now.InFlight = 20, 8
	p.Calls.Policies = []amorsize.PolicyState{{Kind: "circuitbreaker", Name: "search", State: "open", Left: 2 * time.Second}}
	l := Of(p)
	require.Equal(t, 8, l.InFlight)
	require.Equal(t, `The circuit breaker "search" is open, 2s more: too many calls have failed`, l.Paused)
	p.Calls = nil
	require.Empty(t, Of(p).Paused)
}
