package amorsize

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"
)

// Inputs of a [StreamSeq2], or an [Engine]'s. Each yields its own error last, and the stream
// ends with it: it can't be overlooked.

// MaxLineBytes is the maximum length of a line of [Lines], in bytes.
const MaxLineBytes = 64 << 20

// Lines returns the lines of r, without their ends (\n or \r\n). The last one need not have one.
// Its error is the error of r, or says that a line is longer than [MaxLineBytes].
func Lines(r io.Reader) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		in := noting{Reader: r}
		lines := bufio.NewScanner(&in)
		lines.Buffer(nil, MaxLineBytes+len("\r\n"))
		lines.Split(in.split)
		n := 0
		for ; lines.Scan() && len(lines.Bytes()) <= MaxLineBytes; n++ {
			if !yield(lines.Text(), nil) {
				return
			}
		}
		err := lines.Err()
		if err == nil && len(lines.Bytes()) > MaxLineBytes {
			err = bufio.ErrTooLong
		}
		if err != nil {
			yield("", fmt.Errorf("amorsize: line %d: %w", n+1, err))
		}
	}
}

// noting is a reader that remembers its error.
type noting struct {
	io.Reader
	err error
}

func (n *noting) Read(p []byte) (int, error) {
	read, err := n.Reader.Read(p)
	if err != nil {
		n.err = err
	}
	return read, err
}

// split returns lines, but not the last one if an error of the reader has cut it off.
func (n *noting) split(data []byte, atEOF bool) (advance int, token []byte, err error) {
	advance, token, err = bufio.ScanLines(data, atEOF)
	if atEOF && n.err != nil && !errors.Is(n.err, io.EOF) && !bytes.HasSuffix(data[:advance], []byte{'\n'}) {
		return len(data), nil, err
	}
	return advance, token, err
}

// Channel returns what is received from items until it is closed. If ctx ends first, its error
// is a [*CanceledError] with the cause: the remaining items are missing. See also [FromChannel].
func Channel[T any](ctx context.Context, items <-chan T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for {
			select {
			case <-ctx.Done():
				yield(*new(T), &CanceledError{Err: ctx.Err(), Cause: context.Cause(ctx)})
				return
			case item, more := <-items:
				if !more || !yield(item, nil) {
					return
				}
			}
		}
	}
}

// Map returns f(item) for each item. The first error, of the items or of f, ends it. f is called
// by the goroutine that takes the items: slow work belongs in the function of the stream.
func Map[A, B any](items iter.Seq2[A, error], f func(A) (B, error)) iter.Seq2[B, error] {
	return func(yield func(B, error) bool) {
		for item, err := range items {
			var made B
			if err == nil {
				made, err = f(item)
			}
			if err != nil {
				yield(*new(B), err)
				return
			}
			if !yield(made, nil) {
				return
			}
		}
	}
}

// Batched returns the items in slices of size, at least 1, as they come. A slice is yielded when
// it is full, when `every` has passed since its first item, or when there are no more items. If
// every is 0, there is no time limit. The receiver owns the slices. An error of the items is
// yielded after the items before it. With a journal, [ExecuteBatches] is better: it records
// items one by one.
//
// items is iterated in a goroutine of its own, which has ended when the loop has. So the end of
// the loop waits until items yields or returns, which nothing can interrupt.
func Batched[T any](items iter.Seq2[T, error], size int, every time.Duration) iter.Seq2[[]T, error] {
	return func(yield func([]T, error) bool) {
		if size < 1 || every < 0 {
			yield(nil, badBatches(size, every))
			return
		}
		b := batching[T]{size: size, every: every, taken: make(chan taken[T]), left: make(chan struct{})}
		ended := make(chan any, 1) // what the goroutine of items panicked with
		go func() {
			returned := false
			defer func() {
				v := recover()
				if v == nil && !returned {
					v = errors.New("amorsize: the items of Batched called runtime.Goexit")
				}
				close(b.taken)
				ended <- v
			}()
			b.take(items)
			returned = true
		}()
		defer func() {
			close(b.left)
			if v := <-ended; v != nil {
				panic(v)
			}
		}()
		b.yield(yield)
	}
}

// badBatches says which argument of [Batched] is out of range.
func badBatches(size int, every time.Duration) error {
	if size < 1 {
		return &ConfigError{Field: "size", Value: size, Range: "at least 1"}
	}
	return &ConfigError{Field: "every", Value: every, Range: "at least 0"}
}

// batching is one loop over what [Batched] returns.
type batching[T any] struct {
	size  int
	every time.Duration
	taken chan taken[T]
	left  chan struct{} // the loop is over

	batch []T
	due   <-chan time.Time // of the batch, nil if there is no time limit
	timer *time.Timer
}

type taken[T any] struct {
	item T
	err  error
}

// take passes on the items until the loop has ended.
func (b *batching[T]) take(items iter.Seq2[T, error]) {
	for item, err := range items {
		select {
		case b.taken <- taken[T]{item, err}:
		case <-b.left:
			return
		}
		if err != nil {
			return
		}
	}
}

// yield yields batches until there are no more items, or the loop is left.
func (b *batching[T]) yield(yield func([]T, error) bool) {
	for {
		full := false
		select {
		case got, more := <-b.taken:
			if !more {
				b.pass(yield)
				return
			}
			if got.err != nil {
				if b.pass(yield) {
					yield(nil, got.err)
				}
				return
			}
			full = b.add(got.item)
		case <-b.due:
			full = true
		}
		if full && !b.pass(yield) {
			return
		}
	}
}

// add reports whether the batch is full with that item.
func (b *batching[T]) add(item T) bool {
	b.batch = append(b.batch, item)
	if len(b.batch) == 1 && b.every > 0 {
		b.timer = time.NewTimer(b.every)
		b.due = b.timer.C
	}
	return len(b.batch) == b.size
}

// pass yields the batch, unless it is empty. It reports false if the loop was left.
func (b *batching[T]) pass(yield func([]T, error) bool) bool {
	if b.timer != nil {
		b.timer.Stop()
	}
	batch := b.batch
	b.batch, b.due = nil, nil
	return len(batch) == 0 || yield(batch, nil)
}
