package transport

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/concurrency"
	"github.com/amorsize/amorsize/internal/answer"
	"github.com/amorsize/amorsize/ratelimit"
	"github.com/amorsize/amorsize/retry"
)

var errOdd = errors.New("odd")

// Why an attempt ended is said where only its own context was canceled, and beside what it said itself otherwise.
func TestWhyAnAttemptEnded(t *testing.T) {
	late, canceled := context.DeadlineExceeded, context.Canceled
	for name, c := range map[string]struct {
		cause, err error
		want       []error
	}{
		"it came":                  {late, nil, []error{late}},
		"it came, canceled":        {canceled, nil, []error{canceled}},
		"it was ended":             {late, canceled, []error{late}},
		"the caller canceled":      {canceled, canceled, []error{canceled}},
		"it says so itself":        {late, late, []error{late}},
		"it failed at that moment": {late, errOdd, []error{late, errOdd}},
		"it failed, canceled":      {canceled, errOdd, []error{canceled, errOdd}},
	} {
		err := ended(c.cause, c.err)
		for _, want := range []error{late, canceled, errOdd} {
			require.Equal(t, slices.Contains(c.want, want), errors.Is(err, want), name)
		}
		if len(c.want) == 1 {
			require.Equal(t, c.want[0], err, name)
		}
	}
}

// A request is in flight until its body has been read, could not be read, or is closed.
func TestCountedBody(t *testing.T) {
	for name, c := range map[string]struct {
		body  io.Reader
		reads int // that leave it in flight
	}{
		"read":         {iotest.OneByteReader(strings.NewReader("abc")), 3},
		"of no length": {strings.NewReader(""), 0},
		"broken":       {iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader("abc"))), 1},
	} {
		l := concurrency.MustNew(concurrency.Policy{})
		p, ok := l.TryAcquire()
		require.True(t, ok)
		b := &counted{io.NopCloser(c.body), p}
		for range c.reads {
			_, err := b.Read(make([]byte, 9))
			require.NoError(t, err, name)
			require.Equal(t, 1, l.Stats().InFlight, name)
		}
		_, err := b.Read(make([]byte, 9))
		require.Error(t, err, name)
		require.Zero(t, l.Stats().InFlight, name)
		require.NoError(t, b.Close())
	}
}

// A body comes if there is one, and none that is the connection itself.
func TestWhetherABodyComes(t *testing.T) {
	some := io.NopCloser(strings.NewReader("x"))
	for want, resps := range map[bool][]*http.Response{
		true:  {{StatusCode: 200, Body: some}, {StatusCode: 503, Body: some}},
		false: {nil, {StatusCode: 200}, {StatusCode: 200, Body: http.NoBody}, {StatusCode: http.StatusSwitchingProtocols, Body: some}},
	} {
		for _, resp := range resps {
			require.Equal(t, want, (&exchange{resp: resp}).comes(), resp)
		}
	}
}

// Only a body whose request may be sent again is read ahead.
func TestWhichBodiesAreReadAhead(t *testing.T) {
	retries, none := &Transport{retrier: retry.MustNew(retry.Policy{})}, new(Transport)
	for _, body := range []io.ReadCloser{nil, http.NoBody} {
		x := &exchange{t: retries, resp: &http.Response{Body: body}}
		x.fetch()
		require.Equal(t, body, x.resp.Body)
	}
	x := &exchange{t: none, resp: &http.Response{Body: io.NopCloser(strings.NewReader("x"))}}
	x.fetch()
	_, is := x.resp.Body.(*ahead)
	require.False(t, is)
}

// A body that is read ahead is read when it has come, byte by byte if need be, and is closed when nobody reads it any more.
func TestReadAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from, to := io.Pipe()
		a := &ahead{rest: from, close: from.Close, done: make(chan struct{})}
		go a.fetch()
		var got bytes.Buffer
		read := make(chan error)
		go func() {
			_, err := io.Copy(&got, iotest.OneByteReader(a))
			read <- err
		}()
		for _, part := range []string{"a", "bc", "d"} {
			time.Sleep(time.Second)
			_, err := io.WriteString(to, part)
			require.NoError(t, err)
		}
		synctest.Wait()
		require.Empty(t, got.String(), "it has not come yet")
		require.NoError(t, to.Close())
		require.NoError(t, <-read)
		require.Equal(t, "abcd", got.String())

		from, _ = io.Pipe()
		a = &ahead{rest: from, close: from.Close, done: make(chan struct{})}
		go a.fetch()
		require.NoError(t, a.Close())
		select {
		case <-a.done:
		default:
			require.Fail(t, "it is still read")
		}
	})
}

