package remote

import (
	"context"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/amorsize/amorsize/internal/answer"
	"github.com/amorsize/amorsize/internal/callback"
	"github.com/amorsize/amorsize/ratelimit"
	"github.com/amorsize/amorsize/remote/internal/store"
)

// LeaseTime bounds how much of a shared rate a process takes at once: the tokens that arrive in this time.
const LeaseTime = 250 * time.Millisecond

// tripTime bounds a query to the database: a database that hangs counts as away.
const tripTime = 5 * time.Second

// SharedLimiter keeps the calls of all processes of a cluster within one common rate. It is a policy for
// [amorsize.WithPolicies], safe for concurrent use, and has no goroutine.
//
// The rate is a row in the database. A process takes tokens from it in leases, at most as many as it recently
// spent in [LeaseTime], and spends them at the pace of the rate. For any window of time w, by the database's clock
// and over all processes, no more than burst + rate·w tokens are given out. Each process may spend some of them
// late, by at most LeaseTime. So no more than burst + rate·(w + LeaseTime) calls begin.
//
// Calls of one process are served first come, first served. Between processes, the first query to the database is
// served first. A process that dies loses the rest of its lease.
type SharedLimiter struct {
	name     string
	policy   ratelimit.Policy
	interval time.Duration
	lost     OnLost
	beat     time.Duration
	rows     reserver
	share    func() (workers int)
	panics   callback.Panics

	turn chan struct{} // one call at a time takes tokens: its holder owns the fields below, up to the lock
	got  time.Time     // when the lease was taken
	next time.Time     // when its next token is due: earlier, if a burst was available
	left int           // how many tokens remain
	size int           // of the next lease

	tokens, trips atomic.Int64

	lock   sync.Mutex
	paused time.Time // until when all calls are paused
	looked time.Time // when that was last queried
	back   []time.Time
}

// reserver is the database's part.
type reserver interface {
	Reserve(ctx context.Context, name string, tokens int, interval time.Duration, burst int) (store.Lease, error)
	Pause(ctx context.Context, name string, pause time.Duration) error
	Paused(ctx context.Context, name string) (time.Duration, error)
}

// OnLost says what calls do while the database is away.
type OnLost int

const (
	// FailClosed makes calls wait until it is back: without it no chunk can be fetched or written either.
	FailClosed OnLost = iota
	// LocalShare lets each process continue at its share: the rate divided by the last known number of workers.
	LocalShare
)

// Limiter returns a limit shared by all processes that ask for it by that name. They must use the same policy:
// with another rate, tokens would be due at other times. These fields of policy count: RequestsPerSecond, up to
// 1e6, BurstSize, OnLimit, the callbacks, MaxPause and IgnoreFeedback. A policy with Adapt is invalid: a shared
// rate must be known.
//
// A pause that one process receives, by an answer of 429 with Retry-After, reaches the others within a heartbeat.
func Limiter(cluster *Cluster, name string, policy ratelimit.Policy, lost ...OnLost) (*SharedLimiter, error) {
	l := &SharedLimiter{name: name, rows: cluster.store, beat: cluster.cfg.Heartbeat}
	workers := 1
	l.share = func() int { return workers }
	if alive, err := cluster.store.Workers(context.Background()); err == nil {
		workers = max(1, len(alive))
	}
	if len(lost) > 0 {
		l.lost = lost[0]
	}
	return l, l.init(policy)
}

func (l *SharedLimiter) init(policy ratelimit.Policy) error {
	if l.name == "" || len(l.name) > 200 {
		return &ConfigError{"Name", l.name, "text of 1 to 200 bytes"}
	}
	if policy.Adapt != nil {
		return &ConfigError{"Adapt", "set", "nil: a shared rate must be known"}
	}
	if policy.RequestsPerSecond > 1e6 {
		return &ConfigError{"RequestsPerSecond", policy.RequestsPerSecond, "up to 1000000"}
	}
	if _, err := ratelimit.New(policy); err != nil { // it knows what is valid
		return err
	}
	if policy.BurstSize == 0 {
		policy.BurstSize = max(1, int(math.Round(policy.RequestsPerSecond)))
	}
	if policy.MaxPause == 0 {
		policy.MaxPause = ratelimit.DefaultMaxPause
	}
	l.policy = policy
	l.interval = time.Duration(math.Round(float64(time.Second) / policy.RequestsPerSecond))
	l.turn = make(chan struct{}, 1)
	l.size = 1
	return nil
}

// Do makes a call when a token is available. An error that asks for a pause, such as an answer of 429, pauses all
// processes.
func (l *SharedLimiter) Do(ctx context.Context, call func(context.Context) error) error {
	if err := l.Wait(ctx); err != nil {
		return answer.Unmade(err)
	}
	err := call(ctx)
	if !l.policy.IgnoreFeedback {
		if pause, asked := answer.RetryAfter(err); asked && pause > 0 {
			l.Pause(ctx, pause)
		}
	}
	return err
}

// Wait takes a token when one is due. If ctx ends before that, or would end, it returns an error and takes no
// token. With [ratelimit.Reject] it does not wait, and returns a [*ratelimit.ExceededError].
func (l *SharedLimiter) Wait(ctx context.Context) error {
	w := &sharedWait{l: l, ctx: ctx, begun: time.Now()}
	defer w.end()
	for {
		due, err := l.take(ctx, w)
		if err != nil {
			return err
		}
		if wait := time.Until(due); l.policy.OnLimit == ratelimit.Reject && wait > 0 {
			l.giveBack(due)
			return &ratelimit.ExceededError{RetryAfter: wait}
		}
		if err := l.sleep(ctx, due, w); err != nil {
			l.giveBack(due)
			return err
		}
		if !l.held() {
			l.tokens.Add(1)
			return nil
		}
		// A pause has begun meanwhile. All earlier tokens are void: otherwise their holders would all start when it
		// ends.
	}
}

// Spent returns how many tokens this process has spent, and how often it has queried the database for tokens.
func (l *SharedLimiter) Spent() (tokens, trips int64) { return l.tokens.Load(), l.trips.Load() }
