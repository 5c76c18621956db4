package policies_test

import (
	"context"
	"errors"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/policies"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/process"
)

// What flags mean, and which texts mean nothing.
func TestFlags(t *testing.T) {
	for text, want := range map[string]policies.Rate{
		"": {}, "auto": {Auto: true}, "50/s": {PerSecond: 50}, "0.5/s": {PerSecond: 0.5}, "3000/m": {PerSecond: 50}, "7200/h": {PerSecond: 2},
	} {
		got, err := policies.ParseRate(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	refused(t, policies.ParseRate, "rate", "0/s", "-1/s", "NaN/s", "Inf/s", "x/s", "5/d", "/s", "5/", "50", "auto/s")
	_, err := policies.ParseRate("50")
	require.ErrorContains(t, err, `--rate "50": must be a rate with a unit: 50/s, 50/m or 50/h`)

	for text, want := range map[string]policies.Timeout{"": {}, "30s": {Fixed: 30 * time.Second}, "1ns": {Fixed: 1}, "5x": {Times: 5}, "1x": {Times: 1}, "1.5x": {Times: 1.5}, "1000000x": {Times: 1e6}} {
		got, err := policies.ParseTimeout(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	refused(t, policies.ParseTimeout, "timeout", "0s", "-1s", "30", "0.9x", "x", "NaNx", "1000001x")

	type backoff struct{ first, most time.Duration }
	for text, want := range map[string]backoff{
		"200ms..30s": {200 * time.Millisecond, 30 * time.Second}, "200ms": {200 * time.Millisecond, 30 * time.Second},
		"1m": {time.Minute, time.Minute}, "1s..1s": {time.Second, time.Second},
		"1ns..1s": {1, time.Second},
	} {
		first, most, err := policies.ParseBackoff(text)
		require.NoError(t, err, text)
		require.Equal(t, want, backoff{first, most}, text)
	}
	parse := func(text string) (time.Duration, error) {
		first, _, err := policies.ParseBackoff(text)
		return first, err
	}
	refused(t, parse, "backoff", "", "0s", "2s..1s", "1s..", "..1s", "-1s..1s", "1s..x")

	for text, want := range map[string]float64{"20%": 0.2, "100%": 1, "0.5%": 0.005} {
		got, err := policies.ParseShare("share", text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	share := func(text string) (float64, error) { return policies.ParseShare("share", text) }
	refused(t, share, "share", "20", "0%", "101%", "-1%", "x%", "NaN%", "")

	for text, want := range map[string]policies.Halt{"": {}, "1": {Count: 1}, "10": {Count: 10}, "5%": {Share: 0.05}} {
		got, err := policies.ParseHalt(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	refused(t, policies.ParseHalt, "halt", "0", "-1", "x", "0%", "101%")
}

func refused[T any](t *testing.T, parse func(string) (T, error), flag string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		_, err := parse(text)
		require.ErrorIs(t, err, policies.ErrFlag, text)
		require.ErrorContains(t, err, "--"+flag+" ", text)
	}
}

// Options make the policies that they name, in this order, and no others.
func TestSets(t *testing.T) {
	for name, c := range map[string]struct {
		options  policies.Options
		policies int
		limiter  float64 // per second, 0 for none
		burst    int
		breaker  bool
		ofHosts  bool
		adapts   bool
	}{
		"none":               {options: policies.Options{}},
		"retries":            {options: policies.Options{Retries: 1}, policies: 1},
		"a rate":             {options: policies.Options{Rate: "50/s"}, policies: 1, limiter: 50, burst: 1},
		"a rate and a burst": {options: policies.Options{Rate: "50/s", Burst: 7}, policies: 1, limiter: 50, burst: 7},
		"a rate to be found": {options: policies.Options{Rate: "auto"}, policies: 2, limiter: 20, burst: 1, adapts: true},
		"a breaker":          {options: policies.Options{Breaker: "8"}, policies: 2, breaker: true},
		"no breaker":         {options: policies.Options{Breaker: "off"}},
		"a share":            {options: policies.Options{Breaker: "50%"}, policies: 2, breaker: true},
		"all":                {options: policies.Options{Retries: 1, Breaker: "50%/7", Rate: "1/s"}, policies: 4, limiter: 1, burst: 1, breaker: true},
		"all, of requests":   {options: policies.Options{Retries: 1, Breaker: "50%/7", Rate: "1/s", HTTP: true}, policies: 2, limiter: 1, burst: 1, ofHosts: true},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := policies.New(c.options)
			require.NoError(t, err)
			require.Len(t, s.Policies(), c.policies)
			require.Equal(t, c.breaker, s.Breaker != nil)
			require.Equal(t, c.ofHosts, s.BreakerPolicy != nil)
			require.Equal(t, c.adapts, s.Adapts())
			require.Equal(t, c.limiter > 0, s.Limiter != nil)
			if s.Limiter != nil {
				require.Equal(t, c.limiter, s.Limiter.Rate())
				require.Equal(t, float64(c.burst), s.Limiter.AvailableTokens())
			}
		})
	}
	for flag, o := range map[string]policies.Options{
		"rate": {Rate: "x"}, "retries": {Retries: -1}, "backoff": {Retries: 1, Backoff: "x"}, "retry-budget": {Retries: 1, RetryBudget: "x"},
		"retry-on": {RetryOn: "x"}, "throttle-on": {ThrottleOn: "x"}, "fatal-on": {FatalOn: "x"}, "retry-after": {RetryAfter: "x"},
		"timeout": {Timeout: "x"}, "breaker": {Breaker: "x"},
	} {
		_, err := policies.New(o)
		require.ErrorIs(t, err, policies.ErrFlag, flag)
		require.ErrorContains(t, err, "--"+flag+" ")
	}
	for _, text := range []string{"0", "-1", "x", "50%/", "50%/0", "50%/x", "0%/5", "101%"} {
		_, err := policies.New(policies.Options{Breaker: text})
		require.ErrorIs(t, err, policies.ErrFlag, text)
		require.ErrorContains(t, err, "--breaker", text)
	}
}

// A share of failures opens a breaker once there are enough calls.
func TestBreakerOfAShare(t *testing.T) {
	for text, opensAt := range map[string]int{"50%/4": 4, "50%/1": 1, "50%": 20, "6": 6} {
		synctest.Test(t, func(t *testing.T) {
			s, err := policies.New(policies.Options{Breaker: text})
			require.NoError(t, err)
			var calls atomic.Int64
			service := func() error {
				if calls.Add(1) <= int64(opensAt) {
					return exit(1)
				}
				return nil
			}
			for range opensAt - 1 {
				require.Error(t, do(t.Context(), s, service))
				require.Zero(t, s.Opened.Load(), text)
			}
			began, result := time.Now(), make(chan error)
			go func() { result <- do(t.Context(), s, service) }() // it opens, and is made again
			time.Sleep(time.Second)
			require.Equal(t, int64(1), s.Opened.Load(), text)
			open, waiting, why := s.Open()
			require.True(t, open)
			require.Equal(t, 1, waiting)
			require.Equal(t, exit(1).Error(), why)
			require.Equal(t, time.Second, s.Paused())
			require.NoError(t, <-result)
			require.Equal(t, 5*time.Second, time.Since(began), "as long as it is open by default")
			require.Equal(t, 5*time.Second, s.Paused())
			open, waiting, why = s.Open()
			require.False(t, open)
			require.Zero(t, waiting)
			require.Empty(t, why)
		})
	}
}

// What is no failure of the service opens no breaker: a refusal, and files of our own
// that ran out.
func TestNotTheServices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := policies.New(policies.Options{Breaker: "1"})
		require.NoError(t, err)
		own := &process.SpawnError{Err: syscall.EMFILE}
		require.True(t, process.Own(own))
		for _, failure := range []error{exit(75), own} {
			require.ErrorIs(t, do(t.Context(), s, func() error { return failure }), failure)
			require.Zero(t, s.Opened.Load(), "%v", failure)
		}
	})
}

// How often a failure is tried, of which kind, and with what waits between.
func TestTries(t *testing.T) {
	text := func(s string) func() []byte { return func() []byte { return []byte(s) } }
	for name, c := range map[string]struct {
		options policies.Options
		seen    policies.Seen
		calls   int
		least   time.Duration
	}{
		"no retries":               {policies.Options{}, policies.Seen{Err: exit(1)}, 1, 0},
		"two":                      {policies.Options{Retries: 2, Backoff: "1s..1s"}, policies.Seen{Err: exit(1)}, 3, 0},
		"of another kind":          {policies.Options{Retries: 2, RetryOn: "exit:2"}, policies.Seen{Err: exit(1)}, 1, 0},
		"of that kind":             {policies.Options{Retries: 2, RetryOn: "exit:2"}, policies.Seen{Err: exit(2)}, 3, 0},
		"no such command":          {policies.Options{Retries: 2}, policies.Seen{Err: exit(127)}, 1, 0},
		"not executable":           {policies.Options{Retries: 2}, policies.Seen{Err: exit(126)}, 1, 0},
		"125 is the command's own": {policies.Options{Retries: 2}, policies.Seen{Err: exit(125)}, 3, 0},
		"any":                      {policies.Options{Retries: 2, RetryOn: "any"}, policies.Seen{Err: exit(127)}, 3, 0},
		"throttled":                {policies.Options{Retries: 2, RetryOn: "exit:2"}, policies.Seen{Err: exit(75)}, 3, 0},
		"throttled, no retries":    {policies.Options{}, policies.Seen{Err: exit(75)}, 1, 0},
		"throttled, rate auto":     {policies.Options{Rate: "auto", Backoff: "1ms..1ms"}, policies.Seen{Err: exit(75)}, 21, 0},
		"failed, rate auto":        {policies.Options{Rate: "auto"}, policies.Seen{Err: exit(1)}, 1, 0},
		"told when":                {policies.Options{Retries: 1, RetryAfter: `err:/in (\d+) s/`}, policies.Seen{Err: exit(1), Stderr: text("again in 9 s")}, 2, 9 * time.Second},
		"told by the error":        {policies.Options{Retries: 1}, policies.Seen{Err: later(7 * time.Second)}, 2, 7 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, err := policies.New(c.options)
				require.NoError(t, err)
				calls, began := 0, time.Now()
				next := func(context.Context) error { calls++; return s.Judge(c.seen) }
				for _, p := range backward(s.Policies()) {
					inner := next
					next = func(ctx context.Context) error { return p.Do(ctx, inner) }
				}
				err = next(t.Context())
				require.ErrorIs(t, err, c.seen.Err)
				require.Equal(t, c.calls, calls)
				require.GreaterOrEqual(t, time.Since(began), c.least)
				require.Equal(t, int64(c.calls-1), s.Retried.Load())
				throttled := policies.IsThrottled(err)
				require.Equal(t, throttled, s.Throttled.Load() == int64(c.calls))
			})
		})
	}
}

