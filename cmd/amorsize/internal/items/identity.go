package items

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// Identity is how a log identifies an item: its text, not its place. An item stays the same when lines were added
// before it.
func (it Item) Identity() string {
	text := it.Text
	if it.row {
		text = fmt.Sprintf("%q", it.Fields)
	}
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:16])
}

// Values returns the columns of an item that is only columns, such as one of several lists; else nil.
func (it Item) Values() []string {
	if !it.row {
		return nil
	}
	return it.Fields
}
