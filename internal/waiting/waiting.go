// Package waiting lets a policy tell whoever runs the calls that it holds one of
// them back: for a token, for a breaker to close, between two attempts. Such a call
// is not in flight, and the time is not the service's.
//
// The one who runs the calls puts a [Listener] into the context that they are
// given. Where there is none, telling costs one look into the context, and only
// where a call waits anyway.
package waiting

import (
	"context"
	"time"
)

// A Listener is told when a call is held back. It may be told by several
// goroutines of one call at once, and by some that outlive it.
type Listener interface {
	// HoldBegins returns a ticket for HoldEnds.
	HoldBegins(Line) (ticket uint64)
	// HoldEnds does nothing if the call that the ticket was for is over.
	HoldEnds(ticket uint64)
}

// A Policy is what holds calls back, as it is told of. It is comparable.
type Policy interface {
	// Kind is the policy's package: "ratelimit", "circuitbreaker".
	Kind() string
	// Name is what the user calls it, or empty.
	Name() string
	// State is what it is in that is out of the ordinary, as "open" or "paused", and for how
	// long yet, 0 if that is not known; else it is empty.
	State() (state string, left time.Duration)
}

// An Audience is a [Listener] that is told when the state of a policy changes, or keeps calls from
// being made.
type Audience interface {
	Changed(p Policy)
}

// Changed tells the listener of ctx, if there is one that listens to it.
func Changed(ctx context.Context, p Policy) {
	if audience, ok := ctx.Value(Key{}).(Audience); ok {
		audience.Changed(p)
	}
}

// Line is what a call waits in.
type Line struct {
	// Of is whose line it is: a limiter, a breaker. It is comparable.
	Of any
	// OneOfMany says that calls for other keys wait in other lines, or in none.
	OneOfMany bool
	// By is the policy, nil if that is not known.
	By Policy
}

// Key is the context key of the [Listener].
type Key struct{}

// Hold is a call being held back. The zero value is one that nobody listens to.
type Hold struct {
	listener Listener
	ticket   uint64
}

// Begin tells the listener of ctx, if there is one, that the call waits in line.
func Begin(ctx context.Context, line Line) Hold {
	listener, ok := ctx.Value(Key{}).(Listener)
	if !ok {
		return Hold{}
	}
	return BeginWith(listener, line)
}

// BeginWith is [Begin] for a listener that is known.
func BeginWith(listener Listener, line Line) Hold {
	return Hold{listener, listener.HoldBegins(line)}
}

// End tells that the call goes on.
func (h Hold) End() {
	if h.listener != nil {
		h.listener.HoldEnds(h.ticket)
	}
}
