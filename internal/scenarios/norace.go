//go:build !race

package scenarios

// Raced says that the race detector is on.
const Raced = false
