package remote

import (
	"context"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/amorsize/amorsize/internal/answer"
	"github.com/amorsize/amorsize/internal/callback"
	"github.com/amorsize/amorsize/internal/waiting"
	"github.com/amorsize/amorsize/ratelimit"
	"github.com/amorsize/amorsize/remote/internal/store"
)

// LeaseTime bounds how much of a shared rate a process takes at once: what comes in so long.
const LeaseTime = 250 * time.Millisecond

// tripTime bounds a question to the database: one that hangs is taken for one that is away.
const tripTime = 5 * time.Second

// SharedLimiter keeps the calls of all processes of a cluster together within one rate. It is a policy for
// [amorsize.WithPolicies], safe for concurrent use, and has no goroutine.
//
// The rate is a row in the database. A process takes tokens of it by the lease, as many as it has lately spent in
// [LeaseTime] at most, and spends them at the pace of the rate. What is promised of any window of time w, by the
// database's clock and over all processes: no more than burst + rate·w tokens are given out, and of those each
// process may have spent some late, by LeaseTime at most. So no more than burst + rate·(w + LeaseTime) calls begin.
//
// Calls of a process are served first come, first served; those of several processes by who asks the database
// first. A process that dies takes the rest of its lease with it.
type SharedLimiter struct {
	name     string
	policy   ratelimit.Policy
	interval time.Duration
	lost     OnLost
	beat     time.Duration
	rows     reserver
	share    func() (workers int)
	panics   callback.Panics

	turn chan struct{} // one at a time takes tokens: its holder owns what follows, up to the lock
	got  time.Time     // when the lease was taken
	next time.Time     // when its next token is due: before that, if a burst was there
	left int           // how many there are
	size int           // of the next lease

	tokens, trips atomic.Int64

	lock   sync.Mutex
	paused time.Time // until when everybody is held back
	looked time.Time // when that was asked for
	back   []time.Time
}

// reserver is the database's part.
type reserver interface {
	Reserve(ctx context.Context, name string, tokens int, interval time.Duration, burst int) (store.Lease, error)
	Pause(ctx context.Context, name string, pause time.Duration) error
	Paused(ctx context.Context, name string) (time.Duration, error)
}

// OnLost says what becomes of calls while the database is away.
type OnLost int

const (
	// FailClosed has them wait until it is back: without it no chunk can be had or written down either.
	FailClosed OnLost = iota
	// LocalShare has each process go on at its part of the rate: that, divided by how many workers there were.
	LocalShare
)

// Limiter returns a limit that all processes share which ask for it by that name, with the same policy: the one
// with the other rate would have another idea of when tokens are due. Of policy, RequestsPerSecond, up to 1e6,
// BurstSize, OnLimit, the callbacks, MaxPause and IgnoreFeedback count. With Adapt it is invalid: a rate that is
// shared must be known.
//
// A pause that one process is told of, by an answer of 429 with Retry-After, is seen by the others within a
// heartbeat.
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

// Do makes a call when a token is there. An error that asks for a pause, as of an answer of 429, is heeded by
// everybody.
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

// Wait takes a token, when one is due. It returns an error if ctx ends before that, or would; then it has taken none.
// With [ratelimit.Reject] it does not wait, and returns a [*ratelimit.ExceededError].
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
		// A pause has begun since. All tokens of before are void: or those who have them would go at once when it ends.
	}
}

// Spent returns how many tokens this process has spent, and how often it has asked the database for some.
func (l *SharedLimiter) Spent() (tokens, trips int64) { return l.tokens.Load(), l.trips.Load() }

// take returns when the next token is due.
func (l *SharedLimiter) take(ctx context.Context, w *sharedWait) (due time.Time, err error) {
	select {
	case l.turn <- struct{}{}:
	default:
		w.begin()
		select {
		case l.turn <- struct{}{}:
		case <-ctx.Done():
			return due, answer.Canceled("remote", ctx)
		}
	}
	defer func() { <-l.turn }()
	if due, ok := l.returned(); ok {
		return due, nil
	}
	if l.left > 0 && l.idle() > LeaseTime {
		l.left, l.size = 0, 1 // nobody wanted them when they were due
	}
	if l.left == 0 && l.policy.OnLimit == ratelimit.Reject && l.next.After(time.Now().Add(lead)) {
		return due, &ratelimit.ExceededError{RetryAfter: time.Until(l.next)}
	}
	if l.left == 0 {
		if err := l.lease(ctx, w); err != nil {
			return due, err
		}
	}
	due = l.next
	l.next = l.next.Add(l.interval)
	l.left--
	return due, nil
}

// idle is for how long the next token could have been spent.
func (l *SharedLimiter) idle() time.Duration {
	if l.next.Before(l.got) {
		return time.Since(l.got)
	}
	return time.Since(l.next)
}

// returned takes a token that somebody had, and could not wait for.
func (l *SharedLimiter) returned() (due time.Time, ok bool) {
	l.lock.Lock()
	defer l.lock.Unlock()
	for len(l.back) > 0 {
		due, l.back = l.back[0], l.back[1:]
		if time.Since(due) < LeaseTime {
			return due, true
		}
	}
	return due, false
}

func (l *SharedLimiter) giveBack(due time.Time) {
	l.lock.Lock()
	defer l.lock.Unlock()
	if time.Now().Before(l.paused) {
		return
	}
	l.back = append(l.back, due)
}

// lead is how long before the end of a lease the next one is taken: a trip to the database, with room.
const lead = 50 * time.Millisecond

