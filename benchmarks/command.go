package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// commandSuite measures cmd/amorsize beside xargs, GNU parallel and a client
// written by hand. It builds the command, and needs xargs, parallel and curl in
// PATH: what is missing is left out.
func commandSuite(o options) {
	dir, err := os.MkdirTemp("", "amorsize-bench-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	c := &commands{options: o, dir: dir, amorsize: filepath.Join(dir, "amorsize")}
	build := exec.Command("go", "build", "-o", c.amorsize, "./cmd/amorsize")
	build.Dir = ".."
	if _, err := os.Stat(filepath.Join("cmd", "amorsize")); err == nil {
		build.Dir = "."
	}
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "the command can't be built: %v\n%s", err, out)
		return
	}
	c.profiles()
	c.spawning()
	c.outputs()
	c.memory()
	c.waiting()
	c.requests()
	c.rates()
	c.outage()
}

type commands struct {
	options
	dir, amorsize string
}

// items writes a file of items and returns its name.
func (c *commands) items(name string, n int, line func(i int) string) string {
	var b bytes.Buffer
	for i := range n {
		b.WriteString(line(i) + "\n")
	}
	path := filepath.Join(c.dir, name)
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		panic(err)
	}
	return path
}

// sh runs a line of a shell, and returns what it wrote and the most memory it had.
func (c *commands) sh(line string) (out []byte, err error) {
	cmd := exec.Command("bash", "-c", line)
	cmd.Env = append(os.Environ(), "AMORSIZE_HISTORY=off", "A="+c.amorsize, "HOME="+c.dir)
	return cmd.Output()
}

func (c *commands) must(line string) func() {
	return func() {
		if _, err := c.sh(line); err != nil {
			var exit *exec.ExitError
			if errors.As(err, &exit) {
				fmt.Fprintf(os.Stderr, "%s: %v: %s\n", line, err, exit.Stderr)
			}
		}
	}
}

// workSource is a module with a function of each kind.
const workSource = `package work

import "time"

func spin(d time.Duration) (x int) {
	for t := time.Now(); time.Since(t) < d; {
		x++
	}
	return x
}

func Compute(n int) (x int) {
	for i := range 3_000_000 {
		x = x*31 + i + n
	}
	return x
}
func Wait(int)  { time.Sleep(20 * time.Millisecond) }
func Mixed(int) { spin(2 * time.Millisecond); time.Sleep(3 * time.Millisecond) }
`

// profiles has profile recommend a number of workers, and tune measure how far
// that is off.
func (c *commands) profiles() {
	module := filepath.Join(c.dir, "module")
	for name, text := range map[string]string{"go.mod": "module example.com/work\n\ngo 1.26\n", "work.go": workSource} {
		if err := os.MkdirAll(module, 0o700); err != nil {
			panic(err)
		}
		if err := os.WriteFile(filepath.Join(module, name), []byte(text), 0o600); err != nil {
			panic(err)
		}
	}
	t := newTable(c.options, "What profile recommends", "Its time as measured by tune, beside the best of the ladder. Asked: the right class, and within 10 %.",
		"", "class", "recommended", "best", "off")
	for _, s := range []struct{ name, target string }{
		{"command that computes", "--sh 'i=0; while [ $i -lt 30000 ]; do i=$((i+1)); done'"},
		{"command that waits", "--sh 'sleep 0.05'"},
		{"command that does both", "--sh 'i=0; while [ $i -lt 10000 ]; do i=$((i+1)); done; sleep 0.03'"},
		{"function that computes", "./.Compute"},
		{"function that waits", "./.Wait"},
		{"function that does both", "./.Mixed"},
	} {
		var p struct{ Class string }
		var table struct {
			Best      int
			Predicted int     `json:"predicted_workers"`
			Off       float64 `json:"predicted_off"`
		}
		c.json("cd "+module+" && $A profile --race=false --json --range 400 "+s.target, &p)
		c.json("cd "+module+" && $A tune --json --budget 15s --range 400 "+s.target, &table)
		t.row(s.name, p.Class, fmt.Sprint(table.Predicted), fmt.Sprint(table.Best), fmt.Sprintf("%.1f %%", 100*table.Off))
	}
}

