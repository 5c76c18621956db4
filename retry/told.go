package retry

import "time"

// told is a retrier as seen by the code that runs the calls: it implements waiting.Policy.
type told Retrier

// Kind returns the package.
func (*told) Kind() string { return "retry" }

// Name returns the user's name for it.
func (t *told) Name() string { return t.p.Name }

// State returns none: a retrier has no state.
func (*told) State() (string, time.Duration) { return "", 0 }
