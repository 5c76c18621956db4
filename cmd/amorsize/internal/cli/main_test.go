package cli

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/process"
)

// typedVariable makes this program amorsize, where it has to be a process of its own.
const typedVariable = "AMORSIZE_TYPED"

// A run starts a guard from the program that it is: here that is the tests.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == process.GuardArgument {
		os.Exit(Main(os.Args[1:]))
	}
	if os.Getenv(typedVariable) != "" {
		os.Exit(Main(os.Args[1:]))
	}
	goleak.VerifyTestMain(m)
}

// home makes a directory of its own the working directory, in which nothing of the user's is known.
func home(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	t.Chdir(dir)
	for name, value := range map[string]string{
		"HOME": filepath.Join(dir, "home"), "XDG_CONFIG_HOME": filepath.Join(dir, "home", ".config"), "AMORSIZE_OPTS": "", "NO_COLOR": "1",
		"AMORSIZE_HISTORY": filepath.Join(dir, "history"), "SOURCE_DATE_EPOCH": "86400",
	} {
		t.Setenv(name, value)
	}
	return dir
}

// outcome is how a command line ended, and what it wrote.
type outcome struct {
	status   int
	out, err string
}

// typed runs a command line as a user types it, in this process, with that standard input.
func typed(t *testing.T, stdin string, args ...string) (o outcome) {
	t.Helper()
	dir := t.TempDir()
	file := func(name, text string) *os.File {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND, 0)
		require.NoError(t, err)
		return f
	}
	in, out, errs := os.Stdin, os.Stdout, os.Stderr
	defer func() { os.Stdin, os.Stdout, os.Stderr = in, out, errs }()
	os.Stdin, os.Stdout, os.Stderr = file("in", stdin), file("out", ""), file("err", "")
	o.status = Main(args)
	for f, text := range map[*os.File]*string{os.Stdin: nil, os.Stdout: &o.out, os.Stderr: &o.err} {
		require.NoError(t, f.Close())
		if text != nil {
			*text = read(t, f.Name())
		}
	}
	return o
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return strings.ReplaceAll(string(text), "\r\n", "\n")
}

func write(t *testing.T, path, text string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
}

// opened are the files, of this test's directory, and the pipes that this process has open.
func opened(t *testing.T, dir string) (list []string) {
	t.Helper()
	links, _ := filepath.Glob("/proc/self/fd/*")
	for _, link := range links {
		if to, err := os.Readlink(link); err == nil && strings.HasPrefix(to, dir) {
			list = append(list, to)
		}
	}
	return list
}

// commands skips a test whose commands a system without sh has not.
func commands(t *testing.T) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("it needs a shell and its tools")
	}
}
