// Package rerun reads from the log of a run what is needed to run its command again: the failed items and the
// flags.
package rerun

import (
	"bufio"
	"cmp"
	"encoding/csv"
	"errors"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spf13/pflag"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/joblog"
)

// SetFlag sets a flag to its value in a log, in the form in which pflag prints it: a list is a CSV record in
// brackets.
func SetFlag(flags *pflag.FlagSet, name, value string) error {
	flag := flags.Lookup(name)
	if flag == nil {
		return errors.New("unknown flag")
	}
	list, bracket := strings.CutPrefix(value, "[")
	if !bracket || flag.Value.Type() != "stringArray" {
		return flags.Set(name, value)
	}
	values, err := csv.NewReader(strings.NewReader(strings.TrimSuffix(list, "]"))).Read()
	if err != nil {
		return err
	}
	for _, v := range values {
		if err := flags.Set(name, v); err != nil {
			return err
		}
	}
	return nil
}

// Source returns items as a source, in the format of their original source, with their original numbers and order,
// which differs from the log's. names are the names of columns, if there are any. Call remove after the run. The
// error is one of usage, or of a file.
func Source(failed []joblog.Entry, names []string, from items.Source) (source items.Source, remove func(), err error) {
	failed = slices.SortedStableFunc(slices.Values(failed), func(a, b joblog.Entry) int { return cmp.Compare(a.N, b.N) })
	numbers := make([]int, len(failed))
	for i, e := range failed {
		numbers[i] = e.N
	}
	if failed[0].Values != nil {
		list, err := rows(failed)
		return items.Source{Rows: list, Numbers: numbers}, func() {}, err
	}
	source = items.Source{Format: from.Format, Separator: from.Separator, Header: from.Header, Numbers: numbers}
	if from.Format == items.Lines || from.Format == items.Blocks {
		source.Format, source.NUL = items.Lines, true // an item may have several lines
	}
	file, err := os.CreateTemp("", "amorsize-retry-")
	if err != nil {
		return source, nil, err
	}
	source.File = file.Name()
	if err := errors.Join(write(file, failed, names, source), file.Close()); err != nil {
		_ = os.Remove(file.Name())
		return source, nil, err
	}
	return source, func() { _ = os.Remove(file.Name()) }, nil
}

// rows returns the columns of items that are only columns.
func rows(failed []joblog.Entry) (list [][]string, err error) {
	for _, e := range failed {
		row := e.Values
		if text, ok := e.Text(); row == nil && ok {
			row = []string{text}
		}
		if row == nil {
			return nil, missing(e)
		}
		list = append(list, row)
	}
	return list, nil
}

func missing(e joblog.Entry) error {
	return exit.Usagef("the log does not have the text of item %d", e.N)
}

// write writes items in their input format: records one per line, other items with a NUL byte after each.
func write(file *os.File, failed []joblog.Entry, names []string, source items.Source) error {
	end := "\n"
	if source.NUL {
		end = "\x00"
	}
	w := bufio.NewWriter(file)
	switch {
	case len(names) == 0:
	case source.Format == items.CSV:
		header := csv.NewWriter(w)
		if comma, size := utf8.DecodeRuneInString(source.Separator); size > 0 {
			header.Comma = comma
		}
		_ = header.Write(names) // Flush returns an error again
		header.Flush()
	default:
		_, _ = w.WriteString(strings.Join(names, cmp.Or(source.Separator, "\t")) + end)
	}
	for _, e := range failed {
		text, ok := e.Text()
		if !ok {
			return missing(e)
		}
		_, _ = w.WriteString(text + end)
	}
	return w.Flush()
}
