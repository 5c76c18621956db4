package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"time"
)

// spawning is the jobs per second of a command that does nothing.
func (c *commands) spawning() {
	const jobs, few = 2000, 300
	items, some := c.items("2000", jobs, strconv.Itoa), c.items("300", few, strconv.Itoa)
	t := newTable(c.options, "A command that does nothing", "`true` 2000 times (GNU parallel 300 times). Asked: ≥ 0.9 × xargs, ≥ 4 × GNU parallel.",
		"slots", "xargs jobs/s", "amorsize jobs/s", "of xargs", "GNU parallel jobs/s", "of GNU parallel")
	for _, slots := range []int{2, 4} {
		list := []contender{
			{"xargs", c.must(fmt.Sprintf("xargs -a %s -P%d -n1 true", items, slots))},
			{"amorsize", c.must(fmt.Sprintf("$A run -q -j%d -a %s -- true", slots, items))},
		}
		if has("parallel") {
			list = append(list, contender{"parallel", c.must(fmt.Sprintf("parallel --will-cite -j%d -a %s true", slots, some))})
		}
		m := interleave(c.reps, list)
		xargs, ours := jobs/m[0].Seconds(), jobs/m[1].Seconds()
		theirs, ratio := "-", "-"
		if len(m) > 2 {
			rate := few / m[2].Seconds()
			theirs, ratio = fmt.Sprintf("%.0f", rate), fmt.Sprintf("%.1f", ours/rate)
		}
		t.row(fmt.Sprint(slots), fmt.Sprintf("%.0f", xargs), fmt.Sprintf("%.0f", ours), fmt.Sprintf("%.2f", ours/xargs), theirs, ratio)
	}
}

// outputs is the rate of 640 MB of output.
func (c *commands) outputs() {
	large := filepath.Join(c.dir, "large")
	line := "the quick brown fox jumps over the lazy dog 0123456789 abcdefghijklmnopqrstuvwxyz\n"
	if err := os.WriteFile(large, bytes.Repeat([]byte(line), (16<<20)/len(line)), 0o600); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	items := c.items("40", 40, func(int) string { return large })
	list := []contender{
		{"xargs -P2 (ungrouped)", c.must("xargs -a " + items + " -P2 -n1 cat | cat > /dev/null")},
		{"amorsize -j2", c.must("$A run -q -j2 -a " + items + " -- cat | cat > /dev/null")},
		{"amorsize -j2 --tag", c.must("$A run -q -j2 --tag -a " + items + " -- cat | cat > /dev/null")},
	}
	if has("parallel") {
		list = append(list, contender{"parallel -j2", c.must("parallel --will-cite -j2 -a " + items + " cat | cat > /dev/null")})
	}
	t := newTable(c.options, "640 MB of output", "40 × cat of 16 MB into a pipe. Asked: grouped ≥ 0.8 × ungrouped xargs, ≥ 400 MB/s with --tag where xargs reaches 800 (half of it).", "", "MB/s", "of xargs")
	m := interleave(c.reps, list)
	for i, l := range list {
		t.row(l.name, fmt.Sprintf("%.0f", 671/m[i].Seconds()), fmt.Sprintf("%.2f", m[0].Seconds()/m[i].Seconds()))
	}
}

// memory is the most that the command itself had.
func (c *commands) memory() {
	t := newTable(c.options, "Memory of the command", "Asked: less than 30 MB at any number of items.", "items", "peak MB")
	millions := c.items("10000000", 10_000_000, strconv.Itoa)
	for _, run := range []struct {
		name string
		args []string
	}{
		{"2 000, one each", []string{"-j4", "--range", "2000", "--", "true"}},
		{"1 000 000, 5 000 each", []string{"--batch", "5000", "--range", "1000000", "--", "true"}},
		{"10 000 000 of a file, 10 000 each", []string{"--batch", "10000", "-a", millions, "--", "true"}},
		{"2 000 with 64 kB of output each, in order", []string{"-k", "-j8", "--range", "2000", "--sh", "head -c 65536 /dev/zero"}},
	} {
		cmd := exec.Command(c.amorsize, append([]string{"run", "-q"}, run.args...)...)
		cmd.Env = append(os.Environ(), "AMORSIZE_HISTORY=off")
		most, err := peakRSS(cmd)
		if err != nil {
			fmt.Fprintln(os.Stderr, run.name, err)
			continue
		}
		t.row(run.name, fmt.Sprintf("%.1f", most))
	}
}

var highWater = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)

// peakRSS runs a command and returns the most memory that it had, in MB, by what
// /proc says again and again; getrusage counts what its parent had when it forked.
func peakRSS(cmd *exec.Cmd) (most float64, err error) {
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case err := <-ended:
			return most, err
		case <-time.After(5 * time.Millisecond):
			text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
			if m := highWater.FindSubmatch(text); m != nil {
				kB, _ := strconv.ParseFloat(string(m[1]), 64)
				most = max(most, kB/1000)
			}
		}
	}
}