// What the host never got takes no token of either limit.
func TestTokensOfBothLimitsComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Hour)
		all, host := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 1, BurstSize: 5}), ratelimit.MustNewKeyed[string](ratelimit.Policy{RequestsPerSecond: 1, BurstSize: 5}, 0)
		x := &exchange{t: &Transport{limiter: all, perHost: host}}
		left := func() (n float64) {
			_ = host.Use("h", func(l *ratelimit.Limiter) error { n = l.AvailableTokens(); return nil })
			return n
		}
		for _, c := range []struct {
			err  error
			left float64
		}{{answer.Unmade(&ratelimit.ExceededError{}), 5}, {nil, 4}, {errOdd, 3}, {answer.Unmade(&ratelimit.ExceededError{}), 3}} {
			require.Equal(t, c.err == nil, x.bothLimits(t.Context(), "h", func(context.Context) error { return c.err }) == nil)
			require.InDelta(t, c.left, all.AvailableTokens(), 1e-6)
			require.InDelta(t, c.left, left(), 1e-6)
		}
		require.Error(t, x.bothLimits(t.Context(), "h", func(context.Context) error {
			time.Sleep(time.Second) // in which the next token came
			return answer.Unmade(&ratelimit.ExceededError{})
		}))
		require.InDelta(t, 3, all.AvailableTokens(), 1e-6)
		require.InDelta(t, 3, left(), 1e-6)
	})
}

// A caller that is refused is told whole seconds, none too short.
func TestSecondsOfARefusal(t *testing.T) {
	for after, want := range map[time.Duration]string{0: "0", 1: "1", time.Second: "1", time.Second + 1: "2", 9*time.Second + 1: "10", 99 * time.Second: "99"} {
		w := httptest.NewRecorder()
		refuse(w, &concurrency.FullError{RetryAfter: after})
		require.Equal(t, want, w.Header().Get("Retry-After"))
		require.Equal(t, http.StatusServiceUnavailable, w.Code)
	}
}

// The status of an answer is its first one that is not informational, and all are passed on.
func TestStatusOfAnAnswer(t *testing.T) {
	for want, statuses := range map[int][]int{200: {200, 503}, 201: {103, 201}, 0: {103, 199}, 503: {503, 200}} {
		passed := &passing{ResponseWriter: httptest.NewRecorder()}
		r := &recorder{ResponseWriter: passed}
		for _, status := range statuses {
			r.WriteHeader(status)
		}
		require.Equal(t, want, r.status)
		require.Equal(t, statuses, passed.statuses)
	}
}

// passing is a response writer that is told statuses.
type passing struct {
	http.ResponseWriter
	statuses []int
}

func (p *passing) WriteHeader(status int) { p.statuses = append(p.statuses, status) }

// Numbers near the host's own time are instants, in seconds or in milliseconds; smaller ones are times from now.
func TestWhenALimitIsReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // it is 2000-01-01 00:00:00 UTC, which is 946684800
		for value, want := range map[string]time.Duration{
			"0": 0, "30": 30 * time.Second, "315360000": longest, " 6m0s ": 6 * time.Minute,
			"473342400": 0, "946684830": 30 * time.Second, "946684830.5": 30*time.Second + 500*time.Millisecond,
			"473342400000": 0, "946684830000": 30 * time.Second, "946684830001": 30*time.Second + time.Millisecond,
			" Sat, 01 Jan 2000 00:00:10 GMT ": 10 * time.Second, "Tue, 29 Dec 2009 00:00:00 GMT": longest,
		} {
			after, ok := reset(http.Header{}, value)
			require.True(t, ok, value)
			require.Equal(t, want, after, value)
		}
		for _, value := range []string{"315360001", "400000000", "473342399", "473342399999", "Tue, 29 Dec 2009 00:00:01 GMT", "soon"} {
			_, ok := reset(http.Header{}, value)
			require.False(t, ok, value)
		}
		after, ok := wait(http.Header{}, " Sat, 01 Jan 2000 00:00:10 GMT ")
		require.True(t, ok)
		require.Equal(t, 10*time.Second, after)
	})
}
