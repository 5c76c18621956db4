package cli

import (
	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
)

// inputFlags say where the items come from.
type inputFlags struct {
	source    items.Source
	delimiter string
	colsep    string
	csv, tsv  bool
	jsonl     bool
}

func (f *inputFlags) group() group {
	g := newGroup("Items")
	s := g.set
	s.StringVarP(&f.source.File, "arg-file", "a", "", "read the items from this `file` (default: standard input)")
	s.BoolVarP(&f.source.NUL, "null", "0", false, "items end with a NUL byte, as find -print0 writes them")
	s.StringVarP(&f.delimiter, "delimiter", "d", "", "items are separated by this `character` (\\n, \\t, \\0 are understood)")
	s.BoolVar(&f.csv, "csv", false, "items are CSV records: {1} is the first column")
	s.BoolVar(&f.tsv, "tsv", false, "items are tab separated columns")
	s.StringVarP(&f.colsep, "colsep", "C", "", "columns are separated by this `text`: {1}, {2}; with --csv, where they may be quoted, by this character")
	s.IntVarP(&f.source.Group, "per-item", "N", 0, "`n` lines, or items after :::, are the columns of one item: {1}, {2}")
	s.BoolVar(&f.source.Header, "header", false, "the first record names the columns: {name}")
	s.BoolVar(&f.jsonl, "jsonl", false, "items are JSON values, one per line: {name} is a member of an object")
	s.StringVar(&f.source.Range, "range", "", "the items are numbers: `10` is 1 to 10; also 5-10, or 0-100/10 for steps of 10")
	s.BoolVar(&f.source.SkipEmpty, "skip-empty", false, "skip empty items")
	s.IntVar(&f.source.Limit, "limit", 0, "at most `n` items")
	s.BoolVar(&f.source.Shuffle, "shuffle", false, "run items in random order (holds all of them in memory)")
	g.are(ofRun, "arg-file", "null", "delimiter", "range", "skip-empty", "limit", "shuffle")
	g.are(ofUser, "csv", "tsv", "colsep", "per-item", "header", "jsonl")
	return g
}

// check completes the source. args are items that follow :::, given says that
// there was a :::.
func (f *inputFlags) check(args []string, given bool) (items.Source, error) {
	s := f.source
	if s.Lists = lists(args); s.Lists == nil {
		s.Args, s.UseArgs = args, given
	}
	formats := f.format(&s)
	switch {
	case count(given, s.Range != "", s.File != "") > 1:
		return s, exit.Usagef("items have one source: choose one of ::: items, --range and --arg-file")
	case s.Limit < 0:
		return s, exit.Usagef("--limit %d: must be at least 1", s.Limit)
	case formats > 0 && (s.NUL || f.delimiter != "" || given || s.Range != ""):
		return s, exit.Usagef("--csv, --tsv and --jsonl read records from a file or standard input: leave out --null, --delimiter, --range and :::")
	}
	if err := f.checkFormat(s, formats); err != nil {
		return s, err
	}
	err := f.delimit(&s)
	return s, err
}

// count returns how many of them are true.
func count(list ...bool) (n int) {
	for _, on := range list {
		if on {
			n++
		}
	}
	return n
}

// format sets the format of the source, and returns how many were given.
func (f *inputFlags) format(s *items.Source) int {
	if f.colsep != "" {
		s.Separator = f.colsep
		f.tsv = f.tsv || !f.csv
	}
	switch {
	case f.jsonl:
		s.Format = items.JSONL
	case f.tsv:
		s.Format = items.TSV
	case f.csv:
		s.Format = items.CSV
	}
	return count(f.csv, f.tsv, f.jsonl)
}

func (f *inputFlags) checkFormat(s items.Source, formats int) error {
	switch {
	case s.Group < 0 || s.Group > 1 && formats > 0:
		return exit.Usagef("--per-item %d: must be at least 1, and its lines can't have columns of their own", s.Group)
	case f.csv && len(f.colsep) > 1 || f.jsonl && f.colsep != "":
		return exit.Usagef("--colsep %q: must be one character with --csv, and not be given with --jsonl", f.colsep)
	case formats > 1:
		return exit.Usagef("choose one of --csv, --tsv and --jsonl")
	case s.Header && s.Format != items.CSV && s.Format != items.TSV:
		return exit.Usagef("--header needs --csv or --tsv")
	}
	return nil
}

// delimit sets what separates items that are lines.
func (f *inputFlags) delimit(s *items.Source) error {
	switch f.delimiter {
	case "":
	case `\n`:
		s.Delimiter = '\n'
	case `\t`:
		s.Delimiter = '\t'
	case `\0`:
		s.NUL = true
	default:
		if len(f.delimiter) != 1 {
			return exit.Usagef("--delimiter %q: must be one character", f.delimiter)
		}
		s.Delimiter = f.delimiter[0]
	}
	return nil
}

// sizeFlags say how many jobs run at a time, and how large they are.
type sizeFlags struct {
	jobs, batch string
	bisect      bool
}

func (f *sizeFlags) group(batches bool) group {
	g := newGroup("Size")
	g.set.StringVarP(&f.jobs, "jobs", "j", "auto", "jobs at a time: `auto` (measured), 8, 200% of the cores, or max:8 for auto with at most 8")
	if batches {
		g.set.StringVar(&f.batch, "batch", "1", "items per job: `1`, 50, or auto to measure the cost of a start and of an item")
		g.set.BoolVar(&f.bisect, "bisect", false, "run a failed batch again in halves, down to the failing items")
		g.are(ofUser, "batch", "bisect") // a command is given more items: those that it does not know of would be lost
	}
	g.are(ofAnyone, "jobs")
	return g
}
