//go:build unix

package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// These tests need programs that a machine may not have, and some of them a minute:
// scripts/command.sh installs them and sets AMORSIZE_PEERS. Alone, go test ./...
// leaves them out.
func needs(t *testing.T, programs ...string) {
	t.Helper()
	if os.Getenv("AMORSIZE_PEERS") == "" {
		t.Skip("AMORSIZE_PEERS is not set: see scripts/command.sh")
	}
	for _, program := range programs {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("there is no %s here", program)
		}
	}
}

// output runs a program over a file of items and returns its standard output and
// whether it succeeded.
func output(t *testing.T, items string, argv ...string) (out []byte, ok bool) {
	t.Helper()
	in, err := os.Open(items)
	require.NoError(t, err)
	defer func() { _ = in.Close() }()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), "AMORSIZE_HISTORY=off", "HOME="+t.TempDir(), "TMPDIR="+t.TempDir())
	cmd.Stdin = in
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err = cmd.Output()
	if _, exit := err.(*exec.ExitError); err != nil && !exit { //nolint:errorlint // as it comes
		require.NoError(t, err, errs.String())
	}
	return out, err == nil
}

func itemFile(t *testing.T, lines []string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "items")
	require.NoError(t, os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600))
	return path
}

func sorted(out []byte) string {
	lines := strings.SplitAfter(string(out), "\n")
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// TestPeers gives the same items to xargs, GNU parallel and amorsize: the outputs
// are to be the same.
func TestPeers(t *testing.T) {
	needs(t, "xargs", "parallel")
	amorsize := build(t)

	t.Run("10000 short jobs", func(t *testing.T) {
		var lines []string
		for i := range 10_000 {
			lines = append(lines, fmt.Sprint(i))
		}
		items := itemFile(t, lines)
		want, _ := output(t, items, "xargs", "-P4", "-n1", "echo", "got")
		// It takes up to 30 ms a job, so it is given the first thousand.
		theirs, _ := output(t, itemFile(t, lines[:1000]), "parallel", "--will-cite", "-j4", "-k", "echo", "got")
		ours, ok := output(t, items, amorsize, "run", "-q", "-k", "--", "echo", "got")
		require.True(t, ok)
		require.Equal(t, sorted(want), sorted(ours))
		require.Equal(t, string(theirs), string(ours[:len(theirs)]), "in order")
		require.Equal(t, "got "+strings.Join(lines, "\ngot ")+"\n", string(ours))
	})
	t.Run("640 MB of output", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "large")
		text := bytes.Repeat([]byte("the quick brown fox jumps over the lazy dog 0123456789\n"), (16<<20)/55)
		require.NoError(t, os.WriteFile(file, text, 0o600))
		items := itemFile(t, slices.Repeat([]string{file}, 40))
		sum := func(argv ...string) string {
			t.Helper()
			in, err := os.Open(items)
			require.NoError(t, err)
			defer func() { _ = in.Close() }()
			cmd := exec.Command(argv[0], argv[1:]...)
			cmd.Stdin = in
			hash := sha256.New()
			cmd.Stdout = hash
			cmd.Env = append(os.Environ(), "AMORSIZE_HISTORY=off", "HOME="+t.TempDir())
			require.NoError(t, cmd.Run())
			return fmt.Sprintf("%x", hash.Sum(nil))
		}
		want := sum("xargs", "-n1", "cat")
		require.Equal(t, want, sum("parallel", "--will-cite", "-j2", "cat"))
		require.Equal(t, want, sum(amorsize, "run", "-q", "--", "cat"))
		require.Equal(t, want, sum(amorsize, "run", "-q", "-k", "-j4", "--", "cat"))
	})
	t.Run("failures", func(t *testing.T) {
		var lines []string
		for i := range 200 {
			lines = append(lines, fmt.Sprint(i))
		}
		items := itemFile(t, lines)
		const script = `echo "out $1"; test $(($1 % 7)) != 0`
		want, failed := output(t, items, "xargs", "-P4", "-n1", "sh", "-c", script, "sh")
		theirs, theirsFailed := output(t, items, "parallel", "--will-cite", "-j4", "-k", "sh", "-c", "'"+script+"'", "sh")
		ours, oursFailed := output(t, items, amorsize, "run", "-q", "-k", "--sh", script)
		require.Equal(t, []bool{false, false, false}, []bool{failed, theirsFailed, oursFailed})
		require.Equal(t, sorted(want), sorted(ours))
		require.Equal(t, string(theirs), string(ours))
	})
	t.Run("lines in order", func(t *testing.T) {
		var lines []string
		for i := range 100 {
			lines = append(lines, fmt.Sprint(i))
		}
		items := itemFile(t, lines)
		const script = `for i in 1 2 3; do echo "$1: $i"; sleep 0.00$(($1 % 7)); done`
		theirs, _ := output(t, items, "parallel", "--will-cite", "-j4", "-k", "--lb", "sh", "-c", "'"+script+"'", "sh")
		ours, ok := output(t, items, amorsize, "run", "-q", "-j4", "-k", "--output", "line", "--sh", script)
		require.True(t, ok)
		require.Equal(t, string(theirs), string(ours))
	})
	t.Run("1000 hostile names", func(t *testing.T) {
		dir := t.TempDir()
		random := rand.New(rand.NewPCG(1, 2))
		const alphabet = "ab \t\n'\"\\$`;|&<>(){}[]*?!~#-%ü日\x01\xff"
		var names []string
		for i := range 1000 {
			name := fmt.Sprintf("%d-", i)
			if i%3 == 0 {
				name = fmt.Sprintf("-%d", i)
			}
			for range 1 + random.IntN(20) {
				name += string(alphabet[random.IntN(len(alphabet))])
			}
			path := filepath.Join(dir, name)
			require.NoError(t, os.WriteFile(path, []byte(name), 0o600))
			names = append(names, path)
		}
		items := filepath.Join(t.TempDir(), "items")
		require.NoError(t, os.WriteFile(items, []byte(strings.Join(names, "\x00")+"\x00"), 0o600))
		want, _ := output(t, items, "xargs", "-0", "-P4", "-n1", "cat", "--")
		theirs, _ := output(t, items, "parallel", "--will-cite", "-0", "-k", "-j4", "cat", "--")
		ours, ok := output(t, items, amorsize, "run", "-q", "-0", "-k", "--", "cat", "--", "{}")
		require.True(t, ok)
		require.Len(t, ours, len(want))
		require.Equal(t, string(theirs), string(ours))
	})
}

