// Package pgtest starts a private PostgreSQL for tests, and stops it after them.
package pgtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

var (
	once    sync.Once
	dir     string
	problem string
	schemas atomic.Int64
)

// Main runs the tests of a package, and stops the server that they may have started.
func Main(m *testing.M, after func(code int) int) {
	code := m.Run()
	if dir != "" {
		_ = script("stop", dir).Run()
		_ = os.RemoveAll(dir)
	}
	os.Exit(after(code))
}

// URL returns the address of the server, which the first call starts, and an unused schema. It skips the test if
// there is no PostgreSQL and none can be installed.
func URL(t testing.TB) (url, schema string) {
	once.Do(start)
	if problem != "" {
		t.Skip("no PostgreSQL here: " + problem)
	}
	return "postgres://amorsize@/postgres?host=" + dir + "&sslmode=disable", fmt.Sprintf("t%d_%d", os.Getpid(), schemas.Add(1))
}

func start() {
	var err error
	if dir, err = os.MkdirTemp("/tmp", "amorsize-pg"); err != nil { // a socket's path is short
		problem = err.Error()
		return
	}
	if out, err := script("start", dir, "300").CombinedOutput(); err != nil {
		problem = strings.TrimSpace(string(out) + err.Error())
		_ = os.RemoveAll(dir)
		dir = ""
	}
}

func script(args ...string) *exec.Cmd {
	_, file, _, _ := runtime.Caller(0)
	return exec.Command("bash", append([]string{filepath.Join(filepath.Dir(file), "../../../scripts/postgres.sh")}, args...)...)
}