func backward[T any](list []T) (out []T) {
	for i := range list {
		out = append(out, list[len(list)-1-i])
	}
	return out
}

// later is an answer that says when to come back.
type later time.Duration

func (l later) Error() string             { return "later" }
func (l later) RetryAfter() time.Duration { return time.Duration(l) }

// never is an error of what would not go better another time.
type never struct{}

func (never) Error() string   { return "never" }
func (never) Permanent() bool { return true }

func TestJudge(t *testing.T) {
	s, err := policies.New(policies.Options{FatalOn: "exit:9,exit:75", RetryAfter: `out:/(\S+)s/`})
	require.NoError(t, err)
	out := func(text string) policies.Seen {
		return policies.Seen{Err: exit(1), Out: func() []byte { return []byte(text) }}
	}
	for text, want := range map[string]time.Duration{"2.5s": 2500 * time.Millisecond, "0s": 0, "1000000s": 1e6 * time.Second} {
		err := s.Judge(out(text))
		var refusal interface{ RetryAfter() time.Duration }
		require.ErrorAs(t, err, &refusal, text)
		require.Equal(t, want, refusal.RetryAfter(), text)
		f, ok := policies.AsFailure(err)
		require.True(t, ok && f.Retry && !f.Fatal)
	}
	for _, text := range []string{"-1s", "1000001s", "xs", "nothing", ""} {
		require.False(t, policies.IsThrottled(s.Judge(out(text))), text)
	}
	require.False(t, policies.IsThrottled(s.Judge(policies.Seen{Err: exit(1)})), "there is no output")
	fatal := s.Judge(policies.Seen{Err: exit(75)})
	require.False(t, policies.IsThrottled(fatal), "fatal goes first")
	f, ok := policies.AsFailure(fatal)
	require.True(t, ok && f.Fatal && !f.Retry)
	require.Equal(t, exit(75).Error(), f.Error())
	s.Again = func(policies.Seen) bool { return false }
	f, _ = policies.AsFailure(s.Judge(policies.Seen{Err: exit(1)}))
	require.False(t, f.Retry)
	s.Again = nil
	f, _ = policies.AsFailure(s.Judge(policies.Seen{Err: never{}}))
	require.False(t, f.Retry, "the error knows better")
	_, ok = policies.AsFailure(errors.New("another"))
	require.False(t, ok)
	for _, bad := range []string{"err:/x/", "in:/(x)/", "err:x", "err:/(/", "err"} {
		_, err := policies.ParseRetryAfter(bad)
		require.ErrorIs(t, err, policies.ErrFlag, bad)
	}
}

