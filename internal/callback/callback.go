// Package callback runs what users want to have called about an event.
package callback

// Run calls f. A panic of f is dropped: who only wants to be told must not
// change what happens.
func Run(f func()) {
	defer func() { _ = recover() }()
	f()
}
