package main

import (
	"context"
	"fmt"
	"os"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/journal"
)

// nightly is a program with a journal, for the scripts: nightly JOURNAL ITEM... An item fails
// as long as there is a file fail-ITEM. nightly -failed JOURNAL lists what failed.
func nightly() {
	if os.Args[1] == "-failed" {
		listFailed(os.Args[2])
		return
	}
	j, err := journal.Open(os.Args[1], journal.Options{Run: "nightly v1"})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
	out, err := amorsize.ExecuteContext(context.Background(), func(_ context.Context, item string) (string, error) {
		if _, err := os.Stat("fail-" + item); err == nil {
			return "", fmt.Errorf("there is fail-%s", item)
		}
		fmt.Println("run", item)
		return "<" + item + ">", nil
	}, os.Args[2:], amorsize.WithJournal(j), amorsize.WithErrors(amorsize.Collect))
	fmt.Println(out)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	_ = j.Close()
	if err != nil {
		os.Exit(1)
	}
}

func listFailed(path string) {
	j, err := journal.View(path)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(3)
	}
	for f, err := range j.Failed() {
		fmt.Println(f.Index, f.Item, f.Err, f.Attempts, err)
	}
	_ = j.Close()
}
