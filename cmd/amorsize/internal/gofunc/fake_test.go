package gofunc

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// The test binary stands in for the programs that the package starts: a harness, and the go command.
const (
	harnessVariable = "GOFUNC_TEST_HARNESS"
	goVariable      = "GOFUNC_TEST_GO"
)

func TestMain(m *testing.M) {
	if name := os.Getenv(harnessVariable); name != "" {
		harnesses[name](protocol())
		os.Exit(0)
	}
	if script := os.Getenv(goVariable); script != "" {
		beGo(script)
	}
	goleak.VerifyTestMain(m)
}

// fakeHarness returns a harness that is one of harnesses.
func fakeHarness(t *testing.T, name string) *Binary {
	t.Helper()
	require.Contains(t, harnesses, name)
	t.Setenv(harnessVariable, name)
	t.Setenv("GORACE", "atexit_sleep_ms=0") // with the race detector, each program would end a second later
	self, err := os.Executable()
	require.NoError(t, err)
	return &Binary{Path: self}
}

// tell writes records.
func tell(out *os.File, records ...string) {
	for _, r := range records {
		_, _ = fmt.Fprintln(out, r)
	}
}

// hear returns the lines of standard input, up to its end.
func hear() (lines []string) {
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		lines = append(lines, in.Text())
	}
	return lines
}

// setting is a record whose error says what the program was started with.
func setting(names ...string) string {
	var parts []string
	for _, name := range names {
		parts = append(parts, name+"="+os.Getenv(name))
	}
	dir, _ := os.Getwd()
	text, _ := json.Marshal(strings.Join(append(parts, filepath.Base(dir)), " "))
	return string(text)
}

// goScript is what the fake go command does.
type goScript struct {
	Log               string // where it writes down how it was called
	List, ListError   string // what go list prints
	Build, BuildError string // what go build writes into its output file, and prints
	FailList          bool
	FailBuild         bool
}

// goCall is how the go command was called.
type goCall struct {
	Args       []string
	Dir, Proxy string
}

// flag returns what follows a flag.
func (c goCall) flag(name string) string {
	if at := slices.Index(c.Args, name); at >= 0 {
		return c.Args[at+1]
	}
	return ""
}

// fakeGo makes the go command the one of the script. It returns a function that tells how it was called.
func fakeGo(t *testing.T, script goScript) func() []goCall {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("no links without the right to make them")
	}
	self, err := os.Executable()
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.Symlink(self, filepath.Join(dir, "go")))
	script.Log = filepath.Join(dir, "log")
	raw, err := json.Marshal(script)
	require.NoError(t, err)
	t.Setenv("PATH", dir)
	t.Setenv("GORACE", "atexit_sleep_ms=0")
	t.Setenv(goVariable, string(raw))
	return func() (calls []goCall) {
		raw, err := os.ReadFile(script.Log)
		require.NoError(t, err)
		for line := range strings.Lines(string(raw)) {
			var call goCall
			require.NoError(t, json.Unmarshal([]byte(line), &call))
			calls = append(calls, call)
		}
		return calls
	}
}

func beGo(text string) {
	var script goScript
	if err := json.Unmarshal([]byte(text), &script); err != nil {
		panic(err)
	}
	dir, _ := os.Getwd()
	call := goCall{Args: os.Args[1:], Dir: dir, Proxy: os.Getenv("GOPROXY")}
	raw, _ := json.Marshal(call)
	log, err := os.OpenFile(script.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	tell(log, string(raw))
	fails := script.FailList
	if os.Args[1] == "list" {
		_, _ = os.Stdout.WriteString(script.List)
		_, _ = os.Stderr.WriteString(script.ListError)
	} else {
		fails = script.FailBuild
		_, _ = os.Stderr.WriteString(script.BuildError)
		if !fails && call.flag("-o") != os.DevNull {
			_ = os.WriteFile(call.flag("-o"), []byte(script.Build), 0o600)
		}
	}
	if fails {
		os.Exit(1)
	}
	os.Exit(0)
}
