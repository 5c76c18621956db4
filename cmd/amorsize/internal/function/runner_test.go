package function_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/function"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/gofunc"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/process"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server wraps what it is given as {"is": …}, and dies of some items.
type server struct {
	mu     sync.Mutex
	died   bool
	waits  chan struct{} // closed when an item waits
	killed chan struct{}
	closed bool
}

func (s *server) Call(n int, list []json.RawMessage, limit time.Duration) (gofunc.Answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.died {
		return gofunc.Answer{}, gofunc.ErrDied
	}
	answer := gofunc.Answer{Wall: 7 * time.Millisecond, CPU: 3 * time.Millisecond}
	for _, raw := range list {
		switch string(raw) {
		case `"die"`:
			s.died = true
			return gofunc.Answer{}, fmt.Errorf("%w: item %d: panic", gofunc.ErrDied, n)
		case `"fail"`:
			return answer, &gofunc.CallError{Text: "it failed"}
		case `"late"`:
			return gofunc.Answer{}, context.DeadlineExceeded
		case `"wait"`:
			close(s.waits)
			<-s.killed
			return gofunc.Answer{}, gofunc.ErrDied
		}
		answer.Results = append(answer.Results, json.RawMessage(`{"is":`+string(raw)+`}`))
	}
	return answer, nil
}

func (s *server) Kill()  { close(s.killed) }
func (s *server) Close() { s.closed = true }

// runner returns a runner, and the servers that it starts.
func runner(form function.Form, returns bool) (*function.Runner, *[]*server) {
	var servers []*server
	return function.New(form, returns, function.Surroundings{
		Serve: func() (function.Server, error) {
			s := &server{waits: make(chan struct{}), killed: make(chan struct{})}
			servers = append(servers, s)
			return s, nil
		},
		Timeout: func() time.Duration { return 5 * time.Second },
	}), &servers
}

func attempt(t *testing.T, r *function.Runner, n int, texts ...string) (*jobs.Job, string, error) {
	t.Helper()
	j := &jobs.Job{}
	for i, text := range texts {
		j.Batch = append(j.Batch, items.Of(n+i, text))
	}
	err := r.Attempt(t.Context(), j, 0)
	out, readErr := io.ReadAll(j.Out.Reader())
	require.NoError(t, readErr)
	return j, string(out), err
}

func TestValues(t *testing.T) {
	r, servers := runner(function.Value, true)
	j, out, err := attempt(t, r, 1, "a", "b")
	require.NoError(t, err)
	require.Equal(t, "{\"is\":\"a\"}\n{\"is\":\"b\"}\n", out)
	require.Equal(t, []time.Duration{7 * time.Millisecond, 3 * time.Millisecond}, []time.Duration{j.Wall, j.CPU}, "the function's, not the pipe's")
	_, out, err = attempt(t, r, 3, "fail")
	require.EqualError(t, err, "it failed")
	require.Empty(t, out)
	require.Len(t, *servers, 1, "a failure is no end")
	r.Close()
	require.True(t, (*servers)[0].closed)

	r, _ = runner(function.Value, false)
	_, out, err = attempt(t, r, 1, "a")
	require.NoError(t, err)
	require.Empty(t, out, "a function without a result")
}

// With jsonl each item has an object, of a success or a failure.
func TestJSONL(t *testing.T) {
	r, _ := runner(function.JSONL, true)
	_, out, err := attempt(t, r, 4, "a", "c")
	require.NoError(t, err)
	require.Equal(t, `{"n":4,"item":"a","value":{"is":"a"}}`+"\n"+`{"n":5,"item":"c","value":{"is":"c"}}`+"\n", out)
	_, out, err = attempt(t, r, 6, "b", "fail")
	require.Error(t, err)
	require.Equal(t, `{"n":6,"item":"b","value":{"is":"b"},"error":"it failed"}`+"\n"+`{"n":7,"item":"fail","error":"it failed"}`+"\n", out)
}

// A call that ends the process fails; the next one has another process.
func TestDied(t *testing.T) {
	r, servers := runner(function.Value, true)
	_, _, err := attempt(t, r, 9, "die")
	require.ErrorIs(t, err, gofunc.ErrDied)
	require.ErrorContains(t, err, "item 9")
	_, out, err := attempt(t, r, 10, "a")
	require.NoError(t, err)
	require.Equal(t, "{\"is\":\"a\"}\n", out)
	require.Len(t, *servers, 2)
	r.Close()
	require.True(t, (*servers)[1].closed)
}

func TestLate(t *testing.T) {
	r, _ := runner(function.Value, true)
	_, _, err := attempt(t, r, 1, "late")
	var late *process.TimeoutError
	require.ErrorAs(t, err, &late)
	require.Equal(t, 5*time.Second, late.After)
}

func TestKill(t *testing.T) {
	r, servers := runner(function.Value, true)
	_, _, err := attempt(t, r, 1, "a")
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() {
		j := &jobs.Job{Batch: []items.Item{items.Of(2, "wait")}}
		ended <- r.Attempt(t.Context(), j, 0)
	}()
	<-(*servers)[0].waits
	r.Kill()
	err = <-ended
	require.Error(t, err)
	_, _, err = attempt(t, r, 3, "b")
	require.Error(t, err, "nothing is started any more")
	require.Len(t, *servers, 1)

	r, servers = runner(function.Value, true)
	r.Kill()
	_, _, err = attempt(t, r, 1, "a")
	require.Error(t, err)
	require.Empty(t, *servers)
	r.Close()
}

func TestNoServer(t *testing.T) {
	why := errors.New("no memory")
	r := function.New(function.Value, true, function.Surroundings{Serve: func() (function.Server, error) { return nil, why }})
	_, _, err := attempt(t, r, 1, "a")
	require.ErrorIs(t, err, why)
	require.Zero(t, r.Traits())
}

func TestWithStatus(t *testing.T) {
	require.NoError(t, function.WithStatus(nil))
	other := errors.New("disk full")
	require.Equal(t, other, function.WithStatus(other))
	_, err := function.Load(t.Context(), function.Config{Name: "no target"}, nil)
	var status *exit.Error
	require.ErrorAs(t, err, &status)
	require.Equal(t, exit.BadTarget, status.Code)
}

// A function is found, built and called; what can't be built ends the command.
func TestLoadAndBuild(t *testing.T) {
	fn, err := function.Load(t.Context(), function.Config{Name: "strings.ToUpper"}, nil)
	require.NoError(t, err)
	require.Equal(t, "strings.ToUpper", fn.Name)
	binary, err := function.Build(t.Context(), fn, new(process.Groups))
	require.NoError(t, err)
	require.NotNil(t, binary.Started)
	binary.Close()
	_, err = function.Load(t.Context(), function.Config{Name: "strings.NoSuch"}, nil)
	require.Error(t, err)
}

// To close twice does no harm.
func TestCloseTwice(t *testing.T) {
	r, servers := runner(function.Value, true)
	_, _, err := attempt(t, r, 1, "a")
	require.NoError(t, err)
	r.Close()
	r.Close()
	require.True(t, (*servers)[0].closed)
}
