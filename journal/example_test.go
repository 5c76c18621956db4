package journal_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/amorsize/amorsize/journal"
)

// A journal by hand, without amorsize.WithJournal, which does the same for each item of a run.
func Example() {
	dir, err := os.MkdirTemp("", "night-")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "night.jsonl")
	key := journal.KeyOf([]byte("photo.jpg"))
	for range 2 {
		j, err := journal.Open(path, journal.Options{Run: "thumbnails v2"})
		if err != nil {
			log.Fatal(err)
		}
		if past, known := j.Find(key, false); known {
			fmt.Println("known:", string(past.Result))
		} else {
			fmt.Println("run")
			err = j.Add(journal.Record{Key: key, Attempts: 1, Result: []byte(`"thumb.jpg"`)})
		}
		if err != nil {
			log.Fatal(err)
		}
		if err := j.Close(); err != nil {
			log.Fatal(err)
		}
	}
	_, err = journal.Open(path, journal.Options{Run: "thumbnails v3"})
	fmt.Println(filepath.Base(err.Error()))
	// Output:
	// run
	// known: "thumb.jpg"
	// night.jsonl: it is of another run: "thumbnails v2", and not "thumbnails v3" as Options.Run says; take another file
}

func ExampleJournal_Failed() {
	dir, err := os.MkdirTemp("", "night-")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "night.jsonl")
	j, err := journal.Open(path, journal.Options{})
	if err != nil {
		log.Fatal(err)
	}
	for i, item := range []string{"a", "b"} {
		failed := &journal.Failed{Item: item, Err: "503 Service Unavailable"}
		if err := j.Add(journal.Record{Index: i, Key: journal.KeyOf([]byte(item)), Attempts: 3, Failed: failed}); err != nil {
			log.Fatal(err)
		}
	}
	if _, err := j.Purge(func(f journal.Failure) bool { return f.Item == "a" }); err != nil {
		log.Fatal(err)
	}
	for f, err := range j.Failed() {
		fmt.Println(f.Index, f.Item, f.Err, f.Attempts, err)
	}
	if err := j.Close(); err != nil {
		log.Fatal(err)
	}

	seen, err := journal.View(path) // as somebody else may, at any time
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(seen.Found().Failed, "failed")
	_ = seen.Close()
	// Output:
	// 1 b 503 Service Unavailable 3 <nil>
	// 1 failed
}
