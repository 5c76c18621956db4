package main

import (
	"bufio"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/journal"
)

const (
	kept      = 200_000 // records of a measurement
	syncAfter = 1000    // records, everywhere
)

// journalSuite measures what it takes to keep what became of items.
func journalSuite(o options) {
	dir := must(os.MkdirTemp("", "journal-"))
	defer func() { _ = os.RemoveAll(dir) }()
	keepers := []keeper{bareAppend, byJournal, byBolt, bySQLite}
	if !o.peers {
		keepers = keepers[:2]
	}
	journalRates(o, dir, keepers)
	journalSize(o, dir)
	journalOpen(o, dir)
	journalPrice(o, dir)
}

// keeper records results under keys of 16 bytes, and syncs after each syncAfter of them.
type keeper struct {
	name string
	keep func(path string, keys []journal.Key, result []byte)
}

var bareAppend = keeper{"a buffered append", func(path string, keys []journal.Key, result []byte) {
	file := must(os.Create(path))
	w := bufio.NewWriterSize(file, 1<<20)
	for i, k := range keys {
		_, _ = fmt.Fprintf(w, "%x ", k[:])
		_, _ = w.Write(append(result, '\n'))
		if i%syncAfter == syncAfter-1 {
			check(w.Flush())
			check(file.Sync())
		}
	}
	check(w.Flush())
	check(file.Sync())
	check(file.Close())
}}

var byJournal = keeper{"**journal**", func(path string, keys []journal.Key, result []byte) {
	j := must(journal.Open(path, journal.Options{}))
	for i, k := range keys {
		check(j.Add(journal.Record{Index: i, Key: k, Attempts: 1, Took: time.Millisecond, Result: result}))
	}
	check(j.Close())
}}

var byBolt = keeper{"bbolt", func(path string, keys []journal.Key, result []byte) {
	db := must(bbolt.Open(path, 0o600, nil))
	for from := 0; from < len(keys); from += syncAfter {
		check(db.Update(func(tx *bbolt.Tx) error {
			b := must(tx.CreateBucketIfNotExists([]byte("results")))
			for _, k := range keys[from:min(from+syncAfter, len(keys))] {
				check(b.Put(k[:], result))
			}
			return nil
		}))
	}
	check(db.Close())
}}

var bySQLite = keeper{"SQLite, WAL", func(path string, keys []journal.Key, result []byte) {
	db := must(sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)"))
	must(db.Exec("create table results (key blob primary key, result blob) without rowid"))
	for from := 0; from < len(keys); from += syncAfter {
		tx := must(db.Begin())
		insert := must(tx.Prepare("insert into results values (?, ?)"))
		for _, k := range keys[from:min(from+syncAfter, len(keys))] {
			must(insert.Exec(k[:], result))
		}
		check(tx.Commit())
	}
	check(db.Close())
}}

func keysOf(n int) []journal.Key {
	keys := make([]journal.Key, n)
	for i := range keys {
		keys[i] = journal.KeyOf(binary.LittleEndian.AppendUint64(nil, uint64(i)))
	}
	return keys
}

// journalRates compares records a second.
func journalRates(o options, dir string, keepers []keeper) {
	keys, result := keysOf(kept), must(json.Marshal(strings.Repeat("x", 98)))
	var contenders []contender
	n := 0
	for _, k := range keepers {
		contenders = append(contenders, contender{k.name, func() {
			n++
			path := filepath.Join(dir, fmt.Sprint("records", n))
			k.keep(path, keys, result)
		}})
	}
	clean := func() {
		for _, old := range must(filepath.Glob(filepath.Join(dir, "records*"))) {
			_ = os.Remove(old)
		}
		runtime.GC()
	}
	times := sample(o.reps, clean, contenders)
	clean()
	t := newTable(o, "Records of 100 bytes", fmt.Sprintf("%d records by one goroutine, on the disk after each %d.", kept, syncAfter),
		"kept by", "records a second", "× the append's rate")
	for i, k := range keepers {
		rate := spreadOf(times[i], times[i], func(a, _ float64) float64 { return kept / a * 1e9 })
		of := spreadOf(times[0], times[i], func(a, b float64) float64 { return a / b })
		t.row(k.name, rate.String(), of.String())
		if i == 1 {
			o.atLeast("records of 100 bytes a second", rate.mid, 300_000)
			o.atLeast("× the rate of a bare append", of.mid, 0.35)
		}
	}
}

// journalSize tells how much is written.
func journalSize(o options, dir string) {
	path := filepath.Join(dir, "size.jsonl")
	result := must(json.Marshal(strings.Repeat("x", 1022)))
	byJournal.keep(path, keysOf(10_000), result)
	of := float64(must(os.Stat(path)).Size()) / 10_000 / float64(len(result))
	t := newTable(o, "Bytes written", "Records of 1 kB.", "kept by", "bytes a byte")
	t.row("**journal**", number(of))
	o.atMost("bytes written for a byte of a result of 1 kB", of, 1.25)
}

// journalOpen opens large journals.
func journalOpen(o options, dir string) {
	t := newTable(o, "Opening", "Results of 20 bytes.", "records", "time", "bytes of memory a record")
	for _, n := range []int{1_000_000, 10_000_000} {
		path := filepath.Join(dir, fmt.Sprint(n, ".jsonl"))
		byJournal.keep(path, keysOf(n), []byte(`"0123456789abcdefgh"`))
		before := heap()
		start := time.Now()
		j := must(journal.Open(path, journal.Options{}))
		took := time.Since(start)
		memory := (heap() - before) / float64(n)
		check(j.Close())
		check(os.Remove(path))
		t.row(fmt.Sprint(n), took.Round(10*time.Millisecond).String(), number(memory))
		if n == 1_000_000 {
			o.atMost("opening a million records, s", took.Seconds(), 1.5)
			o.atMost("memory for a record, bytes", memory, 100)
		}
	}
}

func heap() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

// journalPrice tells what a journal adds to a run.
func journalPrice(o options, dir string) {
	items := make([]int, kept)
	for i := range items {
		items[i] = i
	}
	text := strings.Repeat("x", 98)
	fn := func(int) (string, error) { return text, nil } //nolint:unparam // it is what Execute takes
	run := func(opts ...amorsize.Option) { must(amorsize.Execute(fn, items, opts...)) }
	n := 0
	with := func(sync journal.Sync) func() {
		return func() {
			n++
			path := filepath.Join(dir, fmt.Sprint("price", n))
			j := must(journal.Open(path, journal.Options{Sync: sync}))
			run(amorsize.WithJournal(j))
			check(j.Close())
		}
	}
	known := filepath.Join(dir, "known.jsonl")
	j := must(journal.Open(known, journal.Options{}))
	run(amorsize.WithJournal(j))
	check(j.Close())
	again := func() {
		j := must(journal.Open(known, journal.Options{}))
		run(amorsize.WithJournal(j))
		check(j.Close())
	}
	contenders := []contender{{"none", func() { run() }}, {"with a journal", with(journal.SyncGroup)}, {"not synced", with(journal.SyncNever)}, {"all known, with the opening", again}}
	times := sample(o.reps, runtime.GC, contenders)
	t := newTable(o, "What it adds to a run", fmt.Sprintf("%d items that take nothing, results of 100 bytes: more than without a journal.", kept), "run", "ns an item")
	for i, c := range contenders[1:] {
		more := spreadOf(times[0], times[i+1], func(a, b float64) float64 { return (b - a) / kept })
		t.row(c.name, more.String())
		if i == 0 {
			o.atMost("a journal, ns an item more", more.mid, 4000)
		}
	}
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