const nginxConf = `
daemon off;
master_process off;
pid DIR/nginx.pid;
error_log DIR/error.log;
events { worker_connections 512; }
http {
	log_format status '$status';
	access_log DIR/access.log status;
	client_body_temp_path DIR/t; proxy_temp_path DIR/t; fastcgi_temp_path DIR/t; uwsgi_temp_path DIR/t; scgi_temp_path DIR/t;
	limit_req_zone $server_name zone=requests:1m rate=50r/s;
	limit_req_status 429;
	server {
		listen 127.0.0.1:PORT;
		server_name test;
		location / { limit_req zone=requests burst=10 nodelay; alias DIR/; }
	}
}`

// nginx starts one on loopback that takes 50 requests per second, and returns its
// address and the statuses that it has answered so far.
func nginx(t *testing.T) (address string, statuses func() map[string]int) {
	t.Helper()
	path := os.Getenv("AMORSIZE_NGINX")
	if path == "" {
		t.Skip("AMORSIZE_NGINX names no nginx: see scripts/nginx.sh")
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	host := free.Addr().String()
	require.NoError(t, free.Close())
	_, port, err := net.SplitHostPort(host)
	require.NoError(t, err)
	dir := t.TempDir()
	conf := strings.NewReplacer("DIR", dir, "PORT", port).Replace(nginxConf)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(conf), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "file"), []byte("ok\n"), 0o600))
	cmd := exec.Command(path, "-c", filepath.Join(dir, "nginx.conf"), "-e", filepath.Join(dir, "error.log"))
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", host)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	}, 10*time.Second, 10*time.Millisecond)
	return "http://" + host + "/file?", func() map[string]int {
		text, err := os.ReadFile(filepath.Join(dir, "access.log"))
		require.NoError(t, err)
		count := map[string]int{}
		for line := range strings.FieldsSeq(string(text)) {
			count[line]++
		}
		return count
	}
}

// TestNginx runs 300 items against an nginx that takes 50 per second. With the
// rate known, none is refused; with the rate to be found, none is lost.
func TestNginx(t *testing.T) {
	amorsize := build(t)
	var lines []string
	for i := range 300 {
		lines = append(lines, fmt.Sprint(i))
	}
	items := itemFile(t, lines)
	curl := func(t *testing.T) {
		if _, err := exec.LookPath("curl"); err != nil {
			t.Skip("there is no curl here")
		}
	}
	check := func(t *testing.T, refused bool, argv ...string) {
		t.Helper()
		address, statuses := nginx(t)
		for i := range argv {
			argv[i] = strings.ReplaceAll(argv[i], "ADDRESS", address)
		}
		began := time.Now()
		out, ok := output(t, items, append([]string{amorsize}, argv...)...)
		t.Logf("%v: %v, answers %v (50 per second with a burst of 10 allow 300 in 5.8 s)", argv, time.Since(began).Round(10*time.Millisecond), statuses())
		require.True(t, ok)
		require.Equal(t, strings.Repeat("ok\n", 300), string(out))
		require.Equal(t, 300, statuses()["200"])
		if !refused {
			require.Zero(t, statuses()["429"])
		}
	}
	t.Run("run, rate known", func(t *testing.T) {
		curl(t)
		check(t, false, "run", "-q", "--rate", "50/s", "--", "curl", "-sf", "ADDRESS{}")
	})
	t.Run("run, rate found", func(t *testing.T) {
		curl(t)
		check(t, true, "run", "-q", "--rate", "auto", "--throttle-on", "exit:22", "--", "curl", "-sf", "ADDRESS{}")
	})
	t.Run("http, rate known", func(t *testing.T) {
		check(t, false, "http", "-q", "--rate", "50/s", "ADDRESS{}")
	})
	t.Run("http, rate found", func(t *testing.T) {
		check(t, true, "http", "-q", "--rate", "auto", "ADDRESS{}")
	})
}
