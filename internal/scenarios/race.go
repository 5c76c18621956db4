//go:build race

package scenarios

// Raced says that the race detector is on. It makes simulated services ten times as
// slow, and has nothing to learn from more seeds: what is demanded of all seeds is
// asserted without it.
const Raced = true
