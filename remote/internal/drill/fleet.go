//go:build unix

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/amorsize/amorsize/remote"
)

// stopped is how long a worker is stopped: long enough to count as dead, and to come back as a zombie.
const stopped = 30 * time.Second

// fleet are the processes: number 0 is the coordinator.
type fleet struct {
	cluster     *remote.Cluster
	file        string
	processes   []*exec.Cmd
	waits       []chan error
	killed      [2]int // coordinators, workers
	crashed     int    // by themselves
	gone        map[int]time.Time
	redelivered []time.Duration
}

func (d *fleet) start(i int) error {
	role := "work"
	if i == 0 {
		role = "coordinate"
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	args := []string{"-role", role, "-on", *on, "-schema", *schema, "-n", strconv.Itoa(*n), "-item", item.String(),
		"-at-once", strconv.Itoa(*atOnce), "-poison", strconv.Itoa(*poison), "-out", d.file}
	cmd := command(i, self, args)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	if i == len(d.processes) {
		d.processes, d.waits = append(d.processes, cmd), append(d.waits, done)
	} else {
		d.processes[i], d.waits[i] = cmd, done
	}
	return nil
}

// command is the command that starts process number i, with a prefix if there is one, for example for a network of
// its own.
func command(i int, self string, args []string) *exec.Cmd {
	if *prefix == "" {
		return exec.Command(self, args...)
	}
	words := []string{}
	for w := range strings.SplitSeq(*prefix, ",") {
		words = append(words, strings.ReplaceAll(w, "%d", strconv.Itoa(i)))
	}
	return exec.Command(words[0], append(append(words[1:], self), args...)...)
}

// disturb kills at random, and at times suspends a worker.
func (d *fleet) disturb(ctx context.Context) error {
	stops := *stopping
	for range *kills {
		if err := d.pause(ctx, *every/2+rand.N(*every)); err != nil {
			return err
		}
		if stops > 0 {
			stops--
			victim := 1 + rand.IntN(*workers)
			pid := d.processes[victim].Process.Pid
			_ = syscall.Kill(-pid, syscall.SIGSTOP)
			time.AfterFunc(stopped, func() { _ = syscall.Kill(-pid, syscall.SIGCONT) })
			continue
		}
		i := rand.IntN(*workers + 1)
		select {
		case err := <-d.waits[i]:
			if i == 0 && err == nil { // all is done: this kill came too late
				d.waits[i] <- nil
				return nil
			}
		default:
			pid := d.processes[i].Process.Pid
			_ = syscall.Kill(-pid, syscall.SIGKILL)
			<-d.waits[i]
			d.killed[min(i, 1)]++
			if i > 0 {
				d.gone[pid] = time.Now()
			}
		}
		if err := d.start(i); err != nil {
			return err
		}
	}
	return nil
}

// pause waits, checks which dead workers were found, and restarts processes that ended by themselves.
func (d *fleet) pause(ctx context.Context, pause time.Duration) error {
	end := time.Now().Add(pause)
	for time.Now().Before(end) {
		d.look(ctx)
		for i := 1; i < len(d.processes); i++ {
			select {
			case <-d.waits[i]:
				d.crashed++
				if err := d.start(i); err != nil {
					return err
				}
			default:
			}
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(100 * time.Millisecond):
		}
	}
	return nil
}

// look notes when a dead worker is no longer considered alive: from then on its chunks go to others.
func (d *fleet) look(ctx context.Context) {
	alive, err := d.cluster.Workers(ctx)
	if err != nil {
		return
	}
	pids := map[int]bool{}
	for _, w := range alive {
		pids[w.PID] = true
	}
	for pid, since := range d.gone {
		if !pids[pid] {
			d.redelivered = append(d.redelivered, time.Since(since))
			delete(d.gone, pid)
		}
	}
}

// finish waits for the coordinator to end by itself.
func (d *fleet) finish(ctx context.Context) error {
	for {
		select {
		case err := <-d.waits[0]:
			if err != nil {
				return fmt.Errorf("the coordinator: %w", err)
			}
			for len(d.gone) > 0 && ctx.Err() == nil {
				_ = d.pause(ctx, 100*time.Millisecond)
			}
			return nil
		default:
			if err := d.pause(ctx, 100*time.Millisecond); err != nil {
				return err
			}
		}
	}
}

func (d *fleet) end() {
	for _, p := range d.processes {
		_ = syscall.Kill(-p.Process.Pid, syscall.SIGKILL)
	}
}
