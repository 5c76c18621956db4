// Package checkup describes a host, and says whether a measurement on it can be trusted.
package checkup

import (
	"fmt"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/process"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/summary"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/ui"
	"github.com/amorsize/amorsize/sampling"
)

// Checkup is the description of a host.
type Checkup struct {
	V        int           `json:"v"`
	Cmd      string        `json:"cmd"`
	Host     sampling.Host `json:"host"`
	Files    int           `json:"open_files"`
	Spawn    float64       `json:"spawn_s"`  // to start a process and wait for it
	Timer    float64       `json:"timer_s"`  // how late a timer of 1 ms fires, 95th percentile
	Noise    float64       `json:"noise"`    // how much the same work varies, 0.05 is 5 %
	Parallel float64       `json:"parallel"` // speed of all cores together over that of one
	Trusted  bool          `json:"trusted"`
	Findings []string      `json:"findings"`
}

// Examine measures this host, for about two seconds.
func Examine() *Checkup {
	c := &Checkup{V: summary.Version, Cmd: "doctor", Host: sampling.CurrentHost(), Files: process.OpenFiles()}
	c.Spawn = spawnCost()
	c.Timer = timerDelay()
	c.Noise, c.Parallel = noise()
	c.judge()
	return c
}

// judge lists what is wrong, and says whether measurements can be trusted.
func (c *Checkup) judge() {
	c.Findings = []string{}
	cores := float64(max(1, c.Host.Procs))
	find := func(format string, args ...any) { c.Findings = append(c.Findings, fmt.Sprintf(format, args...)) }
	if c.Noise > 0.10 {
		find("the same work varies by %.0f %%: other programs use the cores; smaller differences are noise", 100*c.Noise)
	}
	if c.Parallel < 0.8*cores {
		find("all %d cores together are only %.1f times as fast as one: they are shared, or not full cores", c.Host.Procs, c.Parallel)
	}
	if c.Timer > 0.005 {
		find("timers are late by %s: rates and latencies of a few milliseconds are not exact", jobs.ShortSeconds(c.Timer))
	}
	c.Trusted = len(c.Findings) == 0
	if c.Files > 0 && c.Files < 1024 {
		find("only %d files may be open: that allows %d slots; raise it with ulimit -n", c.Files, process.FileSlots())
	}
	if available := c.Host.Available(); available > 0 && available < 512<<20 {
		find("only %s of memory is free", jobs.Bytes(int64(available)))
	}
	if c.Spawn > 0.005 {
		find("starting a process takes %s: --batch auto and --worker gain more than usual", jobs.ShortSeconds(c.Spawn))
	}
}

// How often each thing is measured, and the amount of work for a core at a time.
const (
	spawns = 50
	timers = 100
	works  = 60
	rounds = 10
	share  = 4
)

// spawnCost is the median time of a process that does nothing.
func spawnCost() float64 {
	path, err := exec.LookPath("true")
	if err != nil {
		return 0
	}
	var groups process.Groups
	s, err := process.NewSpawner(process.Config{Groups: &groups, Mode: process.None})
	if err != nil {
		return 0
	}
	defer s.Close()
	var times []float64
	for range spawns {
		o, err := s.Run(process.Command{Path: path, Argv: []string{"true"}})
		if err == nil {
			times = append(times, o.Wall.Seconds())
		}
	}
	return quantile(times, 0.5)
}

// timerDelay is how late timers of a millisecond fire.
func timerDelay() float64 {
	var late []float64
	for range timers {
		began := time.Now()
		time.Sleep(time.Millisecond)
		late = append(late, (time.Since(began) - time.Millisecond).Seconds())
	}
	return quantile(late, 0.95)
}

// noise measures the same work many times, on one core and on all.
func noise() (varies, parallel float64) {
	work := func() float64 {
		began := time.Now()
		x := uint64(began.Nanosecond())
		for range 4_000_000 {
			x = x*6364136223846793005 + 1442695040888963407
		}
		took := time.Since(began).Seconds()
		if x == 0 { // so that the compiler does not remove the work
			return 0
		}
		return took
	}
	var times []float64
	for range works {
		times = append(times, work())
	}
	median := quantile(times, 0.5)
	varies = variation(times)
	procs := runtime.GOMAXPROCS(0)
	var speeds []float64
	for range rounds {
		done := make(chan struct{})
		began := time.Now()
		for range procs {
			go func() {
				for range share {
					work()
				}
				done <- struct{}{}
			}()
		}
		for range procs {
			<-done
		}
		speeds = append(speeds, speed(share*procs, median, time.Since(began)))
	}
	return varies, quantile(speeds, 0.5)
}

// variation is half the distance between the ninth and the first decile of a list, relative to its median.
func variation(list []float64) float64 {
	return (quantile(list, 0.9) - quantile(list, 0.1)) / 2 / quantile(list, 0.5)
}

// speed is how many times as fast as one core the pieces of work were done; piece is how many seconds one takes on
// one core.
func speed(pieces int, piece float64, took time.Duration) float64 {
	return float64(pieces) * piece / took.Seconds()
}

func quantile(list []float64, q float64) float64 {
	if len(list) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(list))
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

// Text is the checkup for a person.
func (c *Checkup) Text(term *ui.Terminal) string {
	h := c.Host
	text := fmt.Sprintf("  cores        %d", h.Procs)
	text += fmt.Sprintf("\n  memory       %s, %s free", jobs.Bytes(int64(h.MemoryTotal)), jobs.Bytes(int64(h.Available())))
	if c.Files > 0 {
		text += fmt.Sprintf("\n  open files   %s", jobs.Count(c.Files))
	}
	text += fmt.Sprintf("\n  process      %s to start and end", jobs.ShortSeconds(c.Spawn))
	text += fmt.Sprintf("\n  timers       late by %s (95 of 100)", jobs.ShortSeconds(c.Timer))
	text += fmt.Sprintf("\n  noise        the same work varies by %.1f %%", 100*c.Noise)
	text += fmt.Sprintf("\n  cores        together %.2f times as fast as one\n", c.Parallel)
	if len(c.Findings) > 0 {
		text += "  ! " + strings.Join(c.Findings, "\n  ! ") + "\n"
	}
	verdict := term.Paint(ui.Green, "measurements on this host are reliable")
	if !c.Trusted {
		verdict = term.Paint(ui.Red, "measurements on this host are not reliable")
	}
	return text + "\n" + verdict + "\n"
}