// Waiting for the rate is counted.
func TestWaited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := policies.New(policies.Options{Rate: "10/s"})
		require.NoError(t, err)
		for range 4 {
			require.NoError(t, do(t.Context(), s, func() error { return nil }))
		}
		require.Equal(t, int64(300*time.Millisecond), s.Waited.Load())
	})
}

// While the breaker is open, only what says something of the service is not charged.
func TestChargedWhileOpen(t *testing.T) {
	for name, c := range map[string]struct {
		failure error
		cancel  bool
		calls   int
	}{
		"a failure":     {exit(1), false, 3},
		"fatal":         {exit(9), false, 1},
		"throttled":     {exit(75), false, 1},
		"the run ended": {exit(1), true, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, err := policies.New(policies.Options{Breaker: "1", BreakerWait: time.Second, FatalOn: "exit:9"})
				require.NoError(t, err)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				begun, calls := make(chan bool), 0
				result := make(chan error)
				go func() {
					result <- do(ctx, s, func() error {
						if calls++; calls == 1 {
							close(begun)
							time.Sleep(500 * time.Millisecond) // meanwhile another one opens the breaker
						}
						if calls == 3 {
							return nil
						}
						return c.failure
					})
				}()
				<-begun
				other, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
				defer stop()
				require.Error(t, do(other, s, func() error { return exit(1) }))
				require.Equal(t, int64(1), s.Opened.Load())
				if c.cancel {
					cancel()
				}
				err = <-result
				require.Equal(t, c.calls == 3, err == nil)
				require.Equal(t, c.calls, calls)
			})
		})
	}
}
