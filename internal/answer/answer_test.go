package answer_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/internal/answer"
)

// Errors as clients, drivers and services have them, each with one method to be read.
type (
	status    int
	prefixed  int
	later     time.Duration
	timeout   bool
	sqlState  string
	large     bool
	permanent bool
)

func (e status) Error() string            { return fmt.Sprintf("status %d", int(e)) }
func (e status) StatusCode() int          { return int(e) }
func (e prefixed) Error() string          { return fmt.Sprintf("status %d", int(e)) }
func (e prefixed) HTTPStatusCode() int    { return int(e) }
func (e later) Error() string             { return "later" }
func (e later) RetryAfter() time.Duration { return time.Duration(e) }
func (e timeout) Error() string           { return "timeout" }
func (e timeout) Timeout() bool           { return bool(e) }
func (e sqlState) Error() string          { return "state " + string(e) }
func (e sqlState) SQLState() string       { return string(e) }
func (e large) Error() string             { return "large" }
func (e large) TooLarge() bool            { return bool(e) }
func (e permanent) Error() string         { return "permanent" }
func (e permanent) Permanent() bool       { return bool(e) }

var errDown = errors.New("down")

func wrapped(first, second error) error { return fmt.Errorf("call: %w: %w", first, second) }

func TestRetryAfter(t *testing.T) {
	for _, c := range []struct {
		err   error
		after time.Duration
		ok    bool
	}{
		{nil, 0, false},
		{errDown, 0, false},
		{later(0), 0, true},
		{later(-1), 0, true},
		{later(time.Second), time.Second, true},
		{wrapped(errDown, later(3)), 3, true},
		{answer.Unmade(refusal(3)), 0, false},
	} {
		after, ok := answer.RetryAfter(c.err)
		require.Equal(t, c.after, after, "%v", c.err)
		require.Equal(t, c.ok, ok, "%v", c.err)
	}
}

func TestLost(t *testing.T) {
	for _, c := range []struct {
		err             error
		lost, throttled bool
	}{
		{nil, false, false},
		{errDown, false, false},
		{later(0), true, true},
		{wrapped(refusal(0), later(0)), true, true},
		{refusal(0), false, false},
		{wrapped(refusal(0), syscall.ECONNREFUSED), false, false},
		{timeout(true), true, false},
		{timeout(false), false, false},
		{wrapped(timeout(false), context.DeadlineExceeded), true, false},
		{os.ErrDeadlineExceeded, true, false},
		{context.DeadlineExceeded, true, false},
		{context.Canceled, false, false},
		{sqlState("53300"), true, false},
		{sqlState("53"), true, false},
		{sqlState("5"), false, false},
		{sqlState("54000"), false, false},
		{sqlState("23505"), false, false},
		{io.ErrUnexpectedEOF, true, false},
		{io.EOF, false, false},
		{wrapped(errDown, io.ErrUnexpectedEOF), true, false},
		// A status has the word; 0 is none.
		{wrapped(status(404), context.DeadlineExceeded), false, false},
		{wrapped(status(503), later(0)), true, false},
		{wrapped(status(0), context.DeadlineExceeded), true, false},
		{wrapped(status(0), errDown), false, false},
		{wrapped(status(1), context.DeadlineExceeded), false, false},
	} {
		lost, throttled := answer.Lost(c.err)
		require.Equal(t, c.lost, lost, "%v", c.err)
		require.Equal(t, c.throttled, throttled, "%v", c.err)
	}
}

// Of the statuses, those that say that there is no room are losses, and one counts calls.
func TestStatuses(t *testing.T) {
	for code := 100; code < 600; code++ {
		for _, err := range []error{status(code), prefixed(code), wrapped(errDown, prefixed(code))} {
			lost, throttled := answer.Lost(err)
			require.Equal(t, code == 429 || 502 <= code && code <= 504 || code == 529, lost, "%v", err)
			require.Equal(t, code == 429, throttled, "%v", err)
			require.Equal(t, code == 413 || code == 414, answer.TooLarge(err), "%v", err)
		}
	}
}

func TestTooLarge(t *testing.T) {
	for _, c := range []struct {
		err  error
		want bool
	}{
		{nil, false},
		{errDown, false},
		{large(true), true},
		{large(false), false},
		{wrapped(large(true), status(400)), true},
		{wrapped(large(false), status(413)), true},
		{sqlState("54000"), true},
		{sqlState("53300"), false},
		{wrapped(sqlState("53300"), errors.New("message too large")), false},
		{wrapped(status(400), errors.New("message too large")), false},
		{wrapped(status(0), errors.New("message too large")), true},
		{errors.New("kafka: Message Too Large (10)"), true},
		{errors.New("write: message too long"), true},
		{errors.New("message was too large, server has a maximum of 1 MB"), true},
		{errors.New("grpc: received message larger than max (5 vs. 4)"), true},
		{errors.New("413 Request Entity Too Large"), true},
		{errors.New("payload too large"), true},
		{errors.New("the message is large"), false},
	} {
		require.Equal(t, c.want, answer.TooLarge(c.err), "%v", c.err)
	}
}

func TestPermanent(t *testing.T) {
	require.False(t, answer.Permanent(nil))
	require.False(t, answer.Permanent(errDown))
	require.False(t, answer.Permanent(permanent(false)))
	require.True(t, answer.Permanent(permanent(true)))
	require.True(t, answer.Permanent(wrapped(errDown, permanent(true))))
}

type atFault bool

func (f atFault) Error() string { return "judged" }
func (f atFault) Failure() bool { return bool(f) }

// Whose fault an error is can be said by it, however deep it is.
func TestFailure(t *testing.T) {
	for err, want := range map[error][2]bool{
		atFault(true):                            {true, true},
		fmt.Errorf("wrapped: %w", atFault(true)): {true, true},
		atFault(false):                           {false, true},
		errors.New("any other"):                  {false, false},
	} {
		failed, said := answer.Failure(err)
		require.Equal(t, want, [2]bool{failed, said}, err)
	}
}
