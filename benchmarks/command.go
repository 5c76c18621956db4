package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
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
