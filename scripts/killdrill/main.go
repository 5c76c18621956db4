//go:build unix

// Command killdrill runs a program with a journal, kills it at random moments and has it go on
// each time. In the end its output must be that of a program that nobody killed, and so few
// items may have been run twice as package journal promises.
//
//	go run ./scripts/killdrill -n 1000000 -kills 50
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/amorsize/amorsize/journal"
	"github.com/amorsize/amorsize/scripts/killdrill/counted"
)

// perKill is how many items may run twice for each kill: two groups of records, and what was
// in flight.
const perKill = 2*1000 + 100

func main() {
	n := flag.Int("n", 1_000_000, "items")
	kills := flag.Int("kills", 50, "kills")
	seed := flag.Uint64("seed", 1, "of the moments")
	mode := flag.String("mode", "", "execute, batches, stream or command; all but the command if none is given")
	child := flag.String("child", "", "for its own use")
	flag.Parse()
	if *child != "" {
		if err := work(*child, *mode, *n); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	modes := []string{"execute", "batches", "stream"}
	if *mode != "" {
		modes = []string{*mode}
	}
	for _, m := range modes {
		if err := drill(m, *n, *kills, *seed); err != nil {
			fmt.Fprintf(os.Stderr, "killdrill: %s: %v\n", m, err)
			os.Exit(1)
		}
	}
}

// drill has one way of running killed so often.
func drill(mode string, n, kills int, seed uint64) error {
	dir, err := os.MkdirTemp("", "killdrill-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	calls, err := counted.Open(dir, n)
	if err != nil {
		return err
	}
	if err := build(dir, mode); err != nil {
		return err
	}
	random := rand.New(rand.NewPCG(seed, uint64(n)))
	began := time.Now()
	killed := 0
	for killed < kills {
		done, err := runAndKill(dir, mode, n, calls, random, n/kills)
		if err != nil {
			return err
		}
		if done {
			break
		}
		killed++
	}
	if err := start(dir, mode, n).Run(); err != nil {
		return fmt.Errorf("the last run: %w", err)
	}
	twice, most := excess(calls)
	fmt.Printf("%-8s %d items, %d kills, %.1f s: %d run twice (%.0f a kill, of at most %d), none more than %d times\n",
		mode, n, killed, time.Since(began).Seconds(), twice, float64(twice)/float64(max(1, killed)), perKill, most)
	if twice > killed*perKill {
		return errors.New("more items have run twice than are promised")
	}
	if mode == "command" {
		return logged(filepath.Join(dir, "night.jsonl"), n)
	}
	return compare(filepath.Join(dir, "out"), n)
}

// build makes the command, where that is the program.
func build(dir, mode string) error {
	if mode != "command" {
		return nil
	}
	if text, err := exec.Command("go", "build", "-o", filepath.Join(dir, "amorsize"), "./cmd/amorsize").CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, text)
	}
	return nil
}

// start returns the program: this one, or the command with a function that is counted as well.
func start(dir, mode string, n int) *exec.Cmd {
	c := exec.Command(os.Args[0], "-child", dir, "-mode", mode, "-n", fmt.Sprint(n))
	if mode == "command" {
		c = exec.Command(filepath.Join(dir, "amorsize"), "exec", "-q", "./scripts/killdrill/counted.Item",
			"--range", fmt.Sprintf("0-%d", n-1), "--log", filepath.Join(dir, "night.jsonl"), "--resume")
		c.Env = append(os.Environ(), "AMORSIZE_HISTORY=off", counted.Dir+"="+dir, counted.Items+"="+fmt.Sprint(n))
	}
	c.Stderr = os.Stderr
	return c
}

// logged asks that the log of the command has each item once.
func logged(path string, n int) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	over := map[journal.Key]int{}
	_, err = journal.Read(file, func(line journal.Line) error {
		if line.Type != "item" {
			return nil
		}
		key, _, ok, err := line.Outcome()
		if !ok || err != nil {
			return fmt.Errorf("line %d: %s", line.Number, line.Body)
		}
		over[key]++
		return nil
	})
	for key, n := range over {
		if n != 1 && err == nil {
			err = fmt.Errorf("%v is over %d times", key, n)
		}
	}
	if err == nil && len(over) != n {
		err = fmt.Errorf("%d items are over", len(over))
	}
	return err
}

// runAndKill runs the program until it has made about so many calls, or is still reading its
// journal, and kills it. done says that it was done before.
func runAndKill(dir, mode string, n int, calls *counted.Calls, random *rand.Rand, share int) (done bool, err error) {
	c := start(dir, mode, n)
	if err := c.Start(); err != nil {
		return false, err
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	until := calls.Total.Load() + int64(random.IntN(2*share)) - int64(share/10)
	deadline := time.After(time.Duration(random.Int64N(int64(20 * time.Second))))
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for calls.Total.Load() < until {
		select {
		case err := <-ended:
			return true, err
		case <-deadline:
			until = 0
		case <-look.C:
		}
	}
	_ = c.Process.Kill()
	if err := <-ended; err == nil {
		return true, nil
	} else if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() > 0 {
		return false, err // it was not the kill
	}
	return false, nil
}

// excess returns how many calls were made for items that had one, and the most for an item.
func excess(c *counted.Calls) (twice, most int) {
	for _, n := range c.Counts {
		twice += max(0, int(n)-1)
		most = max(most, int(n))
	}
	return twice, most
}

// compare asks for the output of a run that nobody killed.
func compare(path string, n int) error {
	got, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var want bytes.Buffer
	for i := range n {
		fmt.Fprintln(&want, counted.Answer(i))
	}
	if !bytes.Equal(got, want.Bytes()) {
		return errors.New("the output is not that of a run that nobody killed")
	}
	return nil
}
