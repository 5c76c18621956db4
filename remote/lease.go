package remote

import (
	"context"
	"time"

	"github.com/amorsize/amorsize/internal/answer"
	"github.com/amorsize/amorsize/ratelimit"
)

// take returns when the next token is due.
func (l *SharedLimiter) take(ctx context.Context, w *sharedWait) (due time.Time, err error) {
	if err := l.enter(ctx, w); err != nil {
		return due, err
	}
	defer func() { <-l.turn }()
	if due, ok := l.returned(); ok {
		return due, nil
	}
	if l.left > 0 && l.idle() > LeaseTime {
		l.left, l.size = 0, 1 // no call wanted them when they were due
	}
	if next := l.after(l.next); l.left == 0 && l.policy.OnLimit == ratelimit.Reject && next.After(time.Now().Add(lead)) {
		return due, &ratelimit.ExceededError{RetryAfter: time.Until(next)}
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

// enter waits for a call's turn.
func (l *SharedLimiter) enter(ctx context.Context, w *sharedWait) error {
	select {
	case l.turn <- struct{}{}:
		return nil
	default:
	}
	w.begin()
	select {
	case l.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return answer.Canceled("remote", ctx)
	}
}

// idle is how long ago the next token could have been spent.
func (l *SharedLimiter) idle() time.Duration {
	if l.next.Before(l.got) {
		return time.Since(l.got)
	}
	return time.Since(l.next)
}

// returned takes a token that another call had taken but could not wait for.
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

// lead is how long before the end of a lease the next one is taken: a round trip to the database, with room.
const lead = 50 * time.Millisecond

// lease takes tokens from the row. Leases that are spent in time grow.
func (l *SharedLimiter) lease(ctx context.Context, w *sharedWait) error {
	most := max(1, int(LeaseTime/l.interval))
	if !l.next.IsZero() {
		if l.idle() < LeaseTime {
			l.size = min(2*l.size, most)
		} else {
			l.size = 1
		}
		// not before the last lease is nearly spent, or a process would take the row's next hour
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
