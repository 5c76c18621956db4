package items

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"strings"
)

// openFile opens a file or standard input, and checks its records.
func (in *Input) openFile(stdin io.Reader) error {
	file, err := in.file(stdin)
	if err != nil {
		return err
	}
	r := stdin
	if file != nil {
		r = file
	}
	if in.source.Format == Lines || in.source.Format == Blocks {
		if in.source.Format == Lines {
			in.count(file)
		}
		in.open = func() iter.Seq2[Item, error] { return in.read(r) }
		return nil
	}
	return in.checkRecords(file, r)
}

// file returns the input's file, nil if it is not a file.
func (in *Input) file(stdin io.Reader) (*os.File, error) {
	name := in.source.File
	if name == "" || name == "-" {
		file, _ := stdin.(*os.File)
		return file, nil
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("%w: can't read the items: %w", ErrInput, err)
	}
	if info, err := file.Stat(); err == nil && info.IsDir() {
		_ = file.Close()
		return nil, fmt.Errorf("%w: can't read the items: %s is a directory; list its files instead: ls %s | amorsize run …", ErrInput, name, name)
	}
	in.close = file.Close
	return file, nil
}

// checkRecords reads all records, and makes them readable once more.
func (in *Input) checkRecords(file *os.File, r io.Reader) error {
	start, again, err := in.seekable(file, r)
	if err != nil {
		return err
	}
	total := 0
	for _, err := range in.read(again) {
		if err != nil {
			return err
		}
		total++
	}
	if _, err := again.Seek(start, io.SeekStart); err != nil {
		return fmt.Errorf("%w: can't read the items again: %w", ErrInput, err)
	}
	in.total = total
	in.open = func() iter.Seq2[Item, error] { return in.read(again) }
	return nil
}

// countable is the largest file whose lines are counted before the run, which then takes a few hundred
// milliseconds.
const countable = 256 << 20

// count counts the lines of a regular file, so that progress can be shown.
func (in *Input) count(file *os.File) {
	if file == nil || in.source.SkipEmpty {
		return
	}
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() > countable {
		return
	}
	start, err := file.Seek(0, io.SeekCurrent)
	if err != nil {
		return
	}
	r := io.Reader(file)
	if in.delimiter() != 0 {
		r = unmarked(file) // a mark alone is not an item
	}
	n := countPieces(r, in.delimiter())
	if _, err := file.Seek(start, io.SeekStart); err == nil {
		in.total = n
	}
}

// countPieces returns how many pieces cut yields.
func countPieces(r io.Reader, delimiter byte) int {
	n, last, buffer := 0, delimiter, make([]byte, 256<<10)
	for {
		k, err := r.Read(buffer)
		if n += bytes.Count(buffer[:k], []byte{delimiter}); k > 0 {
			last = buffer[k-1] //nolint:gosec // k is what was read into it
		}
		if err != nil {
			break
		}
	}
	if last != delimiter {
		n++
	}
	return n
}

// seekable returns the input as a file that can be read twice, and where it starts.
func (in *Input) seekable(file *os.File, r io.Reader) (int64, *os.File, error) {
	if file != nil {
		if at, err := file.Seek(0, io.SeekCurrent); err == nil {
			if info, err := file.Stat(); err == nil && info.Mode().IsRegular() {
				return at, file, nil
			}
		}
	}
	spool, err := os.CreateTemp("", "amorsize-items-")
	if err != nil {
		return 0, nil, fmt.Errorf("%w: can't keep the items: %w", ErrInput, err)
	}
	before := in.close
	in.close = func() error { return errors.Join(spool.Close(), ignoreMissing(os.Remove(spool.Name())), before()) }
	_ = os.Remove(spool.Name()) // where that fails (Windows), close does it
	if _, err := io.Copy(spool, r); err != nil {
		return 0, nil, errors.Join(fmt.Errorf("%w: can't keep the items: %w", ErrInput, err), in.close())
	}
	_, err = spool.Seek(0, io.SeekStart)
	return 0, spool, err
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (in *Input) delimiter() byte {
	switch {
	case in.source.NUL:
		return 0
	case in.source.Delimiter != 0:
		return in.source.Delimiter
	}
	return '\n'
}

// unmarked returns r without the byte order mark with which some programs begin a UTF-8 file; it is not part of
// the first record.
func unmarked(r io.Reader) io.Reader {
	b := bufio.NewReaderSize(r, 64<<10)
	if first, _ := b.Peek(1); len(first) == 0 || first[0] != "\ufeff"[0] {
		return b // more than that may not have been typed yet
	}
	if head, _ := b.Peek(3); string(head) == "\ufeff" {
		_, _ = b.Discard(3)
	}
	return b
}

// lines yields the pieces of line input. Input with NUL delimiters was written by a program, with unchanged names:
// it has no mark.
func lines(r io.Reader, delimiter byte) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		if delimiter != 0 {
			r = unmarked(r)
		}
		cut(r, delimiter)(yield)
	}
}

func (in *Input) read(r io.Reader) iter.Seq2[Item, error] {
	if in.source.Format != Lines && in.source.Format != Blocks {
		r = unmarked(r)
	}
	switch in.source.Format {
	case CSV:
		return in.readCSV(r)
	case TSV:
		return in.readTSV(r)
	case JSONL:
		return in.readJSON(r)
	case Blocks:
		return in.readBlocks(r)
	}
	return func(yield func(Item, error) bool) {
		for line, err := range lines(r, in.delimiter()) {
			if !yield(Item{Text: line}, err) {
				return
			}
		}
	}
}

// cut yields the text between delimiters. A last piece without a delimiter counts.
func cut(r io.Reader, delimiter byte) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		b := bufio.NewReaderSize(r, 64<<10)
		for {
			piece, err := b.ReadString(delimiter)
			if err != nil && err != io.EOF {
				yield("", fmt.Errorf("%w: can't read the items: %w", ErrInput, err))
				return
			}
			if err == io.EOF && piece == "" {
				return
			}
			if !yield(strings.TrimSuffix(piece, string(delimiter)), nil) {
				return
			}
		}
	}
}
