//go:build unix

package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"time"
)

// report compares the file with what it should be.
func (d *fleet) report(ctx context.Context, took time.Duration) error {
	file, err := os.Open(d.file)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	lines, failures, err := compare(file)
	if err != nil {
		return err
	}
	if lines != *n {
		return fmt.Errorf("%d results of %d", lines, *n)
	}
	handle, err := d.cluster.Run(ctx, run)
	if err != nil {
		return err
	}
	info, err := handle.Info(ctx)
	if err != nil {
		return err
	}
	if info.Failed != int64(failures) || info.Done != int64(*n) || info.Chunks != 0 {
		return fmt.Errorf("the run says %+v, and %d failed", info, failures)
	}
	longest, sum := time.Duration(0), time.Duration(0)
	for _, r := range d.redelivered {
		longest, sum = max(longest, r), sum+r
	}
	mean := sum / time.Duration(max(len(d.redelivered), 1))
	fmt.Printf("| items | results, in order, once each | workers killed | coordinators killed | ended by an item | stopped 30 s | redelivery, mean | longest | took |\n")
	fmt.Printf("|---|---|---|---|---|---|---|---|---|\n")
	fmt.Printf("| %d | %d | %d | %d | %d | %d | %.1f s | %.1f s | %.1f s |\n",
		*n, lines, d.killed[1], d.killed[0], d.crashed, *stopping, mean.Seconds(), longest.Seconds(), took.Seconds())
	return handle.Remove(ctx)
}

// compare returns how many lines there are, and how many of failures; an error if a line is wrong.
func compare(file *os.File) (lines, failures int, err error) {
	for s := bufio.NewScanner(file); s.Scan(); lines++ {
		want := fmt.Sprintf("%d r%d", lines, lines)
		if lines%1000 == 999 || lines == *poison {
			want = fmt.Sprintf("%d failed", lines)
			failures++
		}
		if s.Text() != want {
			return 0, 0, fmt.Errorf("line %d is %q, and should be %q", lines, s.Text(), want)
		}
	}
	return lines, failures, nil
}
