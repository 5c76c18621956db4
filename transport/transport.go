package transport

import (
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/amorsize/amorsize/circuitbreaker"
	"github.com/amorsize/amorsize/concurrency"
	"github.com/amorsize/amorsize/internal/callback"
	"github.com/amorsize/amorsize/internal/keyed"
	"github.com/amorsize/amorsize/invalid"
	"github.com/amorsize/amorsize/ratelimit"
	"github.com/amorsize/amorsize/retry"
)

// DefaultMaxHosts is how many hosts a [Transport] has breakers for.
const DefaultMaxHosts = 10_000

// ErrInvalid matches every [*InvalidError], for errors.Is.
var ErrInvalid = invalid.ErrInvalid

// ErrTooManyHosts is returned when MaxHosts hosts have breakers that are open or in use.
var ErrTooManyHosts = errors.New("transport: too many hosts")

// InvalidError says which setting is out of range.
type InvalidError = invalid.Error

// Config are the settings of a [Transport]. All are optional.
type Config struct {
	// Base makes the requests; nil is [http.DefaultTransport].
	Base http.RoundTripper
	// Limiter limits all requests.
	Limiter *ratelimit.Limiter
	// Tokens, if not nil, is told how many tokens a host says are left, as model APIs do. Requests take
	// no tokens from it: only the caller knows what a request costs.
	Tokens *ratelimit.Limiter
	// PerHost limits the requests to each host, by [Host]. What a host says about its limits goes to
	// its own limiter if this is set, otherwise to Limiter.
	PerHost *ratelimit.Keyed[string]
	// Feedback finds the rate that each host accepts from its answers, if neither Limiter nor PerHost
	// is set. It begins with 10 requests per second and doubles that every second until the host
	// refuses a request (see [ratelimit.Adapt]).
	Feedback bool
	// Concurrency is the policy of an adaptive limit on the requests in flight to each host; nil is no
	// limit. A request is in flight until the body of its response has been read or closed.
	Concurrency *concurrency.Policy
	// Retrier repeats failed requests. Its AttemptTimeout, if it has one, bounds the time from sending
	// a request until the response's header has arrived. Waits for a limiter or a breaker, and reading
	// the body, don't count.
	Retrier *retry.Retrier
	// Judge, if not nil, says what a response means; nil is [Usual], the table of the package
	// documentation, which a Judge may call first. It may read the body if it replaces it, as
	// [JSONDelay] does. After a panic in it the table applies; the first panic is logged by
	// slog.Default.
	Judge func(resp *http.Response) Verdict
	// Breaker is the policy of a breaker for each host; nil is none. Its IsFailure must not be set: the
	// table, or Judge, says what a failure is. Its SlowCall includes the wait for a token.
	Breaker *circuitbreaker.Policy
	// Hedge, if not nil, sends a request a second time if it takes longer than most.
	Hedge *Hedge
	// OnBreaker is called when the breaker of a host, by [Host], changes its state. It is called after
	// the callbacks of Breaker, which don't get the host, and like them outside any lock, by the
	// goroutine whose request made the change. A panic in it has no effect: the first of each breaker
	// is logged by slog.Default.
	OnBreaker func(host string, state circuitbreaker.State)
	// MaxHosts bounds the number of breakers, of concurrency limits, of hosts with known response
	// times, and of limiters if Feedback is set; 0 is [DefaultMaxHosts]. The breaker of a host that has
	// answered is kept until its room is needed, since it knows the host's response time.
	MaxHosts int
}

// Transport is an [http.RoundTripper] with policies. It is safe for concurrent use, and meant to be
// shared by all callers of the same services.
type Transport struct {
	base     http.RoundTripper
	limiter  *ratelimit.Limiter
	perHost  *ratelimit.Keyed[string]
	inFlight *concurrency.Keyed[string]
	retrier  *retry.Retrier
	timeout  time.Duration // of an attempt, or 0
	tokens   *ratelimit.Limiter
	judge    func(*http.Response) Verdict
	panics   callback.Panics // of judge, and of base in a second request
	nonsense atomic.Int64
	hedges   atomic.Int64
	overtook atomic.Int64
	breakers *keyed.Map[string, *circuitbreaker.Breaker]
	hedgers  *keyed.Map[string, *hedger]
}

func bad(field string, value any, want string) error {
	return &InvalidError{Package: "transport", Field: field, Value: value, Range: want}
}

func (c *Config) validate() error {
	switch {
	case c.MaxHosts < 0:
		return bad("MaxHosts", c.MaxHosts, "at least 1, or 0 for the default")
	case c.Feedback && (c.Limiter != nil || c.PerHost != nil):
		return bad("Feedback", true, "unset where there is a limiter: that heeds what hosts answer by itself")
	case c.Breaker != nil && c.Breaker.IsFailure != nil:
		return bad("Breaker.IsFailure", "a function", "unset")
	}
	return nil
}

