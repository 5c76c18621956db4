package cli

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/process"
)

// workerPool keeps one process per slot that answers each line with a line. A
// process that ends, or takes too long, is started anew for the next item.
type workerPool struct {
	r     *commandRunner
	jsonl bool
	mu    sync.Mutex
	at    map[int]*coprocess
}

func newWorkerPool(r *commandRunner) *workerPool {
	return &workerPool{r: r, jsonl: r.flags.worker == "jsonl", at: map[int]*coprocess{}}
}

// coprocess is a process that answers.
type coprocess struct {
	process.Partner
	lines *bufio.Reader
	dead  bool
}

func (w *workerPool) get(slot int, item string) (*coprocess, error) {
	w.mu.Lock()
	c := w.at[slot]
	w.mu.Unlock()
	if c != nil && !c.dead {
		return c, nil
	}
	argv, err := w.r.command.Expand(nil, slot)
	if err != nil {
		return nil, err
	}
	partner, err := w.r.spawner.Start(process.Command{Path: w.r.path, Argv: argv, Slot: slot, Item: item})
	if err != nil {
		return nil, err
	}
	c = &coprocess{Partner: *partner, lines: bufio.NewReaderSize(partner.Answers, 64<<10)}
	w.mu.Lock()
	w.at[slot] = c
	w.mu.Unlock()
	return c, nil
}

// attempt asks the slot's process about the item.
func (w *workerPool) attempt(j *jobs.Job, slot int) error {
	first := j.First()
	c, err := w.get(slot, first.Text)
	if err != nil {
		return err
	}
	question := []byte(first.Text)
	if w.jsonl {
		question = first.JSON()
	}
	began := time.Now()
	answer, err := c.ask(question, w.r.s.timeout())
	j.Wall = time.Since(began)
	if err != nil {
		c.dead = true
		cause := c.End()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return &process.TimeoutError{After: w.r.s.timeout()}
		}
		if cause == nil {
			cause = errors.New("exit 0")
		}
		return fmt.Errorf("%w: the worker ended without an answer (%s)", process.ErrCommand, cause.Error()) // not %w: it is no exit of the item's own
	}
	if w.jsonl {
		if err := checkAnswer(answer); err != nil {
			return err
		}
	}
	j.Out = process.Bytes(answer)
	return nil
}

func (c *coprocess) ask(question []byte, timeout time.Duration) ([]byte, error) {
	deadline := time.Time{}
	if timeout > 0 {
		deadline = time.Now().Add(timeout)
	}
	_ = c.Answers.SetReadDeadline(deadline)
	_ = c.Questions.SetWriteDeadline(deadline)
	if _, err := c.Questions.Write(append(question, '\n')); err != nil {
		return nil, err
	}
	answer, err := c.lines.ReadBytes('\n')
	if err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	return answer, nil
}

// checkAnswer reports whether a worker's answer is a JSON value, and no
// {"error": "…"}.
func checkAnswer(answer []byte) error {
	if !json.Valid(answer) {
		return fmt.Errorf("%w: the worker's answer is no JSON: %.100q", process.ErrCommand, answer)
	}
	var failed struct {
		Error *string `json:"error"`
	}
	if json.Unmarshal(answer, &failed) == nil && failed.Error != nil {
		return fmt.Errorf("%w: %s", process.ErrCommand, *failed.Error)
	}
	return nil
}

func (w *workerPool) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.at {
		if !c.dead {
			_ = c.End()
		}
	}
}
