package policies_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/policies"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/process"
)

func exit(code int) error { return &process.ExitError{Code: code} }

func TestSpec(t *testing.T) {
	text := func(s string) func() []byte { return func() []byte { return []byte(s) } }
	for _, c := range []struct {
		spec string
		seen policies.Seen
		want bool
	}{
		{"exit:22", policies.Seen{Err: exit(22)}, true},
		{"exit:22", policies.Seen{Err: exit(23)}, false},
		{"exit:100-120, exit:7", policies.Seen{Err: exit(7)}, true},
		{"exit:100-120", policies.Seen{Err: exit(100)}, true},
		{"exit:0-255", policies.Seen{Err: &process.ExitError{Code: -1, Signal: "killed"}}, false},
		{"signal", policies.Seen{Err: &process.ExitError{Code: -1, Signal: "killed"}}, true},
		{"timeout", policies.Seen{Err: &process.TimeoutError{}}, true},
		{"signal", policies.Seen{Err: exit(1)}, false},
		{"signal", policies.Seen{Err: errors.New("no")}, false},
		{"timeout", policies.Seen{Err: context.DeadlineExceeded}, true},
		{"timeout", policies.Seen{Err: &net.DNSError{}}, false},
		{"timeout", policies.Seen{Err: exit(1)}, false},
		{"spawn", policies.Seen{Err: &process.SpawnError{Err: errors.New("no")}}, true},
		{"any", policies.Seen{Err: errors.New("no")}, true},
		{"", policies.Seen{Err: errors.New("no")}, false},
		{"status:500-599", policies.Seen{Err: errors.New("no"), Status: 503}, true},
		{"status:500-599", policies.Seen{Err: errors.New("no"), Status: 500}, true},
		{"status:500-599", policies.Seen{Err: errors.New("no"), Status: 599}, true},
		{"status:500-599", policies.Seen{Err: errors.New("no"), Status: 600}, false},
		{"status:500-599", policies.Seen{Err: errors.New("no"), Status: 404}, false},
		{`err:/a,b\/c/,exit:3`, policies.Seen{Err: exit(1), Stderr: text("xa,b/c")}, true},
		{`err:/a,b\/c/,exit:3`, policies.Seen{Err: exit(3), Stderr: text("")}, true},
		{"err:/a/", policies.Seen{Err: exit(1), Stderr: text("b")}, false},
		{"err:/a/", policies.Seen{Err: exit(1)}, false},
		{"err://", policies.Seen{Err: exit(1), Stderr: text("")}, true},
		{"out:/OK/i", policies.Seen{Err: exit(1), Out: text("not ok")}, true},
		{"out:/OK/", policies.Seen{Err: exit(1), Out: text("not ok")}, false},
	} {
		spec, err := policies.ParseSpec("retry-on", c.spec)
		require.NoError(t, err, c.spec)
		require.Equal(t, c.want, spec.Matches(c.seen), "%s: %v", c.spec, c.seen.Err)
	}
	for _, bad := range []string{"exit", "exit:x", "exit:5-3", "exit:-1", "nonsense", "/x/", "err:x", "err:x/", "err:/x", "err:/", "err:/(/", "out:/x/g"} {
		_, err := policies.ParseSpec("retry-on", bad)
		require.ErrorIs(t, err, policies.ErrFlag, bad)
		require.ErrorContains(t, err, "--retry-on")
	}
	_, err := policies.ParseSpec("retry-on", "out:/x/gm")
	require.ErrorContains(t, err, `unknown option "gm" of`)
}

func TestHalt(t *testing.T) {
	for _, c := range []struct {
		text         string
		failed, done int
		want         bool
	}{
		{"", 1000, 1000, false}, {"1", 0, 1, false}, {"1", 1, 1, true}, {"3", 2, 2, false}, {"3", 3, 3, true}, {"50%", 10, 19, false}, {"50%", 10, 20, true}, {"50%", 9, 20, false},
	} {
		h, err := policies.ParseHalt(c.text)
		require.NoError(t, err)
		require.Equal(t, c.want, h.Reached(c.failed, c.done), "%+v", c)
	}
}

// do makes one call under the policies of a set, as the engine does.
func do(ctx context.Context, s *policies.Set, call func() error) error {
	next := func(context.Context) error {
		if err := call(); err != nil {
			return s.Judge(policies.Seen{Err: err})
		}
		return nil
	}
	for _, p := range slices.Backward(s.Policies()) {
		inner := next
		next = func(ctx context.Context) error { return p.Do(ctx, inner) }
	}
	return next(ctx)
}

// TestOutageChargesNothing has a service be down for a minute: items that were
// under way, and the ones that ask whether it is back, keep their attempts.
func TestOutageChargesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := policies.New(policies.Options{Retries: 3, Backoff: "200ms..1s", Breaker: "8", BreakerWait: time.Second})
		require.NoError(t, err)
		began := time.Now()
		var calls atomic.Int64
		service := func() error {
			at := time.Since(began)
			time.Sleep(100 * time.Millisecond)
			if at > time.Second && at < time.Minute {
				calls.Add(1)
				return exit(22)
			}
			return nil
		}
		results := make(chan error)
		for range 8 {
			go func() {
				for range 20 {
					results <- do(t.Context(), s, service)
				}
			}()
		}
		for range 160 {
			require.NoError(t, <-results)
		}
		require.Less(t, calls.Load(), int64(8+60+1), "eight under way, and one a second")
		require.Equal(t, int64(1), s.Opened.Load())
		require.Greater(t, s.Paused(), 50*time.Second)
	})
}

// TestGiveUp ends a run whose service does not come back, without failing an item.
func TestGiveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := policies.New(policies.Options{Retries: 1, Backoff: "1ms", Breaker: "2", BreakerWait: time.Second, BreakerGiveUp: time.Minute})
		require.NoError(t, err)
		began := time.Now()
		require.ErrorIs(t, do(t.Context(), s, func() error { return exit(1) }), policies.ErrGaveUp)
		require.InDelta(t, 61, time.Since(began).Seconds(), 2)
	})
}

func TestFatalIsNotRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := policies.New(policies.Options{Retries: 5, FatalOn: "exit:9"})
		require.NoError(t, err)
		calls := 0
		err = do(t.Context(), s, func() error { calls++; return exit(9) })
		require.Equal(t, 1, calls)
		f, ok := policies.AsFailure(err)
		require.True(t, ok && f.Fatal)
		var own *process.ExitError
		require.ErrorAs(t, err, &own, "the cause is kept")
	})
}
