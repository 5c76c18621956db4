package retry_test

import (
	"bytes"
	"context"
	"errors"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/retry"
)

// outcome is what one call does, and what a retrier is to make of it.
type outcome struct {
	err     error
	attempt bool          // it counts as one; else the call was refused
	goesOn  bool          // it may be followed by another
	delay   time.Duration // at the least, with a delay of its own of 100 ms, constant
	cancel  bool
}

var outcomes = []outcome{
	{nil, true, false, 0, false},
	{errTest, true, true, 100 * time.Millisecond, false},
	{retry.Permanent(errTest), true, false, 0, false},
	{refused(300 * time.Millisecond), false, true, 300 * time.Millisecond, false},
	{refused(0), false, false, 0, false},
	{refused(time.Hour), false, false, 0, false},
	{busy(700 * time.Millisecond), true, true, 700 * time.Millisecond, false},
	{busy(time.Hour), true, false, 0, false},
	{errTest, true, false, 0, true},
	{refused(math.MaxInt64), false, false, 0, false},
}

// The retrier against a model, for any series of outcomes.
func FuzzRetrier(f *testing.F) {
	f.Add(2, []byte{1, 3, 1, 0})
	f.Add(retry.Unlimited, []byte{1, 1, 1, 6, 7, 8, 0})
	f.Add(retry.NoRetries, []byte{3, 1, 0})
	f.Add(2, append(bytes.Repeat([]byte{3}, 99), 0))
	f.Add(2, append(bytes.Repeat([]byte{3}, 100), 0))
	f.Add(2, slices.Concat(bytes.Repeat([]byte{3}, 99), []byte{1}, bytes.Repeat([]byte{3}, 99), []byte{9}))
	f.Fuzz(func(t *testing.T, retries int, steps []byte) {
		p := retry.Policy{MaxRetries: retries, Multiplier: 1, MaxDelay: time.Second, Jitter: retry.JitterNone}
		r, err := retry.New(p)
		if err != nil || len(steps) == 0 || len(steps) > 300 {
			t.Skip("no policy, or longer than tells more")
		}
		allowed := map[int]int{0: 3, retry.Unlimited: 1000, retry.NoRetries: 0}
		most, ok := allowed[retries]
		if !ok {
			most = retries
		}
		var wantCalls, wantAttempts, refusals int
		var wantTime time.Duration
		var last outcome
		for _, s := range steps {
			last = outcomes[int(s)%len(outcomes)]
			wantCalls++
			if last.attempt {
				wantAttempts++
				refusals = 0
			} else {
				refusals++
			}
			if !last.goesOn || last.attempt && wantAttempts > most || refusals == 100 {
				break
			}
			wantTime += last.delay
			last = outcomes[0] // if no step is left
		}
		if last.err == nil && wantCalls == len(steps) && outcomes[int(steps[len(steps)-1])%len(outcomes)].err != nil {
			wantCalls++ // and it succeeds in the end
		}
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			calls, start := 0, time.Now()
			err := r.Do(ctx, func(context.Context) error {
				calls++
				if calls > len(steps) {
					return nil
				}
				o := outcomes[int(steps[calls-1])%len(outcomes)]
				if o.cancel {
					cancel()
				}
				return o.err
			})
			require.Equal(t, wantCalls, calls)
			require.Equal(t, wantTime, time.Since(start))
			require.Equal(t, last.err == nil, err == nil, "%v", err)
			var exhausted *retry.ExhaustedError
			if errors.As(err, &exhausted) {
				require.Equal(t, wantAttempts, exhausted.Attempts)
			}
			if last.cancel {
				require.ErrorIs(t, err, context.Canceled)
			}
		})
	})
}
