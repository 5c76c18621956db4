// Command resume stretches words into keys, one a line, and goes on where an earlier run was
// ended, by whatever: resume night.jsonl < words > keys.
package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log"
	"os"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/journal"
)

func stretch(_ context.Context, word string) (string, error) {
	key := sha256.Sum256([]byte(word))
	for range 10_000 {
		key = sha256.Sum256(key[:])
	}
	return fmt.Sprintf("%x", key), nil
}

func main() {
	j, err := journal.Open(os.Args[1], journal.Options{Run: "stretch v1"})
	if err != nil {
		log.Fatal(err)
	}
	for r := range amorsize.StreamSeq2(context.Background(), stretch, amorsize.Lines(os.Stdin), amorsize.WithJournal(j)) {
		if r.Err != nil {
			log.Fatal(r.Err)
		}
		fmt.Println(r.Value)
	}
	if err := j.Close(); err != nil {
		log.Fatal(err)
	}
}