// lease takes tokens of the row. Leases that are spent in time grow.
func (l *SharedLimiter) lease(ctx context.Context, w *sharedWait) error {
	most := max(1, int(LeaseTime/l.interval))
	if !l.next.IsZero() {
		if l.idle() < LeaseTime {
			l.size = min(2*l.size, most)
		} else {
			l.size = 1
		}
		// not before the last lease is nearly spent, or a process would have the row's next hour
		if err := l.sleep(ctx, l.next.Add(-lead), w); err != nil {
			return err
		}
	}
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		trip, stop := context.WithTimeout(ctx, tripTime)
		l.trips.Add(1)
		lease, err := l.rows.Reserve(trip, l.name, min(l.size, most), l.interval, l.policy.BurstSize)
		stop()
		now := time.Now()
		if err == nil {
			l.hold(now, lease.Paused)
			l.got, l.next, l.left = now, now.Add(lease.Wait), lease.Tokens
			return nil
		}
		if ctx.Err() != nil {
			return answer.Canceled("remote", ctx)
		}
		if l.lost == LocalShare {
			if l.next.Before(now) {
				l.next = now
			}
			l.next = l.next.Add(l.interval * time.Duration(l.share()-1))
			l.left = 1
			return nil
		}
		if err := l.sleep(ctx, now.Add(pause), w); err != nil {
			return err
		}
	}
}

// Pause holds back the calls of all processes for so long, MaxPause of the policy at most, unless they are for longer.
func (l *SharedLimiter) Pause(ctx context.Context, pause time.Duration) {
	pause = min(pause, l.policy.MaxPause)
	if !l.hold(time.Now(), pause) {
		return
	}
	if l.policy.OnPause != nil {
		l.panics.Run("OnPause", func() { l.policy.OnPause(pause) })
	}
	trip, stop := context.WithTimeout(context.WithoutCancel(ctx), tripTime)
	defer stop()
	_ = l.rows.Pause(trip, l.name, pause) // this process keeps it at least
}

// hold notes a pause, and returns whether it is longer than the one that is under way.
func (l *SharedLimiter) hold(now time.Time, pause time.Duration) bool {
	l.lock.Lock()
	defer l.lock.Unlock()
	l.looked = now
	until := now.Add(pause)
	const same = 10 * time.Millisecond // it is read with the delay of a trip
	if pause <= 0 || until.Sub(l.paused) < same {
		return false
	}
	l.paused, l.back = until, nil
	return true
}

func (l *SharedLimiter) held() bool {
	l.lock.Lock()
	defer l.lock.Unlock()
	return time.Now().Before(l.paused)
}

// sleep waits until a token is due, and looks for pauses meanwhile. It gives up at once on what ctx would not
// live to see.
func (l *SharedLimiter) sleep(ctx context.Context, due time.Time, w *sharedWait) error {
	if end, has := ctx.Deadline(); has && due.After(end) {
		return &ratelimit.DeadlineError{Wait: time.Until(due), Left: time.Until(end)}
	}
	for {
		wait := time.Until(l.after(due))
		if wait <= 0 {
			return nil
		}
		w.begin()
		timer := time.NewTimer(min(wait, l.beat))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return answer.Canceled("remote", ctx)
		}
		if l.stale() {
			trip, stop := context.WithTimeout(ctx, tripTime)
			pause, err := l.rows.Paused(trip, l.name)
			stop()
			if err == nil {
				l.hold(time.Now(), pause)
			}
		}
	}
}

// after is the later of an instant and the end of the pause.
func (l *SharedLimiter) after(due time.Time) time.Time {
	l.lock.Lock()
	defer l.lock.Unlock()
	if due.Before(l.paused) {
		return l.paused
	}
	return due
}

// stale says that nobody has asked the database for pauses for a heartbeat; who is told so does.
func (l *SharedLimiter) stale() bool {
	l.lock.Lock()
	defer l.lock.Unlock()
	if time.Since(l.looked) < l.beat {
		return false
	}
	l.looked = time.Now()
	return true
}

// sharedWait is a call's wait, of which the run that it is a part of is told, and the policy's callbacks.
type sharedWait struct {
	l     *SharedLimiter
	ctx   context.Context //nolint:containedctx // lives as long as the call
	begun time.Time
	hold  waiting.Hold
	waits bool
}

func (w *sharedWait) begin() {
	if w.waits {
		return
	}
	w.waits = true
	w.hold = waiting.Begin(w.ctx, waiting.Line{Of: w.l, By: (*sharedTold)(w.l)})
	if w.l.policy.OnWaiting != nil {
		w.l.panics.Run("OnWaiting", func() { w.l.policy.OnWaiting(time.Until(w.l.after(w.begun))) })
	}
}

func (w *sharedWait) end() {
	if !w.waits {
		return
	}
	w.hold.End()
	if w.l.policy.OnWait != nil {
		w.l.panics.Run("OnWait", func() { w.l.policy.OnWait(time.Since(w.begun)) })
	}
}

// sharedTold is a limiter as runs tell of it.
type sharedTold SharedLimiter

// Kind implements [waiting.Policy].
func (*sharedTold) Kind() string { return "ratelimit" }

// Name implements [waiting.Policy].
func (t *sharedTold) Name() string { return t.name }

// State implements [waiting.Policy].
func (t *sharedTold) State() (state string, left time.Duration) {
	l := (*SharedLimiter)(t)
	if left = time.Until(l.after(time.Time{})); left > 0 {
		return "paused", left
	}
	return "", 0
}
