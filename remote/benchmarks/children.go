//go:build unix

package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/amorsize/amorsize/remote"
)

func childWork(ctx context.Context) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM)
	defer stop()
	c, err := place{url: *on, schema: *schema}.open(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	return remote.Work(ctx, c)
}

// childMemory submits items and reads their results, and prints how much memory that took.
func childMemory(ctx context.Context) error {
	c, err := place{url: *on, schema: *schema}.open(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := gather(ctx, c, triple, *items, 0); err != nil {
		return err
	}
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return err
	}
	_, err = fmt.Fprintf(os.Stdout, "%d MiB\n", usage.Maxrss>>10)
	return err
}
