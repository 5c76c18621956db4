// Package spillqueue is a queue whose memory is bounded: what is beyond that is in a file.
package spillqueue

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"os"
	"reflect"
)

// Queue is first in, first out. About twice so many items as New is given are in memory, the
// others in a temporary file, as JSON. Items that JSON does not give back as they were stay in
// memory, and so do all that come then. It is not safe for concurrent use. Close it.
//
//	Pop ◄── head ◄── file ◄── tail ◄── Push
type Queue[T any] struct {
	most int
	head []T
	tail []T

	file    *os.File // nil as long as none was needed
	read    int64    // how far it has been read
	written int64
	left    int  // items in it
	stays   bool // in memory, whatever comes
}

// New returns an empty queue.
func New[T any](most int) *Queue[T] { return &Queue[T]{most: most} }

// Len returns how many items there are.
func (q *Queue[T]) Len() int { return len(q.head) + q.left + len(q.tail) }

// Push adds an item. The error is that of the file, and the item is in the queue.
func (q *Queue[T]) Push(item T) error {
	if q.left == 0 && len(q.tail) == 0 && len(q.head) < q.most {
		q.head = append(q.head, item)
		return nil
	}
	q.tail = append(q.tail, item)
	if len(q.tail) < q.most || q.stays {
		return nil
	}
	return q.spill()
}

// Pop takes the item that has been there for longest; ok is false if there is none. The error
// is that of the file, whose items are lost.
func (q *Queue[T]) Pop() (item T, ok bool, err error) {
	if len(q.head) == 0 {
		if err := q.refill(); err != nil {
			return item, false, err
		}
	}
	if len(q.head) == 0 {
		return item, false, nil
	}
	item, q.head[0] = q.head[0], item
	q.head = q.head[1:]
	return item, true, nil
}

// spill writes the tail to the file, unless JSON does not give it back.
func (q *Queue[T]) spill() error {
	var text []byte
	for i := range q.tail {
		line, err := json.Marshal(q.tail[i])
		var back T
		if err == nil {
			err = json.Unmarshal(line, &back)
		}
		if err != nil || !reflect.DeepEqual(q.tail[i], back) {
			q.stays = true
			return nil
		}
		text = append(append(text, line...), '\n')
	}
	if q.file == nil {
		file, err := os.CreateTemp("", "amorsize-queue-")
		if err != nil {
			return err
		}
		q.file = file
		_ = os.Remove(file.Name()) // a crash leaves nothing; where that can't be, Close does it
	}
	if _, err := q.file.WriteAt(text, q.written); err != nil {
		return err
	}
	q.written += int64(len(text))
	q.left += len(q.tail)
	q.tail = nil
	return nil
}

// refill makes the head of what comes next.
func (q *Queue[T]) refill() error {
	if q.left == 0 {
		q.head, q.tail = q.tail, nil
		return nil
	}
	in := bufio.NewReader(io.NewSectionReader(q.file, q.read, q.written-q.read))
	n := min(q.most, q.left)
	q.head = make([]T, n)
	for i := range n {
		line, err := in.ReadBytes('\n')
		if err == nil {
			err = json.Unmarshal(line, &q.head[i])
		}
		if err != nil {
			q.head = nil
			return err
		}
		q.read += int64(len(line))
	}
	if q.left -= n; q.left > 0 {
		return nil
	}
	q.read, q.written = 0, 0
	return q.file.Truncate(0)
}

// Close removes the file.
func (q *Queue[T]) Close() error {
	if q.file == nil {
		return nil
	}
	err := q.file.Close()
	if gone := os.Remove(q.file.Name()); gone != nil && !errors.Is(gone, os.ErrNotExist) {
		err = errors.Join(err, gone)
	}
	return err
}
