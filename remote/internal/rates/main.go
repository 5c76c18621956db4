//go:build unix

package main

import (
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/amorsize/amorsize/ratelimit"
	"github.com/amorsize/amorsize/remote"
)

var (
	on        = flag.String("on", "", "the database")
	schema    = flag.String("schema", "", "of PostgreSQL")
	rate      = flag.Float64("rate", 100, "per second")
	burst     = flag.Int("burst", 1, "of the limit")
	processes = flag.Int("processes", 4, "how many call")
	callers   = flag.Int("callers", 16, "goroutines in each")
	length    = flag.Duration("for", 8*time.Second, "how long")
	outage    = flag.String("outage", "", "a command that stops the database, after a quarter of the time")
	back      = flag.String("back", "", "a command that starts it again, ten seconds later")
	child     = flag.Bool("child", false, "be one that calls")
)

func main() {
	flag.Parse()
	do := run
	if *child {
		do = call
	}
	if err := do(); err != nil {
		fmt.Fprintln(os.Stderr, "rates:", err)
		os.Exit(1)
	}
}

// call calls, and writes when, in nanoseconds, then how often it queried the database.
func call() error {
	ctx := context.Background()
	cluster, err := remote.Config{Schema: *schema, Logger: slog.New(slog.DiscardHandler)}.Open(ctx, *on)
	if err != nil {
		return err
	}
	defer cluster.Close()
	limiter, err := remote.Limiter(cluster, "rates", ratelimit.Policy{RequestsPerSecond: *rate, BurstSize: *burst})
	if err != nil {
		return err
	}
	ctx, stop := context.WithTimeout(ctx, *length)
	defer stop()
	var lock sync.Mutex
	var at []int64
	var all sync.WaitGroup
	for range *callers {
		all.Go(func() {
			for limiter.Do(ctx, func(context.Context) error {
				lock.Lock()
				at = append(at, time.Now().UnixNano())
				lock.Unlock()
				return nil
			}) == nil {
			}
		})
	}
	all.Wait()
	_, trips := limiter.Spent()
	return binary.Write(os.Stdout, binary.LittleEndian, append(at, trips))
}

func run() error {
	cluster, err := remote.Config{Schema: *schema}.Open(context.Background(), *on) // makes the tables
	if err != nil {
		return err
	}
	cluster.Close()
	self, err := os.Executable()
	if err != nil {
		return err
	}
	outs := make([][]byte, *processes)
	errs := make([]error, *processes)
	var all sync.WaitGroup
	for i := range *processes {
		cmd := exec.Command(self, append(slices.Clone(os.Args[1:]), "-child")...)
		cmd.Stderr = os.Stderr
		all.Go(func() { outs[i], errs[i] = cmd.Output() })
	}
	if *outage != "" {
		time.Sleep(*length / 4)
		if err := shell(*outage); err != nil {
			return err
		}
		time.Sleep(10 * time.Second)
		if err := shell(*back); err != nil {
			return err
		}
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return report(outs)
}

func shell(command string) error {
	cmd := exec.Command("bash", "-c", command)
	cmd.Stdout, cmd.Stderr = io.Discard, os.Stderr
	return cmd.Run()
}

func report(outs [][]byte) error {
	var at []int64
	var trips int64
	least, most := 1<<62, 0
	for _, out := range outs {
		all := make([]int64, len(out)/8)
		for i := range all {
			all[i] = int64(binary.LittleEndian.Uint64(out[8*i:]))
		}
		trips += all[len(all)-1]
		at = append(at, all[:len(all)-1]...)
		least, most = min(least, len(all)-1), max(most, len(all)-1)
	}
	slices.Sort(at)
	if len(at) < 2 {
		return fmt.Errorf("%d calls", len(at))
	}
	span := time.Duration(at[len(at)-1] - at[0])
	granted := float64(len(at)-1) / span.Seconds()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_CHILDREN, &usage); err != nil {
		return err
	}
	cpu := time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	gap := time.Duration(0)
	for i := range at[1:] {
		gap = max(gap, time.Duration(at[i+1]-at[i]))
	}
	fmt.Printf("| %s/s | %.1f/s | %+.2f %% | %s | %s | %.3f | %.2f s | %d to %d | %.1f s |\n",
		strconv.FormatFloat(*rate, 'g', -1, 64), granted, 100*(granted / *rate - 1), excess(at, time.Second), excess(at, 100*time.Millisecond),
		float64(trips)/float64(len(at)), cpu.Seconds(), least, most, gap.Seconds())
	return nil
}

// excess is the number of calls by which the fullest window exceeds rate · window.
func excess(at []int64, window time.Duration) string {
	most, first := 0, 0
	for last := range at {
		for at[last]-at[first] >= window.Nanoseconds() {
			first++
		}
		most = max(most, last-first+1)
	}
	return fmt.Sprintf("%+.0f", float64(most)-*rate*window.Seconds())
}
