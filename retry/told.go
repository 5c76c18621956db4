package retry

import "time"

// told is a retrier as those are told of it who run the calls: it implements waiting.Policy.
type told Retrier

// Kind returns the package.
func (*told) Kind() string { return "retry" }

// Name returns what the user calls it.
func (t *told) Name() string { return t.p.Name }

// State returns none: it has none.
func (*told) State() (string, time.Duration) { return "", 0 }
