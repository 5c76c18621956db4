package remote

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/amorsize/amorsize/remote/internal/store"
)

// committer writes results of chunks that end at about the same time in one transaction: a commit waits for the
// disk, whatever its size. A result that arrives during a commit waits for the next one.
type committer struct {
	store *store.Store

	lock    sync.Mutex
	waiting []*pending
	busy    bool
}

// pending is a result that waits to be written.
type pending struct {
	done     store.Done
	accepted bool
	err      error
	ready    chan struct{} // written, or err
	lead     chan struct{} // this one is to write the waiting results
}

// most is how many chunks a transaction has at most.
const most = 256

// put writes a result, and returns whether it counts.
func (c *committer) put(ctx context.Context, done store.Done) (accepted bool, err error) {
	p := &pending{done: done, ready: make(chan struct{}), lead: make(chan struct{}, 1)}
	c.lock.Lock()
	c.waiting = append(c.waiting, p)
	if !c.busy {
		c.busy = true
		p.lead <- struct{}{}
	}
	c.lock.Unlock()
	select {
	case <-p.ready:
	case <-p.lead:
		c.write(ctx)
		<-p.ready
	}
	return p.accepted, p.err
}

// write commits the waiting results, and makes the next one write the rest.
func (c *committer) write(ctx context.Context) {
	c.lock.Lock()
	group := c.waiting[:min(len(c.waiting), most)]
	c.waiting = c.waiting[len(group):]
	c.lock.Unlock()
	all := make([]store.Done, len(group))
	for i, p := range group {
		all[i] = p.done
	}
	accepted, err := c.store.Commit(ctx, all)
	for i, p := range group {
		switch {
		case err == nil:
			p.accepted = accepted[i]
		case len(group) > 1: // an error of one must not affect the others
			var alone []bool
			if alone, p.err = c.store.Commit(ctx, all[i:i+1]); p.err == nil {
				p.accepted = alone[0]
			}
		default:
			p.err = err
		}
		close(p.ready)
	}
	c.lock.Lock()
	defer c.lock.Unlock()
	if c.busy = len(c.waiting) > 0; c.busy {
		c.waiting[0].lead <- struct{}{}
	}
}

// answers is how long the database may take for a query: a server that hangs, or a network that was cut, says
// nothing at all.
const answers = 30 * time.Second

// patiently calls the database until it answers, or ctx ends. The database may be away for a while, and giving up
// would mean doing all the work again.
func patiently(ctx context.Context, log *slog.Logger, what string, call func(context.Context) error) error {
	const longest = 2 * time.Second
	said := false
	for wait := 20 * time.Millisecond; ; wait = min(2*wait, longest) {
		trip, stop := context.WithTimeout(ctx, answers)
		err := call(trip)
		stop()
		if err == nil || ctx.Err() != nil || lasting(err) {
			if err == nil && said {
				log.InfoContext(ctx, "database available again", "for", what)
			}
			return err
		}
		if !said && wait > 100*time.Millisecond {
			said = true
			log.WarnContext(ctx, "database unavailable, retrying", "what", what, "error", err)
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(wait/2 + rand.N(wait/2)):
		}
	}
}
