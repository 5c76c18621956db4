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
	it := row(fields)
	it.N = n
	return it
}

// row returns such an item without a number.
func row(fields []string) Item {
	return Item{Text: strings.Join(fields, " "), Fields: fields, row: true}
}

// combination returns the item of these values. A single one is a line like any other.
func combination(values []string) Item {
	if len(values) == 1 {
		return Item{Text: values[0]}
	}
	return row(values)
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
	total := in.total // before Group makes it smaller
	in.open = func() iter.Seq2[Item, error] { return combine(groups, total) }
	return nil
}

func combine(groups [][][]string, total int) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		for i := range total {
			var fields []string
			rest := i
			for _, rows := range slices.Backward(groups) {
				fields = slices.Concat(rows[rest%len(rows)], fields)
				rest /= len(rows)
			}
			if !yield(combination(fields), nil) {
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
		for _, fields := range list {
			if !yield(combination(fields), nil) {
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
			for item, err := range open() {
				if err != nil {
					yield(Item{}, err)
					return
				}
				if fields = append(fields, item.Text); len(fields) < size {
					continue
				}
				if !yield(row(fields), nil) {
					return
				}
				fields = nil
			}
			if len(fields) > 0 {
				yield(row(fields), nil)
			}
		}
	}
}

// readBlocks yields parts of about that size, each of whole lines. A longer line is a block of its own.
func (in *Input) readBlocks(r io.Reader) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		b := bufio.NewReaderSize(r, 64<<10)
		for {
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
			if len(block) > 0 && !yield(Item{Text: string(block)}, nil) || end {
				return
			}
		}
	}
}
