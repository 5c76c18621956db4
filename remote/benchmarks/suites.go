//go:build unix

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/amorsize/amorsize/remote"
)

// peers compares with a program by hand and with asynq, on the same chunks.
func peers(ctx context.Context) error {
	fmt.Printf("\n%d items that take nothing, submitted, worked and gathered in order:\n\n", *items)
	fmt.Println("| database | items per chunk | items/s | × the program by hand over River | × asynq on Redis |")
	fmt.Println("|---|---|---|---|---|")
	for _, chunk := range []int{100, 1000} {
		all, err := places()
		if err != nil {
			return err
		}
		for _, p := range all {
			var ours, hand, queue []float64
			for range *reps {
				mine, err := through(ctx, p, triple, *items, chunk)
				if err != nil {
					return err
				}
				other, err := handOn(ctx, p, *items, chunk)
				if err != nil {
					return fmt.Errorf("by hand: %w", err)
				}
				ours, hand = append(ours, rate(*items, mine)), append(hand, other.Seconds()/mine.Seconds())
				if *redis != "" {
					other, err := onAsynq(ctx, *redis, *items, chunk)
					if err != nil {
						return fmt.Errorf("asynq: %w", err)
					}
					queue = append(queue, other.Seconds()/mine.Seconds())
				}
			}
			beside := "no Redis"
			if queue != nil {
				beside = spread(queue)
			}
			fmt.Printf("| %s | %d | %s | %s | %s |\n", p.kind, chunk, strings.Split(spread(ours), ".")[0], spread(hand), beside)
			p.remove()
		}
	}
	return nil
}

// chunks compares the size that is found with fixed ones.
func chunks(ctx context.Context) error {
	fmt.Printf("\nItems per second by chunks of a fixed size, and as it is found:\n\n")
	sizes := []int{1, 10, 100, 1000, 10_000}
	fmt.Println("| database | an item | 1 | 10 | 100 | 1000 | 10000 | found | of the best |")
	fmt.Println("|---|---|---|---|---|---|---|---|---|")
	for _, w := range []struct {
		name string
		f    *remote.Func[int, int]
		n    int
	}{{"computes 10 µs", spin10us, 300_000}, {"waits 1 ms", wait1ms, 200_000}, {"waits 50 ms", wait50ms, 20_000}} {
		all, err := places()
		if err != nil {
			return err
		}
		for _, p := range all {
			line := []string{fmt.Sprintf("| %s | %s |", p.kind, w.name)}
			best := 0.0
			for _, size := range sizes {
				n := min(w.n, 20_000*size)
				took, err := through(ctx, p, w.f, n, size)
				if err != nil {
					return err
				}
				best = max(best, rate(n, took))
				line = append(line, fmt.Sprintf("%.0f |", rate(n, took)))
			}
			var found []float64
			for range 3 {
				took, err := through(ctx, p, w.f, w.n, 0)
				if err != nil {
					return err
				}
				found = append(found, rate(w.n, took))
			}
			fmt.Printf("%s %s | %.2f |\n", strings.Join(line, " "), strings.Split(spread(found), ".")[0], found[1]/best)
			p.remove()
		}
	}
	return nil
}

// workers runs one process, then four, each with 16 calls that wait.
func workers(ctx context.Context) error {
	const perWorker = 8000
	fmt.Printf("\nItems that wait for 20 ms, 16 at a time in each process:\n\n")
	fmt.Println("| database | 1 process | 4 processes | × |\n|---|---|---|---|")
	all, err := places()
	if err != nil {
		return err
	}
	for _, p := range all {
		rates := map[int]float64{}
		for _, count := range []int{1, 4} {
			stop, err := spawn(p, count)
			if err != nil {
				return err
			}
			took, err := func() (time.Duration, error) {
				c, err := p.open(ctx)
				if err != nil {
					return 0, err
				}
				defer c.Close()
				time.Sleep(2 * time.Second) // until all are running
				if _, err := gather(ctx, c, wait20ms, 2000, 0); err != nil {
					return 0, err
				}
				return gather(ctx, c, wait20ms, count*perWorker, 0)
			}()
			stop()
			if err != nil {
				return err
			}
			rates[count] = rate(count*perWorker, took)
		}
		fmt.Printf("| %s | %.0f/s | %.0f/s | %.2f |\n", p.kind, rates[1], rates[4], rates[4]/rates[1])
		p.remove()
	}
	return nil
}

// spawn starts processes of this program, and returns a function that stops them.
func spawn(p place, count int) (stop func(), err error) {
	var all []*exec.Cmd
	stop = func() {
		for _, cmd := range all {
			_ = cmd.Process.Signal(syscall.SIGTERM)
		}
		for _, cmd := range all {
			_ = cmd.Wait()
		}
	}
	for range count {
		cmd, err := self("work", p, 0)
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			stop()
			return nil, err
		}
		all = append(all, cmd)
	}
	return stop, nil
}

func self(role string, p place, n int) (*exec.Cmd, error) {
	path, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(path, "-child", role, "-on", p.url, "-schema", p.schema, "-n", strconv.Itoa(n))
	cmd.Stderr = os.Stderr
	return cmd, nil
}

// memory makes a separate coordinator submit ten million items and read their results.
func memory(ctx context.Context) error {
	const n = 10_000_000
	fmt.Printf("\n%d items, submitted and gathered by a process of its own:\n\n", n)
	fmt.Println("| database | took | most memory of the coordinator |\n|---|---|---|")
	all, err := places()
	if err != nil {
		return err
	}
	for _, p := range all {
		c, err := p.open(ctx)
		if err != nil {
			return err
		}
		working, end := context.WithCancel(ctx)
		done := make(chan error, 1)
		go func() { done <- remote.Work(working, c) }()
		cmd, err := self("memory", p, n)
		if err != nil {
			end()
			return err
		}
		begun := time.Now()
		out, err := cmd.Output()
		end()
		if worked := <-done; worked != nil && err == nil {
			err = worked
		}
		c.Close()
		if err != nil {
			return fmt.Errorf("%s: %w", out, err)
		}
		fmt.Printf("| %s | %.0f s | %s |\n", p.kind, time.Since(begun).Seconds(), strings.TrimSpace(string(out)))
		p.remove()
	}
	return nil
}
