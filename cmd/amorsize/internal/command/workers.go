package command

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/process"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/summary"
)

// workerPool keeps one process per slot that answers each line with a line. A process that ends, or takes too
// long, is restarted for the next item.
type workerPool struct {
	r     *Runner
	jsonl bool
	mu    sync.Mutex
	at    map[int]*coprocess
}

func newWorkerPool(r *Runner) *workerPool {
	return &workerPool{r: r, jsonl: r.cfg.Worker == JSONLWorker, at: map[int]*coprocess{}}
}

// coprocess is a process that answers.
type coprocess struct {
	process.Partner
	lines *bufio.Reader
	dead  bool
	last  items.Item // the last item answered; its number is 0 if there is none

	doubtful bool // whether last was
	busy     bool // it was still running when the check after last ended
}

// longestLook is the maximum time for which a process is watched that continues after an answer: it may have begun
// with an extra line.
const longestLook = 2 * time.Millisecond

// longestAnswer is the maximum number of bytes of an answer: it is held in memory, for each slot.
const longestAnswer = 64 << 20

// ahead reports whether the process has written more than one line per question.
func (c *coprocess) ahead() bool { return c.lines.Buffered() > 0 || c.Unread() > 0 }

var (
	// errAstray is the error of an answer that may belong to another item: a line was written before the question
	// was read, or more than one line.
	errAstray = fmt.Errorf("%w: the worker wrote extra lines: it must write one line for each line it reads, and anything else to standard error", process.ErrCommand)
	// errEndless is the error of an answer without a newline for longestAnswer.
	errEndless = fmt.Errorf("%w: the worker's answer is longer than %d MiB: it must end each with a newline", process.ErrCommand, longestAnswer>>20)
	// errGone is the error of a question that was not read by any process.
	errGone = errors.New("the worker had ended")
)

func (w *workerPool) get(slot int, item string) (*coprocess, error) {
	w.mu.Lock()
	c := w.at[slot]
	w.mu.Unlock()
	if c != nil && !c.dead && c.ahead() {
		w.doubt(c)
		c.dead = true
		_ = c.End()
	}
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

// doubt ends the run: the latest answer of a process may have been wrong.
func (w *workerPool) doubt(c *coprocess) {
	w.r.around.Stop(errors.Join(jobs.ErrOutput, fmt.Errorf("%w; the answer that item %d got (%q) may be another item's", errAstray, c.last.N, summary.Brief(c.last.Text, 60))))
}

// settle checks the processes when all questions have been answered.
func (w *workerPool) settle() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.at {
		if !c.dead && c.ahead() {
			w.doubt(c)
		}
	}
}

// attempt asks the slot's process about the item. If that process ended before it read the question, or has
// written extra lines, the next process is asked, once.
func (w *workerPool) attempt(j *jobs.Job, slot int) error {
	err := w.try(j, slot)
	if errors.Is(err, errGone) || errors.Is(err, errAstray) {
		err = w.try(j, slot)
	}
	return err
}

// question returns the line that a process gets for an item. A record is passed on as it is in the input.
func (w *workerPool) question(it items.Item) ([]byte, error) {
	if !w.jsonl || it.IsRecord() {
		return []byte(it.Text), nil
	}
	return it.Encoded()
}

func (w *workerPool) try(j *jobs.Job, slot int) error {
	first := j.First()
	question, err := w.question(first)
	if err != nil {
		return err
	}
	c, err := w.get(slot, first.Text)
	if err != nil {
		return err
	}
	began := time.Now()
	answer, err := c.ask(question, w.r.around.Timeout())
	j.Wall = time.Since(began)
	if err != nil {
		return w.unanswered(c, question, err)
	}
	c.last = first
	if w.jsonl {
		if err := checkAnswer(answer); err != nil {
			return err
		}
	}
	j.Out = process.Bytes(answer)
	return nil
}

// unanswered ends a process that has not answered, and says why.
func (w *workerPool) unanswered(c *coprocess, question []byte, err error) error {
	c.dead = true
	unread := c.last.N > 0 && (errors.Is(err, syscall.EPIPE) || c.Unanswered() > len(question))
	cause := c.End()
	switch {
	case errors.Is(err, errAstray):
		if c.doubtful {
			w.doubt(c)
		}
		return err
	case errors.Is(err, errEndless):
		return err
	case unread && !errors.Is(err, os.ErrDeadlineExceeded):
		return errGone
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return &process.TimeoutError{After: w.r.around.Timeout()}
	}
	if cause == nil {
		cause = errors.New("exit 0")
	}
	return fmt.Errorf("%w: the worker ended without an answer (%s)", process.ErrCommand, cause.Error()) // not %w: the exit is not the item's own
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
	answer, err := c.line()
	if err != nil {
		return nil, err
	}
	if c.Unanswered() > 0 { // earlier lines belong to the item before, or to none
		c.doubtful = c.last.N > 0
		return nil, errAstray
	}
	was := c.busy
	since := time.Now()
	for c.busy = c.Busy(); c.busy && !c.ahead() && time.Since(since) < longestLook; c.busy = c.Busy() {
		time.Sleep(20 * time.Microsecond)
	}
	if c.ahead() { // the extra line belongs to this item, or to the one before if that was still running
		c.doubtful = c.last.N > 0 && was
		return nil, errAstray
	}
	return answer, nil
}

// line reads an answer, to its end or up to the maximum that is kept.
func (c *coprocess) line() ([]byte, error) {
	var answer []byte
	for {
		piece, err := c.lines.ReadSlice('\n')
		if len(answer)+len(piece) > longestAnswer {
			return nil, errEndless
		}
		answer = append(answer, piece...)
		switch {
		case err == nil:
			return answer, nil
		case errors.Is(err, bufio.ErrBufferFull):
		case err == io.EOF:
			return nil, io.ErrUnexpectedEOF
		default:
			return nil, err
		}
	}
}

// checkAnswer reports whether a worker's answer is a JSON value, and not {"error": "…"}.
func checkAnswer(answer []byte) error {
	if !json.Valid(answer) {
		return fmt.Errorf("%w: the worker's answer is not JSON: %.100q", process.ErrCommand, answer)
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
