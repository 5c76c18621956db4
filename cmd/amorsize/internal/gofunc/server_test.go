package gofunc

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func init() {
	harnesses["serves"] = func(out *os.File) {
		tell(os.Stderr, "serving")
		for range hear() {
			tell(out, `{"type":"answer","id":1,"results":[`+setting("AMORSIZE_MODE")+`],"wall_ns":3,"cpu_ns":2}`)
		}
		tell(out, `{"type":"end"}`)
	}
	harnesses["answers"] = func(out *os.File) {
		for in := bufio.NewScanner(os.Stdin); in.Scan(); {
			tell(out, `{"type":"answer","id":1,"results":[`+setting("AMORSIZE_MODE")+`],"wall_ns":3,"cpu_ns":2}`)
		}
		tell(out, `{"type":"end"}`)
	}
}

// inMemory is a program that is no process: it writes out, and reads what is written into in.
func inMemory(out io.Reader, in io.WriteCloser) *program {
	return &program{cmd: &exec.Cmd{}, in: in, out: bufio.NewReader(out), ended: func() {}}
}

// question as the harness reads it.
type asked struct {
	ID    int64             `json:"id"`
	Items []json.RawMessage `json:"items"`
	Limit int64             `json:"timeout_ns"`
}

// other is the side of the harness.
type other struct {
	t       *testing.T
	out     *io.PipeWriter
	answers *bufio.Reader
}

// serving returns a server whose harness is the test.
func serving(t *testing.T) (*Server, *other) {
	fromServer, in := io.Pipe()
	fromHarness, out := io.Pipe()
	s := &Server{p: inMemory(fromHarness, in), waiting: map[int64]*question{}, ended: make(chan struct{})}
	go s.read()
	return s, &other{t, out, bufio.NewReader(fromServer)}
}

func (o *other) hear() (q asked) {
	line, err := o.answers.ReadBytes('\n')
	require.NoError(o.t, err)
	require.NoError(o.t, json.Unmarshal(line, &q))
	return q
}

func (o *other) tell(text string) {
	_, err := io.WriteString(o.out, text+"\n")
	require.NoError(o.t, err)
}

func (o *other) answer(q asked, rest string) {
	o.tell(`{"type":"answer","id":` + strconv.FormatInt(q.ID, 10) + rest + `}`)
}

// end ends the harness.
func (o *other) end(s *Server) {
	_ = o.out.Close()
	<-s.ended
}

// outcome is what has come of a call.
type outcome struct {
	answer Answer
	err    error
}

// call makes a call in the background.
func call(s *Server, n int, limit time.Duration, items ...string) chan outcome {
	made := make(chan outcome, 1)
	var raw []json.RawMessage
	for _, item := range items {
		raw = append(raw, json.RawMessage(item))
	}
	go func() {
		answer, err := s.Call(n, raw, limit)
		made <- outcome{answer, err}
	}()
	return made
}

// TestAnswersFindTheirCalls in whatever order they come.
func TestAnswersFindTheirCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, harness := serving(t)
		first := call(s, 1, 0, "1", `"one"`)
		q1 := harness.hear()
		require.Equal(t, asked{q1.ID, []json.RawMessage{json.RawMessage("1"), json.RawMessage(`"one"`)}, 0}, q1)
		second := call(s, 3, time.Minute, "3")
		q2 := harness.hear()
		require.Equal(t, asked{q2.ID, []json.RawMessage{json.RawMessage("3")}, int64(time.Minute)}, q2)
		require.NotEqual(t, q1.ID, q2.ID)
		harness.answer(asked{ID: 77}, "") // of a call that nobody made
		harness.answer(q2, `,"err":"panic: boom","panic":true,"frame":"calc.go:7","wall_ns":5`)
		require.Equal(t, outcome{Answer{Wall: 5}, &CallError{Text: "panic: boom", Panic: true, Frame: "calc.go:7"}}, <-second)
		time.Sleep(time.Hour) // a call without a limit is waited for
		require.Empty(t, first)
		harness.answer(q1, `,"results":[10,{"a":1}],"wall_ns":3,"cpu_ns":2`)
		require.Equal(t, outcome{Answer{[]json.RawMessage{json.RawMessage("10"), json.RawMessage(`{"a":1}`)}, 3, 2}, nil}, <-first)
		require.Empty(t, s.waiting)
		harness.end(s)
	})
}

// TestLateCallIsNotWaitedFor, and its answer is nobody else's.
func TestLateCallIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, harness := serving(t)
		began := time.Now()
		late := call(s, 1, time.Second, "1")
		q1 := harness.hear()
		got := <-late
		require.Equal(t, context.DeadlineExceeded, got.err)
		require.Equal(t, time.Second, time.Since(began))
		require.Empty(t, s.waiting)
		next := call(s, 2, time.Second, "2")
		q2 := harness.hear()
		harness.answer(q1, `,"results":[1]`)
		harness.answer(q2, `,"results":[2]`)
		require.Equal(t, outcome{Answer{Results: []json.RawMessage{json.RawMessage("2")}}, nil}, <-next)
		harness.end(s)
	})
}

