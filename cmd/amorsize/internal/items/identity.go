package items

import (
	"crypto/sha256"
	"encoding/hex"
)

// Identity is what an item is known by in a log: its text, not its place. An item
// is the same one when lines were added before it.
func (it Item) Identity() string {
	sum := sha256.Sum256([]byte(it.Text))
	return hex.EncodeToString(sum[:16])
}
