package request

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/amorsize/amorsize/circuitbreaker"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/process"
	"github.com/amorsize/amorsize/ratelimit"
	"github.com/amorsize/amorsize/transport"
)

// Surroundings are what a Runner gets from its run.
type Surroundings struct {
	Limiter *ratelimit.Limiter     // of requests; nil is no limit
	Tokens  *ratelimit.Limiter     // receives what services say of their tokens; nil is none
	Breaker *circuitbreaker.Policy // of each host; nil is none
	Timeout func() time.Duration   // of an attempt that begins now; 0 is none
}

// Runner makes requests. It is safe for concurrent use.
type Runner struct {
	*Spec
	around Surroundings
	client *http.Client
	base   *http.Transport
	files  process.Files
	alive  context.Context // ends when requests in flight are to end, too
	kill   context.CancelFunc
}

// New returns a runner. The error is one of usage. The transport has the limiter and the
// breakers, the engine the retries.
func New(spec *Spec, around Surroundings) (*Runner, error) {
	r := &Runner{Spec: spec, around: around}
	base, _ := http.DefaultTransport.(*http.Transport)
	r.base = base.Clone()
	r.base.MaxIdleConns, r.base.MaxIdleConnsPerHost = 0, 1<<14
	r.base.MaxConnsPerHost = spec.cfg.Connection.Max
	r.base.MaxResponseHeaderBytes = 1 << 20
	if err := spec.cfg.Connection.secure(r.base); err != nil {
		return nil, err
	}
	how := transport.Config{Base: sender{r.base}, Limiter: around.Limiter, Tokens: around.Tokens, Breaker: around.Breaker}
	if spec.cfg.Hedge {
		how.Hedge = &transport.Hedge{}
	}
	t, err := transport.New(how)
	if err != nil {
		return nil, exit.Usage(err)
	}
	r.client = &http.Client{Transport: waiter{t}, CheckRedirect: redirect}
	if spec.cfg.KeepCookies {
		if r.client.Jar, err = newJar(); err != nil {
			return nil, err
		}
	}
	r.alive, r.kill = context.WithCancel(context.Background())
	return r, nil
}

// Traits returns what a run has to know of requests.
func (r *Runner) Traits() jobs.Traits {
	return jobs.Traits{
		Caps: caps(process.OpenFiles(), process.FileSlots()), Within: true, Seen: r.seen, Again: r.again,
		Key: r.key, Estimate: r.estimate,
	}
}

// caps returns how many slots open files allow: a request has a connection, and a file if
// its answer is large.
func caps(limit, slots int) jobs.Caps {
	if limit == 0 { // it isn't known
		return jobs.Caps{}
	}
	return jobs.Caps{Files: 2 * slots, Fixed: max(1, (limit-24)/2)}
}

// Kill ends the requests in flight, and those that are still to be made.
func (r *Runner) Kill() { r.kill() }

// Close releases what is held, when no attempt is in flight.
func (r *Runner) Close() {
	r.kill()
	r.base.CloseIdleConnections()
	r.files.Close()
}

// Attempt makes a job's request. When nothing more is to be started, its waits for the rate and the breaker end,
// but a request that has been sent continues.
func (r *Runner) Attempt(ctx context.Context, j *jobs.Job, _ int) error {
	j.Status, j.Wall = 0, 0
	sent := r.sending()
	err := r.try(ctx, j, sent)
	if err != nil {
		r.tellFailure(j, sent, err)
	}
	return err
}

// tellFailure makes the line of a failed item, in the forms that have a line for every item; another attempt
// replaces it.
func (r *Runner) tellFailure(j *jobs.Job, sent *sending, err error) {
	var text []byte
	switch it := j.First(); r.cfg.Form {
	case JSONL:
		a := answer{N: it.N, Status: j.Status, Took: j.Wall.Seconds(), Err: err.Error()}
		a.Item, a.Item64 = it.Told()
		text, _ = jsonLine(a)
	case Batch:
		b, _ := parseBatchLine(it) // as far as it can be parsed
		text, _ = b.line(batchAnswer{n: it.N, status: j.Status, id: sent.id, body: sent.refusal, err: err})
	default:
		return
	}
	j.Out.Release()
	j.Out = process.Bytes(text)
}

// sending is a request that is to be made.
func (r *Runner) sending() *sending {
	return &sending{timeout: r.around.Timeout(), queues: r.cfg.Connection.Max > 0}
}

func (r *Runner) try(ctx context.Context, j *jobs.Job, sent *sending) error {
	it := j.First()
	req, err := r.request(sent.begin(ctx, r.alive), it)
	if err != nil {
		sent.end()
		return unsentError{err}
	}
	r.setCookies(req)
	defer func() { j.Wall = sent.end() }()
	resp, err := r.client.Do(req)
	if err == nil {
		defer func() { _ = resp.Body.Close() }()
		sent.id = resp.Header.Get("X-Request-Id")
		if j.Status = resp.StatusCode; !r.success(j.Status) {
			j.Cost = 0
			return r.refused(j, resp, sent)
		}
		if j.Out, err = r.keep(resp); err != nil { // it broke off: a part of it is neither a result nor an answer
			j.Out.Release()
			j.Out, j.Status = process.Capture{}, 0
		}
	}
	switch {
	case err != nil && sent.isLate():
		return &process.TimeoutError{After: sent.timeout}
	case err != nil:
		var wrapped *url.Error
		if errors.As(err, &wrapped) {
			err = wrapped.Err // the URL is the item's, and already in the message
		}
		return err
	}
	if err := r.meter(j); err != nil {
		return err
	}
	return r.present(j, it, sent)
}

// keep reads the body.
func (r *Runner) keep(resp *http.Response) (process.Capture, error) {
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return process.Capture{}, nil // after it, another protocol follows: no timeout ends it
	}
	if r.cfg.MaxBody == 0 {
		return r.files.Keep(resp.Body)
	}
	kept, err := r.files.Keep(io.LimitReader(resp.Body, r.cfg.MaxBody+1))
	if err == nil && kept.Size() > r.cfg.MaxBody {
		err = errLarge
	}
	return kept, err
}

// errLarge is the error of a body larger than --max-body: a retry would fail again.
var errLarge = unsentError{fmt.Errorf("%w: the response is larger than --max-body", process.ErrCommand)}
