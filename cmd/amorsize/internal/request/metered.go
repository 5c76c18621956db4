package request

import (
	"encoding/json"
	"io"
	"net/url"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/usage"
	"github.com/amorsize/amorsize/transport"
)

// key returns the key of a job's rate and breaker: "" if it can't be determined, which its request will report.
func (s *Spec) key(j *jobs.Job) string {
	it := j.First()
	if s.keyOf != nil {
		text, _ := s.keyOf.Expand(it, 0, nil)
		return text
	}
	l, err := s.lineOf(it)
	if err != nil {
		return ""
	}
	u, err := url.Parse(l.address)
	if err != nil {
		return ""
	}
	return transport.Host(u)
}

// estimate returns what a job's request may cost.
func (s *Spec) estimate(j *jobs.Job) float64 {
	it := j.First()
	return s.cfg.Meter.Estimate(described(it), len(it.Text))
}

// described returns the JSON in which an item says what its call may cost: for a batch file, the request's body.
func described(it items.Item) []byte {
	var line struct{ Body, Params json.RawMessage }
	if json.Unmarshal([]byte(it.Text), &line) == nil {
		if params := orNil(line.Params); params != nil {
			return params
		}
		if body := orNil(line.Body); body != nil {
			return body
		}
	}
	if raw := []byte(it.Text); json.Valid(raw) {
		return raw
	}
	return it.JSON()
}

// Usage returns what calls have cost so far, nil if that was not asked for.
func (r *Runner) Usage() *usage.Total {
	if r.cfg.Meter == nil {
		return nil
	}
	return r.cfg.Meter.Total()
}

// mostMetered is the maximum size of a body that is read for a call's cost.
const mostMetered = 16 << 20

// meter reads what the call has cost.
func (r *Runner) meter(j *jobs.Job) error {
	if r.cfg.Meter == nil || j.Out.Size() > mostMetered {
		return nil
	}
	raw, err := io.ReadAll(j.Out.Reader())
	if err == nil {
		j.Cost = r.cfg.Meter.Read(raw)
	}
	return err
}
