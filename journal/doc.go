// Package journal keeps what becomes of the items of a run in a file, so that a run that
// was ended by a crash, a deploy or a full disk goes on where it was.
//
//	j, err := journal.Open("night.jsonl", journal.Options{Run: "thumbnails v2"})
//	if err != nil {
//		return err
//	}
//	defer j.Close()
//	out, err := amorsize.ExecuteContext(ctx, thumbnail, photos, amorsize.WithJournal(j))
//
// Started again with the same items, the program runs only those that are missing, and gets
// the results of all.
//
// # The promise
//
// What was recorded before the last sync is never run again. What was recorded since then may
// be. No result is doubled or lost.
//
// A sync is made 100 ms after a record, or after 1000 records, whichever comes first
// ([Options]). During a sync, up to 1000 more records are accepted; then those who record wait.
// So after a crash at most 2000 items run twice, and those that were in flight.
//
// # The file
//
// It is JSON lines, each with a checksum: jq reads it, and so do amorsize report and amorsize
// retry. docs/journal.md has the format. A record that a crash cut off is taken out when the
// file is opened; one that is damaged is left out, and its item runs again ([Journal.Found]
// tells of both). A file of a newer version, of another run or of another codec is refused.
//
// One process at a time writes to a journal, by a lock of the system that ends with the
// process: flock, LockFileEx. Where a system has neither, nothing keeps two from it.
//
// # Parts
//
//	[Journal]    open, sync, close
//	[Journal.Find], [Journal.Add]            what is known of an item, and what became of it
//	[Journal.Failed], [Journal.Purge], …     dead letters: the items that failed
//	[Codec]      how results are kept; a large one in a file beside the journal
//	[Read]       all lines of a journal, for those who only look
//
// # Cost
//
// A record takes some 0.5 µs beside what its result takes to encode, and 130 bytes beside
// the result; an item that is known some 50 bytes of memory.
package journal
