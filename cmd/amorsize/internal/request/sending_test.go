package request

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/transport"
)

// Where the number of connections is limited, the wait for one is not the request's time. It runs again when a name
// is looked up, when a connection is made, and when one is there that another request has left.
func TestWaitForAConnectionIsNotCounted(t *testing.T) {
	for name, goOn := range map[string]func(*httptrace.ClientTrace){
		"a name is looked up":         func(on *httptrace.ClientTrace) { on.DNSStart(httptrace.DNSStartInfo{Host: "h"}) },
		"a connection is made":        func(on *httptrace.ClientTrace) { on.ConnectStart("tcp", "h:80") },
		"a connection has been freed": func(on *httptrace.ClientTrace) { on.GotConn(httptrace.GotConnInfo{Reused: true}) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &sending{queues: true, timeout: time.Hour}
				on := httptrace.ContextClientTrace(s.begin(t.Context(), t.Context()))
				require.True(t, s.sendOne())
				time.Sleep(time.Second)
				on.GetConn("h:80")
				time.Sleep(2 * time.Hour)
				goOn(on)
				time.Sleep(time.Second)
				require.Equal(t, 2*time.Second, s.end())
				require.False(t, s.isLate())
			})
		})
	}
}

// The shortest timeout there is ends a request, too.
func TestShortestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sending{timeout: 1}
		ctx := s.begin(t.Context(), t.Context())
		require.True(t, s.sendOne())
		<-ctx.Done()
		require.True(t, s.isLate())
		require.Equal(t, time.Duration(1), s.end())
	})
}

// A request that ends leaves nothing with the contexts of its run, which may have millions of them: neither one that
// was answered nor one that could not be made.
func TestEndedRequestsLeaveNothing(t *testing.T) {
	r := answering(t, Config{URL: "{}"}, func(req *http.Request) (*http.Response, error) { return answered(req, 200, ""), nil })
	for item, made := range map[string]bool{"http://h/": true, "http://h\x7f/": false} {
		sent := r.sending()
		err := r.try(t.Context(), &jobs.Job{Batch: []items.Item{items.Of(1, item)}}, sent)
		require.Equal(t, made, err == nil, err)
		for _, unlink := range sent.unlink {
			require.False(t, unlink(), "it has been called")
		}
	}
}

// Nothing is sent where requests in flight have been told to end.
func TestNothingIsSentAfterTheEnd(t *testing.T) {
	ended, end := context.WithCancel(t.Context())
	end()
	s := &sending{}
	ctx := s.begin(t.Context(), ended)
	require.Error(t, ctx.Err())
	s.end()

	r := answering(t, Config{URL: "http://h/{}"}, func(req *http.Request) (*http.Response, error) {
		t.Error("it is sent")
		return answered(req, 200, ""), nil
	})
	r.Close()
	_, err := try(t, r, "a")
	require.ErrorIs(t, err, context.Canceled)
}

// A request that may not be sent any more ends with the reason, though that may come a moment later.
func TestUnsentRequestEndsWithTheReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sending{unlink: []func() bool{func() bool { return false }}} // the attempt's context has ended
		ctx, cancel := context.WithCancelCause(context.WithValue(t.Context(), sendingKey{}, s))
		bodyClosed := false
		body := struct {
			io.Reader
			io.Closer
		}{http.NoBody, closer(func() { bodyClosed = true })}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://h/", body)
		require.NoError(t, err)
		why := errors.New("interrupted")
		ended := make(chan error, 1)
		go func() {
			resp, err := sender{}.RoundTrip(req)
			if resp != nil {
				_ = resp.Body.Close()
			}
			ended <- err
		}()
		synctest.Wait()
		require.Empty(t, ended)
		require.True(t, bodyClosed)
		cancel(why)
		require.Equal(t, why, <-ended)
	})
}

// The waits of the policies are not a request's time: neither before it nor before what it is redirected to. What is
// no request of a job has no time at all.
func TestWaitsOfPoliciesAreNotCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		serve := service(func(req *http.Request) (*http.Response, error) {
			time.Sleep(time.Second)
			return answered(req, 200, ""), nil
		})
		limited := waiter{service(func(req *http.Request) (*http.Response, error) {
			time.Sleep(time.Hour)
			return sender{serve}.RoundTrip(req)
		})}
		s := &sending{timeout: time.Minute}
		for _, ctx := range []context.Context{s.begin(t.Context(), t.Context()), t.Context()} {
			for range 2 {
				req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://h/", nil)
				require.NoError(t, err)
				resp, err := limited.RoundTrip(req)
				require.NoError(t, err)
				require.NoError(t, resp.Body.Close())
			}
			require.Equal(t, 2*time.Second, s.end())
		}
	})
}

// With --hedge, a request that takes far longer than the others is sent a second time, and without it is not. The
// answer is told as its own server means it, whatever the other one said.
func TestHedge(t *testing.T) {
	const before = 60
	for name, c := range map[string]struct {
		hedge  bool
		took   time.Duration // by the first one that takes long
		status int           // of it, and of the second one
		second int
		want   error
		sent   int32
	}{
		"not hedged":        {false, time.Hour, 200, 0, nil, before + 1},
		"the second wins":   {true, time.Hour, 200, 200, nil, before + 2},
		"both are refusals": {true, 2 * time.Second, 429, 500, &transport.ThrottledError{}, before + 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var sent atomic.Int32
				r := answering(t, Config{URL: "http://h/{}", Hedge: c.hedge}, func(req *http.Request) (*http.Response, error) {
					takes, status := time.Second, 200
					switch sent.Add(1) {
					case before + 1:
						takes, status = c.took, c.status
					case before + 2:
						status = c.second
					}
					select {
					case <-time.After(takes):
						return answered(req, status, ""), nil
					case <-req.Context().Done():
						return nil, context.Cause(req.Context())
					}
				})
				for range before {
					_, err := try(t, r, "a")
					require.NoError(t, err)
				}
				_, err := try(t, r, "a")
				require.IsType(t, c.want, err)
				require.Equal(t, c.sent, sent.Load())
			})
		})
	}
}