// json runs a line of a shell and reads what it writes.
func (c *commands) json(line string, into any) {
	out, err := c.sh(line)
	if err == nil {
		err = json.Unmarshal(out, into)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, line, err)
	}
}

func has(program string) bool {
	_, err := exec.LookPath(program)
	return err == nil
}

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

// waiting is curl against a service that takes 100 ms.
func (c *commands) waiting() {
	if !has("curl") {
		return
	}
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { time.Sleep(100 * time.Millisecond) }))
	defer server.Close()
	items := c.items("urls", 200, func(i int) string { return server.URL + "/" + strconv.Itoa(i) })
	list := []contender{{"amorsize, -j auto", c.must("$A run -q -a " + items + " -- curl -s {}")}}
	for _, n := range []int{2, 8, 16, 24, 32, 48, 64} {
		list = append(list, contender{fmt.Sprintf("xargs -P%d", n), c.must(fmt.Sprintf("xargs -a %s -P%d -n1 curl -s", items, n))})
	}
	m := interleave(min(c.reps, 3), list)
	best := slices.Min(m[1:])
	t := newTable(c.options, "200 × curl, 100 ms", "Asked: within 1.25 × of the best -P picked by hand.", "", "s", "of the best -P")
	for i, l := range list {
		t.row(l.name, fmt.Sprintf("%.2f", m[i].Seconds()), fmt.Sprintf("%.2f", m[i].Seconds()/best.Seconds()))
	}
}

// requests is amorsize http beside a client written by hand.
func (c *commands) requests() {
	slots := make(chan struct{}, 64)
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		slots <- struct{}{}
		time.Sleep(20 * time.Millisecond)
		<-slots
	}))
	defer server.Close()
	const n = 8000
	items := c.items("ids", n, strconv.Itoa)
	list := []contender{{"amorsize http", c.must("$A http -q " + server.URL + "/{} < " + items)}}
	for _, workers := range []int{16, 32, 64, 128, 256} {
		list = append(list, contender{fmt.Sprintf("by hand, %d workers", workers), func() { byHand(server.URL, n, workers) }})
	}
	m := interleave(min(c.reps, 3), list)
	best := slices.Min(m[1:])
	t := newTable(c.options, fmt.Sprintf("%d requests", n), "A service with 64 slots of 20 ms. Asked: ≥ 0.9 × a Go client written by hand with the best number of workers.", "", "s", "of the best by hand")
	for i, l := range list {
		t.row(l.name, fmt.Sprintf("%.2f", m[i].Seconds()), fmt.Sprintf("%.2f", best.Seconds()/m[i].Seconds()))
	}
}

func byHand(address string, n, workers int) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: workers}}
	defer client.CloseIdleConnections()
	var next atomic.Int64
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for i := next.Add(1); i <= int64(n); i = next.Add(1) {
				resp, err := client.Get(address + "/" + strconv.FormatInt(i, 10))
				if err == nil {
					_, _ = io.Copy(io.Discard, resp.Body)
					_ = resp.Body.Close()
				}
			}
		})
	}
	group.Wait()
}

// limited is a service that takes so many requests per second and refuses others.
type limited struct {
	mu               sync.Mutex
	perSecond, burst float64
	tokens           float64
	last             time.Time
	served, refused  int
}

func (l *limited) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	l.mu.Lock()
	now := time.Now()
	l.tokens = min(l.burst, l.tokens+now.Sub(l.last).Seconds()*l.perSecond)
	l.last = now
	ok := l.tokens >= 1
	if ok {
		l.tokens--
		l.served++
	} else {
		l.refused++
	}
	l.mu.Unlock()
	if !ok {
		w.WriteHeader(http.StatusTooManyRequests)
		return
	}
	time.Sleep(100 * time.Millisecond)
}

