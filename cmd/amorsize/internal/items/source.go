package items

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"strconv"
	"strings"
)

// Format says how an input is cut into items.
type Format int

// The formats of an input.
const (
	Lines  Format = iota // separated by Source.Delimiter
	CSV                  // RFC 4180
	TSV                  // the same with tabs, and no quoting
	JSONL                // a JSON value a line
	Blocks               // parts of about Source.Block bytes, of whole lines
)

// ErrInput is wrapped by every error of an input: nothing has been run.
var ErrInput = errors.New("input")

// Source says where items come from. The zero value reads lines of standard input.
type Source struct {
	File      string // "" and "-" are standard input
	Args      []string
	UseArgs   bool       // the items are Args
	Lists     []List     // the items are the combinations of their values
	Rows      [][]string // the items are these, each of its columns
	Range     string     // "10" is 1 to 10, "5-10", "0-100/10"
	Format    Format
	Delimiter byte   // of Lines; '\n' by default
	NUL       bool   // the delimiter is the NUL byte
	Separator string // of the columns of CSV and TSV; "" is the usual
	Group     int    // how many lines are the columns of an item; 0 and 1 are none
	Block     int    // bytes
	Header    bool   // the first record of CSV and TSV names the columns
	SkipEmpty bool
	Limit     int // of the items; 0 is none
	Shuffle   bool
	Numbers   []int // of the items; nil numbers them from 1
}

// Input is a source that has been opened. It is read once.
type Input struct {
	source Source
	open   func() iter.Seq2[Item, error]
	close  func() error
	names  *names
	choose func(iter.Seq[Item]) iter.Seq[Item]
	total  int // -1 if it is not known
	err    error
}

// Open opens the source and checks everything before anything runs: that the file can be read, that every JSON
// line and every record is valid. Input that is checked and can't be read twice is kept in an unlinked file
// meanwhile.
func (s Source) Open(stdin io.Reader) (*Input, error) {
	in := &Input{source: s, total: -1, close: func() error { return nil }}
	if err := in.openSource(stdin); err != nil {
		return nil, err
	}
	if s.Group > 1 && s.Rows == nil {
		in.open = grouped(in.open, s.Group)
		if in.total >= 0 {
			in.total = (in.total + s.Group - 1) / s.Group
		}
	}
	if s.Limit > 0 {
		in.total = min(in.total, s.Limit) // which leaves -1 as it is
	}
	return in, nil
}

// openSource opens where the items come from.
func (in *Input) openSource(stdin io.Reader) error {
	s := &in.source
	switch {
	case s.UseArgs:
		in.total, in.open = len(s.Args), func() iter.Seq2[Item, error] { return literal(s.Args) }
	case s.Rows != nil:
		in.total, in.open = len(s.Rows), func() iter.Seq2[Item, error] { return rows(s.Rows) }
	case s.Lists != nil:
		return in.openLists(stdin)
	case s.Range != "":
		from, to, step, err := parseRange(s.Range)
		if err != nil {
			return err
		}
		numbers := int((to-from)/step) + 1 // not in.total, which is made smaller by Group
		in.total = numbers
		in.open = func() iter.Seq2[Item, error] { return counting(from, step, numbers) }
	default:
		return in.openFile(stdin)
	}
	return nil
}

// Total returns the number of items, or -1 if it is not known before they are read.
func (in *Input) Total() int { return in.total }

// Names returns the names that columns have, nil if they have none.
func (in *Input) Names() []string {
	if in.names == nil {
		return nil
	}
	return in.names.list
}

// Records reports whether items are JSON values.
func (in *Input) Records() bool { return in.source.Format == JSONL }

// Columns reports whether items have columns.
func (in *Input) Columns() bool {
	return in.source.Format == CSV || in.source.Format == TSV || in.Several()
}

// Several reports whether items are only columns: without a placeholder, each column is an argument.
func (in *Input) Several() bool {
	return len(in.source.Lists) > 1 || in.source.Group > 1 || len(in.source.Rows) > 0 && len(in.source.Rows[0]) > 1
}

// Close releases what the input holds.
func (in *Input) Close() error { return in.close() }

// Err returns why All ended early, nil if it did not.
func (in *Input) Err() error { return in.err }

// Choose makes All return the items that choose keeps. choose gets them in the order of their numbers.
func (in *Input) Choose(choose func(iter.Seq[Item]) iter.Seq[Item]) { in.choose = choose }

// All returns the items. If it ends early, Err says why.
func (in *Input) All() iter.Seq[Item] {
	all := in.selected()
	if in.choose != nil {
		all = in.choose(all)
	}
	if !in.source.Shuffle {
		return all
	}
	return func(yield func(Item) bool) {
		var list []Item
		for item := range all {
			list = append(list, item)
		}
		rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		for _, item := range list {
			if !yield(item) {
				return
			}
		}
	}
}

// selected returns the items without empty ones, up to the limit, and numbers them.
func (in *Input) selected() iter.Seq[Item] {
	return func(yield func(Item) bool) {
		n := 0
		for item, err := range in.open() {
			if err != nil {
				in.err = err
				return
			}
			if in.source.SkipEmpty && strings.TrimSpace(item.Text) == "" {
				continue
			}
			n++
			item.N = n
			if n <= len(in.source.Numbers) {
				item.N = in.source.Numbers[n-1]
			}
			if !yield(item) || n == in.source.Limit {
				return
			}
		}
	}
}

func literal(args []string) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		for _, arg := range args {
			if !yield(Item{Text: arg}, nil) {
				return
			}
		}
	}
}

func counting(from, step int64, total int) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		for i := range total {
			if !yield(Item{Text: strconv.FormatInt(from+int64(i)*step, 10)}, nil) {
				return
			}
		}
	}
}

// parseRange reads "10", "5-10" and "0-100/10".
func parseRange(text string) (from, to, step int64, err error) {
	bad := func() (int64, int64, int64, error) {
		return 0, 0, 0, fmt.Errorf("%w: --range %q is not a range: write 10 for 1 to 10, 5-10, or 0-100/10 for steps of 10", ErrInput, text)
	}
	span, stepText, stepped := strings.Cut(text, "/")
	step = 1
	if stepped {
		if step, err = strconv.ParseInt(stepText, 10, 32); err != nil || step < 1 {
			return bad()
		}
	}
	first, last, both := strings.Cut(span, "-")
	if !both {
		first, last = "1", span
	}
	if from, err = strconv.ParseInt(first, 10, 62); err != nil {
		return bad()
	}
	if to, err = strconv.ParseInt(last, 10, 62); err != nil || to < from || (to-from)/step >= 1<<31-1 {
		return bad()
	}
	return from, to, step, nil
}
