package remote

import (
	"context"
	"sync"
	"time"

	"github.com/amorsize/amorsize/circuitbreaker"
	"github.com/amorsize/amorsize/internal/answer"
	"github.com/amorsize/amorsize/internal/waiting"
	"github.com/amorsize/amorsize/remote/internal/store"
)

// SharedBreaker is a circuit breaker of this process that also opens when one of the same name has opened in
// another process. It is a policy for [amorsize.WithPolicies] and safe for concurrent use.
//
// Each process counts its own calls, since a query to the database for each would cost more than the call. A
// breaker that opens writes that to the database, and the others see it within a heartbeat. They are open for as
// long as that one is, then continue with their own state.
type SharedBreaker struct {
	name string
	own  *circuitbreaker.Breaker
	p    circuitbreaker.Policy
	rows breakers
	beat time.Duration

	lock   sync.Mutex
	looked time.Time
	opened time.Time
	until  time.Time // of another process's breaker
	mine   bool      // the breaker is open because of this process
}

// breakers is the database's part.
type breakers interface {
	OpenBreaker(ctx context.Context, name string, open time.Duration, reason string) error
	Breaker(ctx context.Context, name string) (store.Breaker, error)
}

// Breaker returns a circuit breaker that opens for all processes that have one of that name.
func Breaker(cluster *Cluster, name string, policy circuitbreaker.Policy) (*SharedBreaker, error) {
	return newBreaker(cluster.store, cluster.cfg.Heartbeat, name, policy)
}

func newBreaker(rows breakers, beat time.Duration, name string, policy circuitbreaker.Policy) (*SharedBreaker, error) {
	if name == "" || len(name) > 200 {
		return nil, &ConfigError{"Name", name, "text of 1 to 200 bytes"}
	}
	b := &SharedBreaker{name: name, rows: rows, beat: beat, p: policy}
	if policy.Name == "" {
		policy.Name = name
	}
	onOpen := policy.OnOpen
	policy.OnOpen = func(failures int, last error) {
		b.tell(message(last))
		if onOpen != nil {
			onOpen(failures, last)
		}
	}
	var err error
	b.own, err = circuitbreaker.New(policy)
	return b, err
}

// tell makes the breakers of other processes open.
func (b *SharedBreaker) tell(reason string) {
	open := b.p.OpenFor
	if open == 0 {
		open = circuitbreaker.DefaultOpenFor
	}
	ctx, stop := context.WithTimeout(context.Background(), tripTime)
	defer stop()
	_ = b.rows.OpenBreaker(ctx, b.name, open, reason) // this process's breaker is open in any case
	b.lock.Lock()
	defer b.lock.Unlock()
	b.mine = true
}

// Do makes a call unless the breaker is open, here or elsewhere: then it waits or fails, as the policy says.
func (b *SharedBreaker) Do(ctx context.Context, call func(context.Context) error) error {
	b.look(ctx)
	if err := b.elsewhere(ctx); err != nil {
		return answer.Unmade(err)
	}
	return b.own.Do(ctx, call)
}

// State is the state of this process's breaker, or open if another process's is.
func (b *SharedBreaker) State() circuitbreaker.State {
	b.lock.Lock()
	defer b.lock.Unlock()
	if time.Now().Before(b.until) {
		return circuitbreaker.Open
	}
	return b.own.State()
}

// look queries the database once per heartbeat; one call does it, the others go on.
func (b *SharedBreaker) look(ctx context.Context) {
	b.lock.Lock()
	if !b.looked.IsZero() && time.Since(b.looked) < b.beat {
		b.lock.Unlock()
		return
	}
	b.looked = time.Now()
	b.lock.Unlock()
	trip, stop := context.WithTimeout(ctx, tripTime)
	defer stop()
	shared, err := b.rows.Breaker(trip, b.name)
	if err != nil {
		return
	}
	b.lock.Lock()
	defer b.lock.Unlock()
	if shared.Open <= 0 {
		b.mine = false
	}
	if now := time.Now(); shared.Open > 0 && !b.mine {
		if now.After(b.until) {
			b.opened = now
		}
		b.until = now.Add(shared.Open)
	}
}

// elsewhere waits while another process's breaker is open, or refuses.
func (b *SharedBreaker) elsewhere(ctx context.Context) error {
	for {
		b.lock.Lock()
		left, opened := time.Until(b.until), b.opened
		b.lock.Unlock()
		if left <= 0 {
			return nil
		}
		refusal := &circuitbreaker.OpenError{State: circuitbreaker.Open, OpenedAt: opened, RetryAfter: left}
		if b.p.WhenOpen == circuitbreaker.Reject || b.p.MaxWait > 0 && left > b.p.MaxWait {
			return refusal
		}
		if end, has := ctx.Deadline(); has && time.Until(end) < left {
			return refusal
		}
		hold := waiting.Begin(ctx, waiting.Line{Of: b, By: (*toldBreaker)(b)})
		timer := time.NewTimer(left)
		select {
		case <-timer.C:
			hold.End()
		case <-ctx.Done():
			timer.Stop()
			hold.End()
			return answer.Canceled("remote", ctx)
		}
	}
}

// toldBreaker is a breaker as runs report it.
type toldBreaker SharedBreaker

// Kind implements [waiting.Policy].
func (*toldBreaker) Kind() string { return "circuitbreaker" }

// Name implements [waiting.Policy].
func (t *toldBreaker) Name() string { return t.name }

// State implements [waiting.Policy].
func (t *toldBreaker) State() (state string, left time.Duration) {
	b := (*SharedBreaker)(t)
	b.lock.Lock()
	defer b.lock.Unlock()
	if left = time.Until(b.until); left > 0 {
		return "open", left
	}
	return "", 0
}
