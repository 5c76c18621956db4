package function

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/gofunc"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/process"
)

// Server is a process that calls the function, many times at once. *gofunc.Server is one.
type Server interface {
	// Call calls the function with items, the first of them number n, within limit; 0 is no
	// limit. After ErrDied of gofunc, it answers nothing more.
	Call(n int, list []json.RawMessage, limit time.Duration) (gofunc.Answer, error)
	Kill()
	Close()
}

// Form is what a result is made of.
type Form string

// The forms of a result.
const (
	Value Form = "value" // what the function returned, as JSON
	JSONL Form = "jsonl" // an object with the item's number, the item, and a value or an error
)

// Surroundings are what a Runner gets from its run.
type Surroundings struct {
	Serve   func() (Server, error) // starts a process
	Timeout func() time.Duration   // of a call that begins now; 0 is none
}

// Runner calls the function in a process that is restarted when a call has ended it. It is safe for concurrent
// use.
type Runner struct {
	form    Form
	returns bool
	around  Surroundings

	mu     sync.Mutex
	server Server // nil if none runs
	killed bool
}

// New returns a runner. returns says that the function has a result, which makes a line in
// form Value. No process is started before the first attempt.
func New(form Form, returns bool, around Surroundings) *Runner {
	return &Runner{form: form, returns: returns, around: around}
}

var errKilled = errors.New("killed")

func (r *Runner) get() (Server, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.killed {
		return nil, errKilled
	}
	if r.server == nil {
		server, err := r.around.Serve()
		if err != nil {
			return nil, err
		}
		r.server = server
	}
	return r.server, nil
}

// drop forgets a server that has ended.
func (r *Runner) drop(server Server) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.server == server {
		r.server = nil
	}
}

// Kill ends the calls in flight, and makes further attempts fail.
func (r *Runner) Kill() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.killed = true
	if r.server != nil {
		r.server.Kill()
	}
}

// Close ends the process, when no attempt is in flight.
func (r *Runner) Close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.server != nil {
		r.server.Close()
	}
}

// Traits returns what a run has to know of calls: only the defaults.
func (r *Runner) Traits() jobs.Traits { return jobs.Traits{} }

// Attempt calls the function with a job's items.
func (r *Runner) Attempt(_ context.Context, j *jobs.Job, _ int) error {
	list := make([]json.RawMessage, len(j.Batch))
	for i, it := range j.Batch {
		var err error
		if list[i], err = it.Encoded(); err != nil {
			return r.present(j, gofunc.Answer{}, err)
		}
	}
	server, err := r.get()
	if err != nil {
		return err
	}
	limit := r.around.Timeout()
	began := time.Now()
	answer, err := server.Call(j.First().N, list, limit)
	j.Wall, j.CPU = time.Since(began), answer.CPU
	if err == nil { // waiting for the pipe is not the function's time
		j.Wall = answer.Wall
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		err = &process.TimeoutError{After: limit}
	case errors.Is(err, gofunc.ErrDied):
		r.drop(server)
	}
	return r.present(j, answer, err)
}

// present makes the result of a job, a line for each item.
func (r *Runner) present(j *jobs.Job, answer gofunc.Answer, err error) error {
	var out []byte
	for i, it := range j.Batch {
		var value json.RawMessage
		if i < len(answer.Results) {
			value = answer.Results[i]
		}
		switch {
		case r.form == JSONL:
			line, failure := lineOf(it, value, err)
			if failure != nil {
				return failure
			}
			out = append(append(out, line...), '\n')
		case err == nil && r.returns:
			out = append(append(out, value...), '\n')
		}
	}
	j.Out = process.Bytes(out)
	return err
}

// lineOf returns the object of form JSONL.
func lineOf(it items.Item, value json.RawMessage, err error) ([]byte, error) {
	line := struct {
		N      int             `json:"n"`
		Item   json.RawMessage `json:"item,omitempty"`
		Item64 []byte          `json:"item64,omitempty"` // if it is no UTF-8
		Value  json.RawMessage `json:"value,omitempty"`
		Error  string          `json:"error,omitempty"`
	}{N: it.N, Value: value}
	line.Item, line.Item64 = it.Told()
	if err != nil {
		line.Error = err.Error()
	}
	return json.Marshal(line)
}
