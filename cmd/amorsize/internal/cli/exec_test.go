//go:build unix

package cli

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The functions that are run here. Each is a program that has to be built, so they are few.
const functions = `package calc

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

var second = make(chan struct{})

// Tell does what its item says.
func Tell(s string) (string, error) {
	switch s {
	case "fail":
		return "", errors.New("it is told to")
	case "guarded":
		return guarded(), nil
	case "exit":
		os.Exit(3)
	case "print":
		fmt.Println("it prints")
	case "first":
		<-second
	case "second":
		close(second)
	}
	return s, nil
}

// guarded returns the second word of the command lines of the guards that whoever runs this has.
func guarded() (found string) {
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", os.Getppid()))
	for _, list := range lists {
		children, _ := os.ReadFile(list)
		for _, child := range strings.Fields(string(children)) {
			line, _ := os.ReadFile("/proc/" + child + "/cmdline")
			if words := strings.Split(string(line), "\x00"); len(words) > 1 && words[1] == "__guard" {
				found += words[1]
			}
		}
	}
	return found
}

// Many squares.
func Many(list []int) (squares []int) {
	fmt.Println("a call of", len(list))
	for _, n := range list {
		squares = append(squares, n*n)
	}
	return squares
}
`

// withFunctions makes a module with the functions the working directory.
func withFunctions(t *testing.T) (temporary string) {
	t.Helper()
	var known map[string]string
	out, err := exec.CommandContext(t.Context(), "go", "env", "-json", "GOCACHE", "GOMODCACHE", "GOPATH").Output()
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(out, &known))
	home(t)
	temporary = t.TempDir()
	known["TMPDIR"], known["XDG_CACHE_HOME"], known["GOFLAGS"], known["GOTOOLCHAIN"], known["CGO_ENABLED"] = temporary, t.TempDir(), "", "local", "0"
	for name, value := range known {
		t.Setenv(name, value)
	}
	write(t, "go.mod", "module example.com/user\n\ngo 1.24\n")
	write(t, "calc/calc.go", functions)
	return temporary
}

// children are the processes that this one has left, where that can be seen.
func children(t *testing.T) (numbers []string) {
	t.Helper()
	lists, _ := filepath.Glob("/proc/self/task/*/children")
	for _, list := range lists {
		text, _ := os.ReadFile(list) // of a thread that may have ended
		numbers = append(numbers, strings.Fields(string(text))...)
	}
	return numbers
}

// How runs of functions end, and what they write where.
func TestRunsOfFunctions(t *testing.T) {
	temporary := withFunctions(t)
	dir, err := os.Getwd()
	require.NoError(t, err)
	write(t, "items", "a\nb\n")
	for line, want := range map[string]struct {
		status int
		out    string
	}{
		"./calc.Tell -a items":                         {0, "\"a\"\n\"b\"\n"},
		"-j 2 ./calc.Tell ::: first second":            {0, "\"first\"\n\"second\"\n"}, // in order, although the second one ends before
		"./calc.Tell ::: a fail b":                     {1, "\"a\"\n\"b\"\n"},
		"./calc.Tell --out jsonl ::: a fail":           {1, `{"n":1,"item":"a","value":"a"}` + "\n" + `{"n":2,"item":"fail","error":"it is told to"}` + "\n"},
		"./calc.Tell --exit-zero ::: fail":             {0, ""},
		"./calc.Tell --tag={y} --csv --header":         {2, ""},
		"./calc.Tell -a missing":                       {2, ""},
		"./calc.Missing ::: a":                         {3, ""},
		"./calc.Tell --batch 2 ::: a":                  {3, ""},
		"--batch 2 --bisect ./calc.Many --range 3":     {0, "1\n4\n9\n"},
		"--batch 2 ./calc.Many --range 3":              {0, "1\n4\n9\n"},
		"-n ./calc.Tell --out x ::: a":                 {2, ""},
		"-n ./calc.Tell ::: a":                         {0, "calc.Tell   func(s string) (string, error)   calc/calc.go:14\n"},
		"./calc --fn Tell ::: a":                       {0, "\"a\"\n"},
		"--results r ./calc.Tell --json --limit 0 :::": {0, "{"},
	} {
		args := strings.Fields("exec -q " + line)
		if strings.Contains(line, "--bisect") {
			args = append(args, "-j", "1") // one after the other
		}
		got := typed(t, "x\n1\n", args...)
		require.Equal(t, want.status, got.status, "%s: %s", line, got.err)
		require.Empty(t, opened(t, dir), "%s: the items are closed", line)
		require.Empty(t, children(t), "%s: no process is left", line)
		if want.out == "{" {
			require.Regexp(t, `^\{.*\}\n$`, got.out)
			continue
		}
		require.Equal(t, want.out, got.out, "%s: %s", line, got.err)
	}
	got := typed(t, "", "exec", "-k", "./calc.Tell", ":::", "print", "guarded")
	require.Equal(t, 0, got.status)
	if runtime.GOOS == "linux" {
		require.Equal(t, "\"print\"\n\"__guard\"\n", got.out, "one guard, for the whole run")
	}
	require.Contains(t, got.err, "calc.Tell func(s string) (string, error) calc/calc.go:14\n")
	require.Contains(t, got.err, "it prints\n")
	require.Empty(t, children(t))
	write(t, "file", "")
	t.Setenv("XDG_CACHE_HOME", "file") // nothing can be kept for the next run
	require.Equal(t, 0, typed(t, "", "exec", "-q", "./calc.Tell", ":::", "a").status)
	left, err := os.ReadDir(temporary)
	require.NoError(t, err)
	require.Empty(t, left, "nothing that was built for a run stays")
}
