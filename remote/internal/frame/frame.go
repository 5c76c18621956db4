// Package frame packs byte strings, and flagged ones, one after the other: the items of a chunk, and their
// outcomes.
//
// A frame is an unsigned varint, as in encoding/binary, and as many bytes as it says. For an outcome the varint is
// twice the length, plus one if the item failed.
package frame

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrBroken is a frame whose length exceeds the data.
var ErrBroken = errors.New("frame: longer than the data")

// Append packs data after dst.
func Append(dst, data []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(data))), data...)
}

// Next removes the first frame from packed. The result shares packed's memory.
func Next(packed []byte) (data, rest []byte, err error) {
	size, n := binary.Uvarint(packed)
	if n <= 0 || size > uint64(len(packed)-n) {
		return nil, nil, fmt.Errorf("%w: %d bytes", ErrBroken, len(packed))
	}
	end := n + int(size)
	return packed[n:end:end], packed[end:], nil
}

// Split removes all frames from packed, of which there must be count.
func Split(packed []byte, count int) ([][]byte, error) {
	if count < 0 || count > len(packed) { // a frame has at least one byte
		return nil, fmt.Errorf("%w: %d items in %d bytes", ErrBroken, count, len(packed))
	}
	items := make([][]byte, count)
	var err error
	for i := range items {
		if items[i], packed, err = Next(packed); err != nil {
			return nil, err
		}
	}
	if len(packed) > 0 {
		return nil, fmt.Errorf("frame: %d bytes too many", len(packed))
	}
	return items, nil
}

// AppendOutcome packs the outcome of an item: its encoded value, or the text of its error.
func AppendOutcome(dst, data []byte, failed bool) []byte {
	head := uint64(len(data)) << 1
	if failed {
		head |= 1
	}
	return append(binary.AppendUvarint(dst, head), data...)
}

// NextOutcome removes the first outcome from packed.
func NextOutcome(packed []byte) (data []byte, failed bool, rest []byte, err error) {
	head, n := binary.Uvarint(packed)
	size := head >> 1
	if n <= 0 || size > uint64(len(packed)-n) {
		return nil, false, nil, fmt.Errorf("%w: %d bytes", ErrBroken, len(packed))
	}
	end := n + int(size)
	return packed[n:end:end], head&1 == 1, packed[end:], nil
}
