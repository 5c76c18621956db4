//go:build unix

// Command killdrill runs a program with a journal, kills it at random moments and has it go on
// each time. In the end its output must be that of a program that nobody killed, and so few
// items may have been run twice as package journal promises.
//
//	go run ./scripts/killdrill -n 1000000 -kills 50
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// perKill is how many items may run twice for each kill: two groups of records, and what was
// in flight.
const perKill = 2*1000 + 100

func main() {
	n := flag.Int("n", 1_000_000, "items")
	kills := flag.Int("kills", 50, "kills")
	seed := flag.Uint64("seed", 1, "of the moments")
	mode := flag.String("mode", "", "execute, batches or stream; all if none is given")
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
	calls, err := openCalls(dir, n)
	if err != nil {
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
	twice, most := calls.excess()
	fmt.Printf("%-8s %d items, %d kills, %.1f s: %d run twice (%.0f a kill, of at most %d), none more than %d times\n",
		mode, n, killed, time.Since(began).Seconds(), twice, float64(twice)/float64(max(1, killed)), perKill, most)
	if twice > killed*perKill {
		return errors.New("more items have run twice than are promised")
	}
	return compare(filepath.Join(dir, "out"), n)
}

func start(dir, mode string, n int) *exec.Cmd {
	c := exec.Command(os.Args[0], "-child", dir, "-mode", mode, "-n", fmt.Sprint(n))
	c.Stderr = os.Stderr
	return c
}

// runAndKill runs the program until it has made about so many calls, or is still reading its
// journal, and kills it. done says that it was done before.
func runAndKill(dir, mode string, n int, calls *calls, random *rand.Rand, share int) (done bool, err error) {
	c := start(dir, mode, n)
	if err := c.Start(); err != nil {
		return false, err
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	until := calls.total.Load() + int64(random.IntN(2*share)) - int64(share/10)
	deadline := time.After(time.Duration(random.Int64N(int64(20 * time.Second))))
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for calls.total.Load() < until {
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

// calls counts, in a file that outlives a process that is killed, the calls for each item.
type calls struct {
	total  *atomic.Int64
	counts []byte
}

func openCalls(dir string, n int) (*calls, error) {
	file, err := os.OpenFile(filepath.Join(dir, "calls"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	if err := file.Truncate(int64(n) + 8); err != nil {
		return nil, err
	}
	m, err := syscall.Mmap(int(file.Fd()), 0, n+8, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	return &calls{total: (*atomic.Int64)(unsafe.Pointer(&m[0])), counts: m[8:]}, nil
}

func (c *calls) count(i int) {
	c.counts[i]++
	c.total.Add(1)
}

func (c *calls) excess() (twice, most int) {
	for _, n := range c.counts {
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
		result, _ := answer(context.Background(), i)
		fmt.Fprintln(&want, result)
	}
	if !bytes.Equal(got, want.Bytes()) {
		return errors.New("the output is not that of a run that nobody killed")
	}
	return nil
}
