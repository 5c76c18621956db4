package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/cli"
	"github.com/amorsize/amorsize/internal/scenarios"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"amorsize": func() { os.Exit(cli.Main(os.Args[1:])) },
		"nightly":  nightly,
	})
}

// TestScripts runs testdata/script: the command as a user types it.
func TestScripts(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the scripts use a shell and its tools")
	}
	cache := goEnv(t, "GOCACHE")
	modules := goEnv(t, "GOMODCACHE")
	testscript.Run(t, testscript.Params{
		Dir:             "testdata/script",
		ContinueOnError: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("AMORSIZE_HISTORY", filepath.Join(env.WorkDir, ".history"))
			env.Setenv("XDG_CACHE_HOME", filepath.Join(env.WorkDir, ".cache"))
			env.Setenv("GOCACHE", cache)
			env.Setenv("GOMODCACHE", modules)
			env.Setenv("GOFLAGS", "")
			env.Setenv("GOTOOLCHAIN", "local")
			env.Setenv("NO_COLOR", "1")
			env.Setenv("GORACE", os.Getenv("GORACE"))                                             // by default each process sleeps for a second at its end
			env.Setenv("BIN", strings.Split(env.Getenv("PATH"), string(os.PathListSeparator))[0]) // where this command is
			env.Setenv("MUTATE_SITE", os.Getenv("MUTATE_SITE"))                                   // see scripts/mutate: the mistake is in the commands, too
			env.Setenv("MUTATE_SEEN", os.Getenv("MUTATE_SEEN"))
			schemas, err := filepath.Abs("schema")
			env.Setenv("SCHEMAS", schemas)
			serve(env)
			return err
		},
		Condition: func(name string) (bool, error) {
			if name != "race" {
				return false, fmt.Errorf("no condition %q", name)
			}
			return scenarios.Raced, nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"status":   status,
			"schema":   conforms,
			"same":     same,
			"nolitter": noLitter,
		},
	})
}

func goEnv(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.Command("go", "env", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// status N program args... runs a program that has to end with that status.
func status(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	if neg || err != nil || len(args) < 2 {
		ts.Fatalf("usage: status N program args...")
	}
	got := 0
	var exit *exec.ExitError
	switch err := ts.Exec(args[1], args[2:]...); {
	case errors.As(err, &exit):
		got = exit.ExitCode()
	case err != nil:
		ts.Fatalf("%s: %v", args[1], err)
	}
	if got != want {
		ts.Fatalf("%s ended with %d, want %d", args[1], got, want)
	}
}

// schema NAME FILE checks a file of JSON lines, which may only have what the
// schema tells of.
func conforms(ts *testscript.TestScript, _ bool, args []string) {
	compiler := jsonschema.NewCompiler()
	schema, err := compiler.Compile(filepath.Join(ts.Getenv("SCHEMAS"), args[0]+".schema.json"))
	ts.Check(err)
	for line := range strings.Lines(ts.ReadFile(args[1])) {
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(line))
		ts.Check(err)
		ts.Check(schema.Validate(value))
		ts.Check(documented(schema, value, args[0]))
	}
}

// documented reports what a schema does not tell of.
func documented(s *jsonschema.Schema, value any, at string) error {
	switch value := value.(type) {
	case map[string]any:
		if len(s.Properties) == 0 {
			return nil // said to be any object
		}
		for key, member := range value {
			property, ok := s.Properties[key]
			if !ok {
				return fmt.Errorf("%s.%s is not in the schema", at, key)
			}
			if err := documented(property, member, at+"."+key); err != nil {
				return err
			}
		}
	case []any:
		items, _ := s.Items2020, s
		for _, element := range value {
			if items == nil {
				return fmt.Errorf("the schema does not tell of the elements of %s", at)
			}
			if err := documented(items, element, at+"[]"); err != nil {
				return err
			}
		}
	}
	return nil
}

// same A B compares two files line by line, in any order.
func same(ts *testscript.TestScript, neg bool, args []string) {
	count := map[string]int{}
	for i, sign := range []int{1, -1} {
		for line := range strings.Lines(ts.ReadFile(args[i])) {
			count[line] += sign
		}
	}
	for line, n := range count {
		if n != 0 && !neg {
			ts.Fatalf("%q is %d times more often in %s than in %s", line, n, args[0], args[1])
		}
	}
}

// nolitter checks that nothing is left where temporary files are made.
func noLitter(ts *testscript.TestScript, _ bool, _ []string) {
	entries, err := os.ReadDir(ts.Getenv("TMPDIR"))
	ts.Check(err)
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "amorsize") {
			ts.Fatalf("%s was left", e.Name())
		}
	}
}

