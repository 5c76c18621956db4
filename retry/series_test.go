package retry_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/internal/waiting"
	"github.com/amorsize/amorsize/retry"
)

// endings are the calls that are given up, and all that is told of each.
var endings = []struct {
	name   string
	policy retry.Policy
	errs   []error
	cancel time.Duration // when the context ends, or 0; its deadline is 10 s
	want   error
	after  time.Duration
}{
	{"retries are used up", retry.Policy{MaxRetries: 1}, []error{errTest}, 0,
		&retry.ExhaustedError{Attempts: 2, Errs: []error{errTest, errTest}}, 100 * ms},
	{"no time for the delay", retry.Policy{InitialDelay: 11 * time.Second}, []error{errTest}, 0,
		&retry.ExhaustedError{Attempts: 1, Errs: []error{errTest}, Cause: context.DeadlineExceeded, Delay: 11 * time.Second}, 0},
	{"no time after the delay", retry.Policy{InitialDelay: 10 * time.Second}, []error{errTest}, 0,
		&retry.ExhaustedError{Attempts: 1, Errs: []error{errTest}, Cause: context.DeadlineExceeded, Delay: 10 * time.Second}, 0},
	{"the last retry that fits", retry.Policy{MaxElapsed: 200 * ms, Multiplier: 1}, []error{errTest}, 0,
		&retry.ExhaustedError{Attempts: 3, Errs: times(3, errTest), Cause: retry.ErrMaxElapsed, Delay: 100 * ms}, 200 * ms},
	{"asked for too long", retry.Policy{MaxDelay: time.Second}, []error{busy(time.Second), busy(time.Second + 1)}, 0,
		&retry.ExhaustedError{Attempts: 2, Errs: []error{busy(time.Second), busy(time.Second + 1)}, Cause: retry.ErrMaxDelay, Delay: time.Second + 1}, time.Second},
	{"no budget", retry.Policy{Budget: retry.MustNewBudget(one)}, []error{errTest}, 0,
		&retry.ExhaustedError{Attempts: 2, Errs: times(2, errTest), Cause: retry.ErrBudget}, 100 * ms},
	{"canceled in a delay", retry.Policy{InitialDelay: time.Second}, []error{errTest}, 300 * ms,
		&retry.ExhaustedError{Attempts: 1, Errs: []error{errTest}, Cause: context.Canceled}, 300 * ms},
	{"canceled while it was refused", retry.Policy{}, []error{refused(time.Second)}, 300 * ms,
		&retry.ExhaustedError{Cause: context.Canceled}, 300 * ms},
	{"not worth it", retry.Policy{RetryIf: func(error) bool { return false }}, []error{errTest}, 0, errTest, 0},
	{"not worth it any more", retry.Policy{RetryIf: func(err error) bool { return !errors.Is(err, busy(0)) }}, []error{errTest, busy(0)}, 0,
		&retry.ExhaustedError{Attempts: 2, Errs: []error{errTest, busy(0)}}, 100 * ms},
	{"refused for good", retry.Policy{}, []error{errTest, retry.Permanent(refused(1))}, 0,
		&retry.ExhaustedError{Attempts: 1, Errs: []error{errTest, refused(1)}}, 100 * ms},
	{"refused at last", retry.Policy{}, []error{errTest, refused(0)}, 0,
		&retry.ExhaustedError{Attempts: 1, Errs: []error{errTest, refused(0)}}, 100 * ms},
	{"refused without a time, though the attempt has one", retry.Policy{AttemptTimeout: time.Second}, []error{refused(0)}, 0, refused(0), 0},
	{"refused for the call's time", retry.Policy{}, []error{timeIsUp}, 0, timeIsUp, 0},
}

const ms = time.Millisecond

// one is a budget of a single retry.
var one = retry.BudgetPolicy{PerSecond: 1e-9, Most: 1}

var timeIsUp = &noTime{context.DeadlineExceeded}

func TestEndings(t *testing.T) {
	for _, c := range endings {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				if c.cancel > 0 {
					time.AfterFunc(c.cancel, cancel)
				}
				c.policy.Jitter = retry.JitterNone
				if c.policy.Budget != nil { // a new one for each run
					c.policy.Budget = retry.MustNewBudget(one)
				}
				start := time.Now()
				require.Equal(t, c.want, retry.MustNew(c.policy).Do(ctx, fails(new(int), c.errs...)))
				require.Equal(t, c.after, time.Since(start))
			})
		})
	}
}

// A call whose context ends while it is made is not made again, and begins no delay.
func TestCanceledDuringACall(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	err := retry.MustNew(retry.Policy{}).Do(ctx, func(context.Context) error { cancel(); return errTest })
	require.Equal(t, &retry.ExhaustedError{Attempts: 1, Errs: []error{errTest}, Cause: context.Canceled}, err)
}

// A refusal is waited for as long as it says where there is no time for more, be it a
// nanosecond.
func TestRefusedForAShortTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := retry.MustNew(retry.Policy{InitialDelay: time.Second, Jitter: retry.JitterNone})
		ctx, cancel := context.WithTimeout(t.Context(), 100*ms)
		defer cancel()
		start, calls := time.Now(), 0
		require.NoError(t, r.Do(ctx, fails(&calls, refused(1), refused(10*ms), nil)))
		require.Equal(t, 10*ms+1, time.Since(start))
	})
}

// The shortest times are times: an attempt has a deadline, and what it took counts.
func TestShortestTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		err := retry.MustNew(retry.Policy{AttemptTimeout: 1, MaxRetries: 1}).Do(t.Context(), func(ctx context.Context) error {
			calls++
			deadline, ok := ctx.Deadline()
			require.True(t, ok)
			require.Equal(t, time.Nanosecond, time.Until(deadline))
			return errTest
		})
		require.ErrorIs(t, err, errTest)
		require.Equal(t, 2, calls)

		calls = 0
		r := retry.MustNew(retry.Policy{MaxElapsed: 1, InitialDelay: 1, Jitter: retry.JitterFull})
		err = r.Do(t.Context(), func(context.Context) error {
			calls++
			time.Sleep(time.Second)
			return errTest
		})
		require.ErrorIs(t, err, retry.ErrMaxElapsed)
		require.Equal(t, 1, calls)
	})
}

// Without AttemptTimeout, no attempt has another context than the call.
func TestNoAttemptTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		require.NoError(t, retry.MustNew(retry.Policy{}).Do(t.Context(), func(ctx context.Context) error {
			require.Equal(t, t.Context(), ctx)
			calls++
			return []error{errTest, errTest, nil}[calls-1]
		}))
	})
}

// delays is a listener that takes down what calls are held back for.
type delays struct {
	begun time.Time
	all   []string
}

func (d *delays) HoldBegins(line waiting.Line) uint64 {
	who := "a refusal"
	if line.By != nil {
		who = line.By.Kind() + " " + line.By.Name()
	}
	d.begun, d.all = time.Now(), append(d.all, who)
	return 7
}

func (d *delays) HoldEnds(ticket uint64) {
	d.all = append(d.all, fmt.Sprint(ticket, time.Since(d.begun)))
}

// A call between two attempts is held back; a refused one does not count as a retry.
func TestDelaysAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &delays{}
		ctx := context.WithValue(t.Context(), waiting.Key{}, d)
		r := retry.MustNew(retry.Policy{Name: "search", Jitter: retry.JitterNone})
		require.NoError(t, r.Do(ctx, fails(new(int), errTest, refused(time.Second), nil)))
		require.Equal(t, []string{"retry search", "7 100ms", "a refusal", "7 1s"}, d.all)
	})
}
