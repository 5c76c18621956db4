package request

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/amorsize/amorsize/circuitbreaker"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/jsonl"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/policies"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/process"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/summary"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/template"
	"github.com/amorsize/amorsize/transport"
)

func (s *Spec) success(status int) bool {
	for _, span := range s.ok {
		if status >= span[0] && status <= span[1] {
			return true
		}
	}
	return false
}

// How much is read of the body of an unsuccessful status, and how much is shown.
const (
	readOfRefusal = 64 << 10 // so that the connection can be used again
	shownOfIt     = 300
)

// refused returns the error of an unsuccessful status, and makes the body, or what was read of it, the text of the
// failure.
func (r *Runner) refused(j *jobs.Job, resp *http.Response, sent *sending) error {
	means := transport.Usual(resp) // before the body is read: a date to come back at draws nearer
	var body []byte
	if resp.StatusCode != http.StatusSwitchingProtocols { // after it, another protocol follows
		body, _ = io.ReadAll(io.LimitReader(resp.Body, readOfRefusal))
	}
	sent.refusal = body
	j.Outcome.Err = process.Bytes(shown(body))
	status := transport.StatusError{Code: resp.StatusCode}
	said := resp.Header.Get("Retry-After") != ""
	if means.Throttled && (said || resp.StatusCode < http.StatusInternalServerError) {
		return &transport.ThrottledError{StatusError: status, After: means.After}
	}
	return &status
}

// shown is the beginning of a body in a form that is safe for a terminal.
func shown(body []byte) []byte {
	text := string(bytes.TrimRight(body[:min(len(body), shownOfIt)], "\r\n"))
	var lines []string
	for line := range strings.Lines(text) {
		lines = append(lines, summary.Printable(strings.TrimRight(line, "\r\n")))
	}
	if len(lines) == 0 {
		return nil
	}
	return []byte(strings.Join(lines, "\n") + "\n")
}

// present makes the result of the body.
func (r *Runner) present(j *jobs.Job, it items.Item, sent *sending) error {
	switch r.cfg.Form {
	case Status:
		j.Out.Release()
		j.Out = process.Bytes([]byte(strconv.Itoa(j.Status) + "\n"))
	case JSONL:
		a := answer{N: it.N, Status: j.Status, Took: sent.took().Seconds()}
		if r.cfg.Meter != nil && j.Cost >= 0 {
			a.Cost = &j.Cost
		}
		a.Item, a.Item64 = it.Told()
		if j.Out.Size() > heldInMemory {
			return r.spool(j, a)
		}
		raw, err := io.ReadAll(j.Out.Reader())
		if err != nil {
			return err
		}
		j.Out.Release()
		a.hold(raw)
		line, err := jsonLine(a)
		if err != nil {
			return err
		}
		j.Out = process.Bytes(line)
	case Batch:
		return r.presentBatch(j, it, sent)
	}
	return nil
}

// heldInMemory is the maximum size of a body, and of its line, that is held in memory, where it may wait for its
// turn with a thousand others.
const heldInMemory = 64 << 10

// spool puts the line of a larger body into a file: it becomes the job's output when it is complete.
func (r *Runner) spool(j *jobs.Job, a answer) error {
	kind, err := jsonl.KindOf(j.Out.Reader())
	if err != nil {
		return err
	}
	head, err := jsonLine(a)
	if err != nil {
		return err
	}
	head = append(bytes.TrimSuffix(head, []byte("}\n")), bodyName[kind]...)
	line, err := r.files.Spool(func(w io.Writer) error {
		b := bufio.NewWriterSize(w, heldInMemory)
		_, _ = b.Write(head) // Flush returns an error again
		if err := kind.Copy(b, j.Out.Reader()); err != nil {
			return err
		}
		_, _ = b.WriteString("}\n")
		return b.Flush()
	})
	if err != nil {
		return err
	}
	j.Out.Release()
	j.Out = line
	return nil
}

var bodyName = map[jsonl.Kind]string{jsonl.JSON: `,"body":`, jsonl.Text: `,"body":`, jsonl.Binary: `,"body64":`}

// answer is what --out jsonl writes for an item: a body or an error.
type answer struct {
	N      int             `json:"n"`
	Item   json.RawMessage `json:"item,omitempty"`
	Item64 []byte          `json:"item64,omitempty"` // if it is no UTF-8
	Status int             `json:"status"`           // 0 if there was no answer
	Took   float64         `json:"took_s"`
	Cost   *float64        `json:"cost,omitempty"`
	Body   json.RawMessage `json:"body,omitempty"`
	Body64 []byte          `json:"body64,omitempty"`
	Err    string          `json:"error,omitempty"`
}

// hold takes a body: JSON unchanged, text as a string, and other bytes, which JSON does not have, as base64 under
// another name.
func (a *answer) hold(body []byte) {
	switch {
	case !utf8.Valid(body):
		a.Body64 = body
	case json.Valid(body):
		a.Body = body
	default:
		a.Body = items.Of(0, string(body)).JSON()
	}
}

func jsonLine(a answer) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // it is not HTML, and would be six times as long
	err := e.Encode(a)
	return b.Bytes(), err
}

// again says which failures are worth a retry: those that may differ the next time, if the request may safely be
// repeated.
func (r *Runner) again(seen policies.Seen) bool {
	if errors.Is(seen.Err, circuitbreaker.ErrOpen) {
		return false
	}
	if !seen.Harmless {
		return false
	}
	switch seen.Status {
	case 408, 425, 500, 502, 503, 504, 529:
		return true
	case 0: // except the item's own failures, and ours
		var bad *url.Error
		var full *process.OutputError
		return !errors.Is(seen.Err, errLarge) && !errors.As(seen.Err, &bad) && !errors.As(seen.Err, &full) &&
			!errors.Is(seen.Err, template.ErrTemplate)
	}
	return false
}
