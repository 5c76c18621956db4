package journal

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
)

// Key identifies an item: the first half of a SHA-256.
type Key [16]byte

// KeyOf returns the key of an item that text identifies.
func KeyOf(text []byte) Key {
	sum := sha256.Sum256(text)
	return Key(sum[:16])
}

// Again returns the key of an equal item, the n-th after the first one; itself if n is 0.
func (k Key) Again(n int) Key {
	if n == 0 {
		return k
	}
	return KeyOf(binary.AppendUvarint(append(make([]byte, 0, 32), k[:]...), uint64(n)))
}

func (k Key) String() string { return hex.EncodeToString(k[:]) }

// keyFrom parses the hexadecimal key of a line.
func keyFrom[S string | []byte](digits S) (k Key, err error) {
	if len(digits) != 2*len(k) {
		return k, fmt.Errorf("%q is no key", digits)
	}
	_, err = hex.Decode(k[:], []byte(digits))
	return k, err
}
