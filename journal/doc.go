// Package journal records the outcomes of a run's items in a file, so that a run that was ended
// by a crash, a deploy or a full disk resumes where it stopped.
//
//	j, err := journal.Open("night.jsonl", journal.Options{Run: "thumbnails v2"})
//	if err != nil {
//		return err
//	}
//	defer j.Close()
//	out, err := amorsize.ExecuteContext(ctx, thumbnail, photos, amorsize.WithJournal(j))
//
// Started again with the same items, the program runs only the missing ones, and gets the
// results of all.
//
// # The promise
//
// What was recorded before the last sync is never run again. What was recorded since then may
// be. No result is doubled or lost.
//
// A sync is made 100 ms after a record, or after 1000 records, whichever comes first
// ([Options]). During a sync, up to 1000 more records are accepted; then workers wait. So after
// a crash at most 2000 items run twice, plus those that were in flight.
//
// # The file
//
// The file is JSON lines, each with a checksum: jq reads it, and so do amorsize report and
// amorsize retry. docs/journal.md has the format. A record that a crash cut off is removed when
// the file is opened; a damaged one is ignored, and its item runs again ([Journal.Found]
// reports both). A file of a newer version, of another run or of another codec is refused.
//
// Only one process at a time writes to a journal. This is enforced by a system lock that ends
// with the process: flock or LockFileEx. On a system with neither, two processes are not kept
// apart.
//
// # Parts
//
//	[Journal]    open, sync, close
//	[Journal.Find], [Journal.Add]            what is known about an item; record its outcome
//	[Journal.Failed], [Journal.Purge], …     dead letters: the items that failed
//	[Codec]      how results are stored; a large one in its own file
//	[Read]       all lines of a journal, for readers
//
// # Cost
//
// A record takes some 0.5 µs plus the encoding of its result, and 130 bytes plus the result; a
// known item takes some 50 bytes of memory.
package journal
