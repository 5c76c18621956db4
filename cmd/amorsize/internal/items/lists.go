package items

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"os"
	"slices"
	"strings"
)

// List is one of several sources whose values are combined.
type List struct {
	Values []string
	File   string // the values are its lines; "-" is standard input
	Linked bool   // its values are paired with those of the list before
}

// Row returns an item of several values: its columns. Its text is the values, separated by spaces.
func Row(n int, fields []string) Item {
	return Item{N: n, Text: strings.Join(fields, " "), Fields: fields, row: true}
}

// openLists reads the lists, and makes items of each combination of their values; the last list varies fastest.
func (in *Input) openLists(stdin io.Reader) error {
	var groups [][][]string // of lists that are linked, rows
	for _, list := range in.source.Lists {
		values, err := list.read(stdin, in.delimiter())
		if err != nil {
			return err
		}
		if !list.Linked || len(groups) == 0 {
			rows := make([][]string, len(values))
			for i, v := range values {
				rows[i] = []string{v}
			}
			groups = append(groups, rows)
			continue
		}
		rows := groups[len(groups)-1]
		if len(rows) != len(values) {
			return fmt.Errorf("%w: lists linked by :::+ must have the same number of values, not %d and %d", ErrInput, len(rows), len(values))
		}
		for i, v := range values {
			rows[i] = append(rows[i], v)
		}
	}
	in.total = 1
	for _, rows := range groups {
		if len(rows) > 0 && in.total > math.MaxInt32/len(rows) {
			return fmt.Errorf("%w: these lists have too many combinations", ErrInput)
		}
		in.total *= len(rows)
	}
	single := len(in.source.Lists) == 1
	total := in.total // before Group makes it smaller
	in.open = func() iter.Seq2[Item, error] { return combine(groups, total, single) }
	return nil
}

func combine(groups [][][]string, total int, single bool) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		for i := range total {
			var fields []string
			rest := i
			for _, rows := range slices.Backward(groups) {
				fields = slices.Concat(rows[rest%len(rows)], fields)
				rest /= len(rows)
			}
			item := Row(i+1, fields)
			if single {
				item = Of(i+1, fields[0])
			}
			if !yield(item, nil) {
				return
			}
		}
	}
}

func (l List) read(stdin io.Reader, delimiter byte) ([]string, error) {
	if l.File == "" {
		return l.Values, nil
	}
	r := stdin
	if l.File != "-" {
		file, err := os.Open(l.File)
		if err != nil {
			return nil, fmt.Errorf("%w: can't read the items: %w", ErrInput, err)
		}
		defer func() { _ = file.Close() }()
		r = file
	}
	var values []string
	for line, err := range lines(r, delimiter) {
		if err != nil {
			return nil, err
		}
		values = append(values, line)
	}
	return values, nil
}

// rows yields items that are already known.
func rows(list [][]string) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		for i, fields := range list {
			item := Row(i+1, fields)
			if len(fields) == 1 {
				item = Of(i+1, fields[0])
			}
			if !yield(item, nil) {
				return
			}
		}
	}
}

// grouped makes an item of every size items; the last may have fewer columns.
func grouped(open func() iter.Seq2[Item, error], size int) func() iter.Seq2[Item, error] {
	return func() iter.Seq2[Item, error] {
		return func(yield func(Item, error) bool) {
			var fields []string
			n := 0
			for item, err := range open() {
				if err != nil {
					yield(Item{}, err)
					return
				}
				if fields = append(fields, item.Text); len(fields) < size {
					continue
				}
				n++
				if !yield(Row(n, fields), nil) {
					return
				}
				fields = nil
			}
			if len(fields) > 0 {
				yield(Row(n+1, fields), nil)
			}
		}
	}
}

// readBlocks yields parts of about that size, each of whole lines. A longer line is a block of its own.
func (in *Input) readBlocks(r io.Reader) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		b := bufio.NewReaderSize(r, 64<<10)
		for n := 1; ; n++ {
			block := make([]byte, in.source.Block)
			k, err := io.ReadFull(b, block)
			if block = block[:k]; err == nil {
				var rest []byte
				rest, err = b.ReadBytes(in.delimiter())
				block = append(block, rest...)
			}
			end := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
			if err != nil && !end {
				yield(Item{}, fmt.Errorf("%w: can't read the items: %w", ErrInput, err))
				return
			}
			if len(block) > 0 && !yield(Of(n, string(block)), nil) || end {
				return
			}
		}
	}
}
