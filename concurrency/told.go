package concurrency

import "time"

// told is a limiter as seen by the code that runs the calls: it implements waiting.Policy.
type told Limiter

// Kind returns the package.
func (*told) Kind() string { return "concurrency" }

// Name returns the user's name for it.
func (t *told) Name() string { return t.p.Name }

// State returns none: it is normal that calls wait for it.
func (*told) State() (string, time.Duration) { return "", 0 }
