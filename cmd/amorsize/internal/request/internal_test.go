package request

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/template"
)

// The time of a request runs while it is under way, and its timeout counts that alone.
func TestSending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sending{timeout: 3 * time.Second}
		ctx := s.begin(t.Context(), t.Context())
		got, ok := sendingOf(ctx)
		require.True(t, ok)
		require.Same(t, s, got)
		require.Zero(t, s.hold(), "nothing has been sent")
		require.True(t, s.sendOne())
		time.Sleep(time.Second)
		s.runOn() // it runs already
		time.Sleep(time.Second)
		require.Equal(t, 2*time.Second, s.hold())
		time.Sleep(time.Minute)
		require.False(t, s.isLate(), "it waits for the rate")
		require.NoError(t, ctx.Err())
		s.runOn()
		time.Sleep(999 * time.Millisecond)
		require.False(t, s.isLate())
		time.Sleep(time.Millisecond)
		synctest.Wait()
		require.True(t, s.isLate())
		require.Error(t, ctx.Err())
		require.Equal(t, 3*time.Second, s.end())
	})
}

// Nothing is waited for where there is no timeout, and a request that ends is let go.
func TestSendingWithoutTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &sending{}
		ctx := s.begin(t.Context(), t.Context())
		require.True(t, s.sendOne())
		time.Sleep(1000 * time.Hour)
		require.NoError(t, ctx.Err())
		require.Equal(t, 1000*time.Hour, s.end())
		require.Error(t, ctx.Err())
	})
}

// As many connections are kept as there may be requests, and as many made as is allowed.
func TestConnections(t *testing.T) {
	for _, most := range []int{0, 1, 7} {
		spec, err := Parse(Config{URL: "http://h/{}", OK: "200", Form: Body, Connection: Connection{Max: most}}, template.Scope{})
		require.NoError(t, err)
		r, err := New(spec, Surroundings{Timeout: func() time.Duration { return 0 }})
		require.NoError(t, err)
		require.Equal(t, []int{0, 1 << 14, most, 1 << 20},
			[]int{r.base.MaxIdleConns, r.base.MaxIdleConnsPerHost, r.base.MaxConnsPerHost, int(r.base.MaxResponseHeaderBytes)})
		require.Equal(t, most > 0, r.sending().queues)
		require.NotSame(t, http.DefaultTransport, r.base)
		r.Close()
	}
}

// What a runner has kept for further requests is released when it is closed: its connections and its files.
func TestCloseReleases(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 5000)) }))
	defer server.Close()
	spec, err := Parse(Config{URL: server.URL, OK: "200", Form: Body}, template.Scope{})
	require.NoError(t, err)
	r, err := New(spec, Surroundings{Timeout: func() time.Duration { return 0 }})
	require.NoError(t, err)
	var closed atomic.Bool
	r.base.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		return noted{conn, &closed}, err
	}
	out, err := try(t, r, "a")
	require.NoError(t, err)
	require.Len(t, out, 5000)
	require.False(t, closed.Load(), "it is kept")
	r.Close()
	require.True(t, closed.Load())

	dir := filepath.Join(t.TempDir(), "none")
	t.Setenv("TMPDIR", dir)
	t.Setenv("TMP", dir)
	_, err = r.files.Keep(bytes.NewReader(make([]byte, 5000)))
	require.ErrorIs(t, err, os.ErrNotExist, "another file has to be made")
}

// noted notes when it is closed.
type noted struct {
	net.Conn
	closed *atomic.Bool
}

// Close closes the connection.
func (n noted) Close() error {
	n.closed.Store(true)
	return n.Conn.Close()
}

// How many requests the files allow that may be open: each has a connection, and a file if
// its answer is large.
func TestCaps(t *testing.T) {
	require.Equal(t, jobs.Caps{}, caps(0, 7))
	for limit, fixed := range map[int]int{1: 1, 24: 1, 27: 1, 28: 2, 29: 2, 30: 3, 1024: 500} {
		require.Equal(t, jobs.Caps{Files: 14, Fixed: fixed}, caps(limit, 7), limit)
	}
}
