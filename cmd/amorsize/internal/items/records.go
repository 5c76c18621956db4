package items

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"unicode/utf8"
)

// readCSV yields records of comma separated values. All must have as many fields.
func (in *Input) readCSV(r io.Reader) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		reader := csv.NewReader(r)
		if separator, size := utf8.DecodeRuneInString(in.source.Separator); size > 0 {
			reader.Comma = separator
		}
		header := in.source.Header
		for {
			fields, err := reader.Read()
			if err == io.EOF {
				return
			}
			if err != nil {
				yield(Item{}, csvError(err))
				return
			}
			if header {
				header, in.names = false, newNames(fields)
				continue
			}
			if !yield(Item{Text: joinCSV(fields, reader.Comma), Fields: fields, names: in.names}, nil) {
				return
			}
		}
	}
}

func csvError(err error) error {
	var parse *csv.ParseError
	if errors.As(err, &parse) {
		return fmt.Errorf("%w: line %d is not valid CSV: %w", ErrInput, parse.Line, parse.Err)
	}
	return fmt.Errorf("%w: can't read the items: %w", ErrInput, err)
}

// joinCSV writes fields as they could be in a file: that is the text of the item.
func joinCSV(fields []string, comma rune) string {
	var b strings.Builder
	w := csv.NewWriter(&b)
	w.Comma = comma
	_ = w.Write(fields) // a builder accepts everything
	w.Flush()
	return strings.TrimSuffix(b.String(), "\n")
}

// readTSV yields records of values separated by tabs, or by another text, without quoting.
func (in *Input) readTSV(r io.Reader) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		line, columns := 0, 0
		separator := in.source.Separator
		if separator == "" {
			separator = "\t"
		}
		header := in.source.Header
		for text, err := range cut(r, '\n') {
			if err != nil {
				yield(Item{}, err)
				return
			}
			line++
			text = strings.TrimSuffix(text, "\r")
			fields := strings.Split(text, separator)
			if columns == 0 {
				columns = len(fields)
			}
			if len(fields) != columns {
				yield(Item{}, fmt.Errorf("%w: line %d has %d columns, the first one has %d", ErrInput, line, len(fields), columns))
				return
			}
			if header {
				header, in.names = false, newNames(fields)
				continue
			}
			if !yield(Item{Text: text, Fields: fields, names: in.names}, nil) {
				return
			}
		}
	}
}

// readJSON yields the values of JSON lines. Empty lines are skipped.
func (in *Input) readJSON(r io.Reader) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		line := 0
		for text, err := range cut(r, '\n') {
			if err != nil {
				yield(Item{}, err)
				return
			}
			line++
			if strings.TrimSpace(text) == "" {
				continue
			}
			item := Item{Text: strings.TrimSpace(text)}
			if err := item.decode(); err != nil {
				yield(Item{}, fmt.Errorf("%w: line %d is not valid JSON: %w", ErrInput, line, err))
				return
			}
			if !yield(item, nil) {
				return
			}
		}
	}
}

// decode reads the members of an object. Other values have none.
func (it *Item) decode() error {
	var raw json.RawMessage
	if err := json.Unmarshal([]byte(it.Text), &raw); err != nil {
		return err
	}
	it.record = map[string]json.RawMessage{}
	if strings.HasPrefix(strings.TrimSpace(it.Text), "{") {
		return json.Unmarshal(raw, &it.record)
	}
	return nil
}
