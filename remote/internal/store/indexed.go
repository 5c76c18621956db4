package store

import (
	"encoding/binary"

	"github.com/amorsize/amorsize/remote/internal/frame"
)

// Indexed is an item of a round above 0: the items of such chunks are not consecutive.
func Indexed(index int64, payload []byte) []byte {
	return append(binary.AppendUvarint(nil, uint64(index)), payload...)
}

// Unindexed is the reverse of [Indexed].
func Unindexed(item []byte) (index int64, payload []byte, err error) {
	i, n := binary.Uvarint(item)
	if n <= 0 {
		return 0, nil, frame.ErrBroken
	}
	return int64(i), item[n:], nil
}