// New returns a transport, or an [*InvalidError].
func New(c Config) (*Transport, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	t := &Transport{base: c.Base, limiter: c.Limiter, tokens: c.Tokens, perHost: c.PerHost, judge: c.Judge}
	if t.base == nil {
		t.base = http.DefaultTransport
	}
	if c.MaxHosts == 0 {
		c.MaxHosts = DefaultMaxHosts
	}
	if c.Retrier != nil { // the timeout is for sending only, so it is handled here
		p := c.Retrier.Policy()
		t.timeout, p.AttemptTimeout = p.AttemptTimeout, 0
		t.retrier = retry.MustNew(p) // valid: it comes from a retrier
	}
	if c.Feedback {
		t.perHost = ratelimit.MustNewKeyed[string](ratelimit.Policy{Adapt: &ratelimit.Adapt{}}, c.MaxHosts)
	}
	if err := t.knowHosts(&c); err != nil {
		return nil, err
	}
	return t, nil
}

// knowHosts makes the parts that exist for each host.
func (t *Transport) knowHosts(c *Config) (err error) {
	if c.Concurrency != nil {
		if t.inFlight, err = concurrency.NewKeyed[string](*c.Concurrency, c.MaxHosts); err != nil {
			return err
		}
	}
	if c.Hedge != nil {
		h, err := c.Hedge.validate()
		if err != nil {
			return err
		}
		t.hedgers = newHedgers(h, c.MaxHosts)
	}
	if c.Breaker != nil {
		t.breakers, err = newBreakers(*c.Breaker, c.OnBreaker, c.MaxHosts)
	}
	return err
}

// newBreakers returns a breaker for each host.
func newBreakers(p circuitbreaker.Policy, tell func(string, circuitbreaker.State), most int) (*keyed.Map[string, *circuitbreaker.Breaker], error) {
	if _, err := circuitbreaker.New(p); err != nil {
		return nil, err
	}
	create := func(host string) *circuitbreaker.Breaker {
		if tell == nil {
			return circuitbreaker.MustNew(p) // valid, as just seen
		}
		return circuitbreaker.MustNew(telling(p, host, tell))
	}
	// Peek, since callbacks must not run while the map is locked.
	fresh := func(b *circuitbreaker.Breaker) bool {
		state, counts := b.Peek()
		return state == circuitbreaker.Closed && counts == circuitbreaker.Counts{} && b.Usual() == 0
	}
	spare := func(b *circuitbreaker.Breaker) bool {
		state, _ := b.Peek()
		return state != circuitbreaker.Open
	}
	return keyed.New[string](most, create, fresh, spare), nil
}

// telling is p with a callback that also reports the changes of a host's breaker.
func telling(p circuitbreaker.Policy, host string, tell func(string, circuitbreaker.State)) circuitbreaker.Policy {
	onChange := p.OnChange
	p.OnChange = func(c circuitbreaker.Change) {
		defer tell(host, c.To) // even if the other callback panics
		if onChange != nil {
			onChange(c)
		}
	}
	return p
}

// MustNew is [New] for settings that are known to be valid; it panics if not.
func MustNew(c Config) *Transport {
	t, err := New(c)
	if err != nil {
		panic(err)
	}
	return t
}

// RoundTrip makes the request under the policies.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL == nil {
		closeBody(req)
		return nil, errors.New("transport: the request has no URL")
	}
	x := &exchange{t: t, req: req}
	err := x.run(req.Context())
	if !x.sent {
		closeBody(req) // a RoundTripper must, also on errors
	}
	var status *StatusError
	if x.resp != nil && (err == nil || errors.As(err, &status) && req.Context().Err() == nil) {
		return x.resp, nil
	}
	x.discard()
	if err == nil {
		err = errors.New("transport: the policies made no request")
	}
	return nil, err
}

// final marks an error as no reason to send the request again.
func (t *Transport) final(err error) error {
	if t.retrier == nil {
		return err
	}
	return retry.Permanent(err)
}

// CloseIdleConnections closes the idle connections of Base, if Base supports that.
func (t *Transport) CloseIdleConnections() {
	if base, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		base.CloseIdleConnections()
	}
}

// heed tells the limiter what the host says about its limits.
func (t *Transport) heed(host string, resp *http.Response) {
	told := listen(resp.Header)
	if _, _, nonsense := retryAfter(resp.Header); nonsense {
		told.nonsense++
	}
	if told.nonsense > 0 {
		t.nonsense.Add(int64(told.nonsense))
	}
	if q := told.tokens; q.known && t.tokens != nil {
		t.tokens.Remaining(q.left, q.reset)
	}
	switch q := told.requests; {
	case !q.known:
	case t.perHost != nil:
		// The key is in use, so this can't fail.
		_ = t.perHost.Use(host, func(l *ratelimit.Limiter) error { l.Remaining(q.left, q.reset); return nil })
	case t.limiter != nil:
		t.limiter.Remaining(q.left, q.reset)
	}
}

// Hedges returns how many requests were sent a second time ([Hedge]), and how many of these were
// answered before the first request.
func (t *Transport) Hedges() (sent, won int64) { return t.hedges.Load(), t.overtook.Load() }

// Nonsense returns how many unusable headers about when to come back, or how much is left, hosts have
// sent: values that were negative, too large, or not numbers. They were ignored.
func (t *Transport) Nonsense() int64 { return t.nonsense.Load() }
