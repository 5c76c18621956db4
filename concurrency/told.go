package concurrency

import "time"

// told is a limiter as those are told of it who run the calls: it implements waiting.Policy.
type told Limiter

// Kind returns the package.
func (*told) Kind() string { return "concurrency" }

// Name returns what the user calls it.
func (t *told) Name() string { return t.p.Name }

// State returns none: that calls wait for it is its ordinary state.
func (*told) State() (string, time.Duration) { return "", 0 }
