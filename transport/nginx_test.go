package transport_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/ratelimit"
	"github.com/amorsize/amorsize/retry"
	"github.com/amorsize/amorsize/transport"
)

// These tests need a real nginx and real time, a minute of it: scripts/nginx.sh
// installs one and runs them. Alone, go test ./... leaves them out.

const nginxConf = `
daemon off;
master_process off;
pid DIR/nginx.pid;
error_log DIR/error.log;
events { worker_connections 512; }
http {
	access_log off;
	client_body_temp_path DIR/t; proxy_temp_path DIR/t; fastcgi_temp_path DIR/t; uwsgi_temp_path DIR/t; scgi_temp_path DIR/t;
	limit_req_zone  $server_name zone=requests:1m rate=50r/s;
	limit_conn_zone $server_name zone=connections:1m;
	server {
		listen 127.0.0.1:PORT;
		server_name test;
		location /free/  { alias DIR/; }
		location /rate/  { limit_req zone=requests burst=5 nodelay; alias DIR/; }
		location /conns/ { limit_conn connections 4; proxy_pass http://BACKEND/; }
	}
}`

// nginx starts one on loopback and returns its address.
func nginx(t *testing.T) string {
	t.Helper()
	path := os.Getenv("AMORSIZE_NGINX")
	if path == "" {
		t.Skip("AMORSIZE_NGINX names no nginx: see scripts/nginx.sh")
	}
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(20 * time.Millisecond) // the service's work
		_, _ = io.WriteString(w, "ok")
	}))
	t.Cleanup(backend.Close)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := free.Addr().String()
	require.NoError(t, free.Close())
	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)

	dir := t.TempDir()
	conf := strings.NewReplacer("DIR", dir, "PORT", port, "BACKEND", backend.Listener.Addr().String()).Replace(nginxConf)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(conf), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "file"), []byte("ok"), 0o600))
	var output bytes.Buffer
	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, path, "-c", filepath.Join(dir, "nginx.conf"), "-e", filepath.Join(dir, "error.log"))
	cmd.Stdout, cmd.Stderr = &output, &output
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { stop(); _ = cmd.Wait() })
	for range 500 { // a process tells no one that it listens
		if conn, err := net.Dial("tcp", address); err == nil {
			_ = conn.Close()
			return "http://" + address
		}
		time.Sleep(10 * time.Millisecond)
	}
	require.FailNow(t, "nginx does not listen", output.String())
	return ""
}

// drive sends n requests through the transport and returns how many nginx rejected.
func drive(t *testing.T, url string, n int, c transport.Config, opts ...amorsize.Option) (rejected int64, took time.Duration) {
	t.Helper()
	base := http.DefaultTransport.(*http.Transport).Clone()
	base.MaxIdleConnsPerHost = 64
	defer base.CloseIdleConnections()
	var count atomic.Int64
	c.Base = counting{base, &count}
	client := &http.Client{Transport: transport.MustNew(c)}
	start := time.Now()
	_, err := amorsize.ExecuteContext(t.Context(), func(ctx context.Context, i int) (string, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return "", err
		}
		resp, err := client.Do(req)
		if err != nil {
			return "", err
		}
		defer func() { _ = resp.Body.Close() }()
		text, err := io.ReadAll(resp.Body)
		if err == nil && resp.StatusCode != http.StatusOK {
			err = fmt.Errorf("item %d: %s", i, resp.Status)
		}
		return string(text), err
	}, make([]int, n), opts...)
	require.NoError(t, err)
	return count.Load(), time.Since(start)
}

type counting struct {
	http.RoundTripper
	rejected *atomic.Int64
}

func (c counting) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := c.RoundTripper.RoundTrip(req)
	if err == nil && resp.StatusCode == http.StatusServiceUnavailable {
		c.rejected.Add(1)
	}
	return resp, err
}

func TestNginxLimitReqKnown(t *testing.T) {
	url := nginx(t) + "/rate/file"
	limiter := ratelimit.MustNew(ratelimit.Policy{RequestsPerSecond: 50, BurstSize: 1})
	rejected, took := drive(t, url, 1000, transport.Config{Limiter: limiter})
	t.Logf("1000 requests in %v, %d rejected", took.Round(time.Millisecond), rejected)
	assert.Zero(t, rejected)
}

func TestNginxLimitReqFound(t *testing.T) {
	url := nginx(t) + "/rate/file"
	rejected, took := drive(t, url, 1000, transport.Config{Feedback: true, Retrier: retry.MustNew(retry.Policy{MaxRetries: 10})})
	t.Logf("1000 requests in %v, %d rejected", took.Round(time.Millisecond), rejected)
	assert.Less(t, rejected, int64(50))
}

func TestNginxLimitConn(t *testing.T) {
	url := nginx(t) + "/conns/file"
	rejected, took := drive(t, url, 1000, transport.Config{Feedback: true, Retrier: retry.MustNew(retry.Policy{MaxRetries: 10})})
	t.Logf("1000 requests in %v, %d rejected", took.Round(time.Millisecond), rejected)
	assert.Less(t, rejected, int64(100))
}
