package amorsize_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/journal"
)

func ExampleWithJournal() {
	dir, err := os.MkdirTemp("", "night-")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	night := func(words ...string) {
		j, err := journal.Open(filepath.Join(dir, "night.jsonl"), journal.Options{Run: "lengths v1"})
		if err != nil {
			log.Fatal(err)
		}
		defer func() { _ = j.Close() }()
		var report amorsize.Report
		lengths, err := amorsize.Execute(func(word string) (int, error) { return len(word), nil }, words,
			amorsize.WithJournal(j), amorsize.WithReport(&report))
		fmt.Println(lengths, err, report.Known, "known")
	}
	night("a", "bb")
	night("ccc", "a", "bb") // the next night, or after a crash
	// Output:
	// [1 2] <nil> 0 known
	// [3 1 2] <nil> 2 known
}

func ExampleWithKey() {
	type row struct{ ID, Text string }
	id := amorsize.WithKey(func(r row) string { return r.ID }) // what else a row has may change
	_, err := amorsize.Execute(func(r row) (int, error) { return len(r.Text), nil }, []row{{"1", "a"}}, id)
	fmt.Println(err)
	// Output: <nil>
}

func ExampleCrawl() {
	links := map[string][]string{"/": {"/a", "/b"}, "/a": {"/", "/b"}, "/b": {"/c"}}
	var seen []string
	for r := range amorsize.Crawl(context.Background(), func(_ context.Context, page string, found func(...string)) (int, error) {
		found(links[page]...)
		return len(links[page]), nil
	}, slices.Values([]string{"/"})) {
		seen = append(seen, fmt.Sprint(r.Item, " has ", r.Value))
	}
	slices.Sort(seen)
	fmt.Println(strings.Join(seen, ", "))
	// Output: / has 2, /a has 2, /b has 1, /c has 0
}

func ExampleLines() {
	double := func(_ context.Context, n int) (int, error) { return 2 * n, nil }
	numbers := amorsize.Map(amorsize.Lines(strings.NewReader("1\n2\nthree\n4\n")), strconv.Atoi)
	for r := range amorsize.StreamSeq2(context.Background(), double, numbers) {
		fmt.Println(r.Value, r.Err)
	}
	// Output:
	// 2 <nil>
	// 4 <nil>
	// 0 strconv.Atoi: parsing "three": invalid syntax
}

func ExampleBatched() {
	insert := func(_ context.Context, rows []string) (int, error) { return len(rows), nil }
	rows := amorsize.Lines(strings.NewReader("a\nb\nc\nd\ne\n"))
	for r := range amorsize.StreamSeq2(context.Background(), insert, amorsize.Batched(rows, 2, time.Second)) {
		fmt.Println(r.Value, r.Err)
	}
	// Output:
	// 2 <nil>
	// 2 <nil>
	// 1 <nil>
}

func ExampleChannel() {
	numbers := make(chan int, 2)
	numbers <- 1
	numbers <- 2
	close(numbers)
	ctx := context.Background()
	double := func(_ context.Context, n int) (int, error) { return 2 * n, nil }
	for r := range amorsize.StreamSeq2(ctx, double, amorsize.Channel(ctx, numbers)) {
		fmt.Println(r.Value, r.Err)
	}
	// Output:
	// 2 <nil>
	// 4 <nil>
}