// serve starts a service for one script, at $URL.
func serve(env *testscript.Env) {
	var flaky, limited atomic.Int64
	mux := http.NewServeMux()
	mux.HandleFunc("/ok/{item...}", func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, "got %s\n", r.PathValue("item"))
	})
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		var body json.RawMessage
		_ = json.NewDecoder(r.Body).Decode(&body)
		_ = json.NewEncoder(w).Encode(map[string]any{
			"method": r.Method, "query": r.URL.RawQuery, "header": strings.Join(r.Header.Values("X-Test"), ","), "auth": r.Header.Get("Authorization"),
			"type": r.Header.Get("Content-Type"), "cookie": r.Header.Get("Cookie"), "key": r.Header.Get("Idempotency-Key"), "body": body, "proto": r.Proto,
		})
	})
	mux.HandleFunc("/status/{code}", func(w http.ResponseWriter, r *http.Request) {
		code, _ := strconv.Atoi(r.PathValue("code"))
		w.WriteHeader(code)
		_, _ = fmt.Fprintf(w, "this is %d\n", code)
	})
	mux.HandleFunc("/flaky/{item}", func(w http.ResponseWriter, _ *http.Request) { // every second call
		if flaky.Add(1)%2 == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		_, _ = fmt.Fprintln(w, "fine")
	})
	mux.HandleFunc("/limited/{item}", func(w http.ResponseWriter, _ *http.Request) { // the first three
		if limited.Add(1) <= 3 {
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		_, _ = fmt.Fprintln(w, "fine")
	})
	mux.HandleFunc("/slow/{item}", func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-time.After(time.Minute):
		}
	})
	mux.HandleFunc("/bytes", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte{0xff, 0xfe, 0, 1}) })
	mux.HandleFunc("/large", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 3000)) })
	var cut atomic.Int64
	mux.HandleFunc("/cut", func(w http.ResponseWriter, _ *http.Request) { // the first time, the body breaks off
		if w.Header().Set("Content-Length", "8"); cut.Add(1) == 1 {
			_, _ = w.Write([]byte(`{"a"`))
			panic(http.ErrAbortHandler)
		}
		_, _ = w.Write([]byte(`{"a": 1}`))
	})
	mux.HandleFunc("/escapes", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusTeapot)
		_, _ = w.Write([]byte("\x1b]0;title\a \u202ebad"))
	})
	servePauses(mux)
	serveLarge(mux)
	serveModels(env)
	serveSecure(env, mux)
	switched := make(chan net.Conn, 10)
	mux.HandleFunc("/switch", func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		switched <- conn
		_, _ = conn.Write([]byte("HTTP/1.1 101 Switching Protocols\r\nUpgrade: other\r\nConnection: Upgrade\r\n\r\n"))
	})
	env.Defer(func() {
		close(switched)
		for conn := range switched {
			_ = conn.Close()
		}
	})
	other := httptest.NewServer(mux)
	env.Defer(other.Close)
	mux.HandleFunc("/away", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL+"/echo", http.StatusTemporaryRedirect)
	})
	mux.HandleFunc("/here", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/echo", http.StatusTemporaryRedirect)
	})
	server := httptest.NewServer(mux)
	env.Defer(server.Close)
	env.Setenv("URL", server.URL)
}

// servePauses has a service take its time, count what it was asked, and refuse the first
// request with a long page.
func servePauses(mux *http.ServeMux) {
	var asked, refused atomic.Int64
	mux.HandleFunc("/pause/{ms}/{item}", func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		pause, _ := strconv.Atoi(r.PathValue("ms"))
		time.Sleep(time.Duration(pause) * time.Millisecond)
		_, _ = fmt.Fprintf(w, "paused %s\n", r.PathValue("item"))
	})
	mux.HandleFunc("/asked", func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprintf(w, "asked %d\n", asked.Load()) })
	mux.HandleFunc("/busy", func(w http.ResponseWriter, _ *http.Request) {
		if refused.Add(1) == 1 {
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, strings.Repeat("busy ", 1000))
			return
		}
		_, _ = fmt.Fprintln(w, "fine")
	})
}
