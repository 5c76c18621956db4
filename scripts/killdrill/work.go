//go:build unix

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/journal"
	"github.com/amorsize/amorsize/scripts/killdrill/counted"
)

// work is the program that is killed.
func work(dir, mode string, n int) (err error) {
	calls, err := counted.Open(dir, n)
	if err != nil {
		return err
	}
	j, err := journal.Open(filepath.Join(dir, "night.jsonl"), journal.Options{Run: mode})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	items := make([]int, n)
	for i := range items {
		items[i] = i
	}
	one := func(_ context.Context, i int) (string, error) {
		calls.Count(i)
		return counted.Answer(i), nil
	}
	out, err := os.Create(filepath.Join(dir, "out"))
	if err != nil {
		return err
	}
	w := bufio.NewWriter(out)
	if err := results(mode, one, items, j, func(result string) { fmt.Fprintln(w, result) }); err != nil {
		return err
	}
	return errors.Join(w.Flush(), out.Close())
}

// results yields the results of all items in their order.
func results(mode string, one func(context.Context, int) (string, error), items []int, j *journal.Journal, each func(string)) error {
	ctx := context.Background()
	var out []string
	var err error
	switch mode {
	case "execute":
		out, err = amorsize.ExecuteContext(ctx, one, items, amorsize.WithJournal(j))
	case "batches":
		out, err = amorsize.ExecuteBatches(ctx, func(ctx context.Context, items []int) ([]string, error) {
			out := make([]string, len(items))
			for k, i := range items {
				out[k], _ = one(ctx, i)
			}
			return out, nil
		}, items, amorsize.WithJournal(j), amorsize.WithMaxChunkSize(100))
	case "stream":
		for r := range amorsize.Stream(ctx, one, slices.Values(items), amorsize.WithJournal(j)) {
			if r.Err != nil {
				return r.Err
			}
			each(r.Value)
		}
	}
	for _, result := range out {
		each(result)
	}
	return err
}