// rates is 300 items at a service that takes 50 per second.
func (c *commands) rates() {
	const n, rate, burst = 300, 50, 10
	ideal := float64(n-burst)/rate + 0.1
	t := newTable(c.options, "300 items, 50 per second", fmt.Sprintf("A service that takes 50 per second (burst 10, 100 ms): %.1f s at best, %.1f s at an even pace. Asked: --rate 50/s none refused, within 3 %%; --rate auto none lost, within 1.5 ×.", ideal, float64(n-1)/rate+0.1),
		"", "s", "of the best", "of an even pace", "refused", "lost")
	for _, line := range []string{
		"$A run -q --rate 50/s --burst 5 -a ITEMS -- curl -sf URL/{}",
		"$A run -q --rate 50/s -a ITEMS -- curl -sf URL/{}",
		"$A run -q --rate auto --throttle-on exit:22 -a ITEMS -- curl -sf URL/{}",
		"$A http -q --rate 50/s -a ITEMS URL/{}",
		"$A http -q --rate auto -a ITEMS URL/{}",
		"xargs -a ITEMS -P8 -I{} curl -sf URL/{}",
	} {
		if strings.Contains(line, "curl") && !has("curl") {
			continue
		}
		service := &limited{perSecond: rate, burst: burst, tokens: burst, last: time.Now()}
		server := httptest.NewServer(service)
		began := time.Now()
		_, _ = c.sh(strings.NewReplacer("ITEMS", c.items("300", n, strconv.Itoa), "URL", server.URL).Replace(line))
		took := time.Since(began).Seconds()
		server.Close()
		t.row("`"+strings.NewReplacer("$A", "amorsize", " -a ITEMS", "", " -q", "").Replace(line)+"`",
			fmt.Sprintf("%.2f", took), fmt.Sprintf("%.3f", took/ideal), fmt.Sprintf("%.3f", took/(float64(n-1)/rate+0.1)), fmt.Sprint(service.refused), fmt.Sprint(n-service.served))
	}
}

// outage is 400 items at a service that is down from the second to the sixth second.
func (c *commands) outage() {
	const n = 400
	t := newTable(c.options, "An outage of 4 s", "400 items, 8 slots, 180 ms each; 503 from the second to the sixth second. Asked: none lost, fewer than 30 calls into the dead service.",
		"", "s", "lost", "calls into the dead service")
	for _, line := range []string{
		"$A run -q -j8 --retries 3 --breaker 8 --breaker-wait 500ms -a ITEMS -- curl -sf URL/{}",
		"$A http -q -j8 --breaker-wait 500ms -a ITEMS URL/{}",
		"xargs -a ITEMS -P8 -I{} curl -sf URL/{}",
		"parallel --will-cite -j8 --retries 4 -a ITEMS curl -sf URL/{}",
	} {
		if program, _, _ := strings.Cut(line, " "); program != "$A" && !has(program) || strings.Contains(line, "curl") && !has("curl") {
			continue
		}
		var served, dead atomic.Int64
		began := time.Now()
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if at := time.Since(began); at > 2*time.Second && at < 6*time.Second {
				dead.Add(1)
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			time.Sleep(180 * time.Millisecond)
			served.Add(1)
		}))
		_, _ = c.sh(strings.NewReplacer("ITEMS", c.items("400", n, strconv.Itoa), "URL", server.URL).Replace(line))
		took := time.Since(began).Seconds()
		server.Close()
		t.row("`"+strings.NewReplacer("$A", "amorsize", " -a ITEMS", "", " -q", "").Replace(line)+"`",
			fmt.Sprintf("%.1f", took), fmt.Sprint(n-served.Load()), fmt.Sprint(dead.Load()))
	}
}