// TestDeathEndsCalls: those that are under way and all later ones, and it says at which item.
func TestDeathEndsCalls(t *testing.T) {
	const how = " ended the process (exec: not started): fatal"
	for name, c := range map[string]struct {
		calls []int
		end   string
		want  string
	}{
		"one":             {[]int{7}, "", "item 7" + how},
		"one, it said so": {[]int{7}, `{"type":"end"}`, "item 7" + how},
		"no record":       {[]int{7}, `no record`, "item 7" + how},
		"several":         {[]int{7, 4, 9}, "", "one of 3 items under way: item 4" + how},
		"two":             {[]int{4, 7}, `{"type":"end"}`, "one of 2 items under way: item 4" + how},
		"first ones":      {[]int{2, 1}, "", "one of 2 items under way: item 1" + how},
		"unexpected":      {nil, "", "item 0" + how},
		"as it was asked": {nil, `{"type":"end"}`, "the function's process has been ended"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, harness := serving(t)
				_, _ = s.p.errs.Write([]byte("fatal\n"))
				var all []chan outcome
				for _, n := range c.calls {
					all = append(all, call(s, n, time.Hour, "0"))
					harness.hear()
				}
				if c.end != "" {
					harness.tell(c.end)
				}
				harness.end(s)
				for _, made := range append(all, call(s, 20, 0, "0"), call(s, 21, 0, "0")) {
					got := <-made
					require.ErrorIs(t, got.err, ErrDied)
					require.EqualError(t, got.err, "the function's process has ended: "+c.want)
				}
				_, err := harness.answers.ReadByte()
				require.Equal(t, io.EOF, err, "its input is closed")
			})
		})
	}
}

// TestInvalidItemIsNotSent, nor does it harm others.
func TestInvalidItemIsNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, harness := serving(t)
		got := <-call(s, 1, 0, "{")
		require.Error(t, got.err)
		next := call(s, 2, 0, "2")
		q := harness.hear()
		require.Equal(t, []json.RawMessage{json.RawMessage("2")}, q.Items)
		harness.answer(q, "")
		require.NoError(t, (<-next).err)
		harness.end(s)
	})
}

// lonely is a writer that must not be used by two at a time.
type lonely struct {
	t    *testing.T
	busy atomic.Bool
}

func (l *lonely) Write(p []byte) (int, error) {
	if !l.busy.CompareAndSwap(false, true) {
		l.t.Error("two calls are written at the same time")
	}
	for range 100 {
		runtime.Gosched() // others may come
	}
	l.busy.Store(false)
	return len(p), nil
}
func (l *lonely) Close() error { return nil }

// TestCallsAreWrittenOneAfterTheOther: a long question takes several writes.
func TestCallsAreWrittenOneAfterTheOther(t *testing.T) {
	out, in := io.Pipe()
	s := &Server{p: inMemory(out, &lonely{t: t}), waiting: map[int64]*question{}, ended: make(chan struct{})}
	var calls sync.WaitGroup
	for n := range 8 {
		calls.Go(func() { _, _ = s.Call(n, nil, time.Nanosecond) })
	}
	calls.Wait()
	require.Empty(t, s.waiting)
	_ = in.Close()
}

// TestServeStartsTheHarnessAsServer: what it writes goes to output, and Close ends it.
func TestServeStartsTheHarnessAsServer(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "here")
	require.NoError(t, os.Mkdir(dir, 0o700))
	b := fakeHarness(t, "answers")
	ended := false
	b.Started = func(int) func() { return func() { ended = true } }
	s, err := b.Serve(nil, dir)
	require.NoError(t, err)
	got, err := s.Call(1, []json.RawMessage{json.RawMessage("1")}, 0)
	require.NoError(t, err)
	require.Equal(t, Answer{[]json.RawMessage{json.RawMessage(`"AMORSIZE_MODE=serve here"`)}, 3, 2}, got)
	s.Close()
	require.True(t, ended)
	_, err = s.Call(1, nil, 0)
	require.EqualError(t, err, "the function's process has ended: the function's process has been ended")

	var out strings.Builder
	s, err = fakeHarness(t, "serves").Serve(&out, "")
	require.NoError(t, err)
	s.Close()
	require.Equal(t, "serving\n", out.String())
}

// TestKillEndsCallsAtOnce, whatever the function does.
func TestKillEndsCallsAtOnce(t *testing.T) {
	up := make(chan struct{})
	s, err := fakeHarness(t, "ignores input").Serve(canceling{sync.OnceFunc(func() { close(up) })}, "")
	require.NoError(t, err)
	<-up
	made := call(s, 3, 0, "1")
	s.Kill()
	got := <-made
	require.ErrorIs(t, got.err, ErrDied)
	<-s.ended
}

// TestCloseWaitsTwoSeconds for calls that go on, and then kills the process.
func TestCloseWaitsTwoSeconds(t *testing.T) {
	b := fakeHarness(t, "ignores input")
	cmd := exec.CommandContext(t.Context(), b.Path)
	isolate(cmd)
	require.NoError(t, cmd.Start())
	synctest.Test(t, func(t *testing.T) {
		_, in := io.Pipe()
		s := &Server{p: inMemory(strings.NewReader(""), in), ended: make(chan struct{})}
		s.p.cmd = cmd
		began := time.Now()
		go func() {
			time.Sleep(2*time.Second + time.Millisecond)
			_ = cmd.Wait() // it has been killed by now
			close(s.ended)
		}()
		s.Close()
		require.Equal(t, 2*time.Second+time.Millisecond, time.Since(began))
		require.False(t, cmd.ProcessState.Success())
	})
}
