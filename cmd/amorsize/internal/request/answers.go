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

// What is read of the body of a status that is no success, and what is shown of it.
const (
	readOfRefusal = 64 << 10 // so that the connection can be used again
	shownOfIt     = 300
)

// refused returns the error of a status that is no success, and has the body, or what
// came of it, be what the failure says.
func (r *Runner) refused(j *jobs.Job, resp *http.Response, sent *sending) error {
	var body []byte
	if resp.StatusCode != http.StatusSwitchingProtocols { // what follows that is another protocol
		body, _ = io.ReadAll(io.LimitReader(resp.Body, readOfRefusal))
	}
	sent.refusal = body
	j.Outcome.Err = process.Bytes(shown(body))
	status := transport.StatusError{Code: resp.StatusCode}
	said := resp.Header.Get("Retry-After") != ""
	if means := sent.means; means.Throttled && (said || resp.StatusCode < http.StatusInternalServerError) {
		return &transport.ThrottledError{StatusError: status, After: means.After}
	}
	return &status
}

// shown is the beginning of a body as it may be written to a terminal.
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

// heldInMemory is up to what size a body, and the line that it is in, is held in memory,
// where it may wait for its turn with a thousand others.
const heldInMemory = 64 << 10

// spool has the line of a larger body be in a file: it is what comes of the job when all
// of it is there.
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
		_, _ = b.Write(head) // an error comes again with Flush
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

// answer is what --out jsonl writes of an item: a body or an error.
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

// hold takes a body: JSON as it is, text as a string, and other bytes, which JSON does
// not have, as base64 by another name.
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
	e.SetEscapeHTML(false) // it is no HTML, and six times as long
	err := e.Encode(a)
	return b.Bytes(), err
}

// again tells what is worth a retry: what may be different the next time, if the
// request does no harm twice.
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
	case 0: // but for what is the item's own, and ours
		var bad *url.Error
		var full *process.OutputError
		return !errors.Is(seen.Err, errLarge) && !errors.As(seen.Err, &bad) && !errors.As(seen.Err, &full) &&
			!errors.Is(seen.Err, template.ErrTemplate)
	}
	return false
}
