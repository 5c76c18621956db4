package store

import (
	"context"
	"time"
)

// Lease is a part of a limit that all machines share: a number of tokens, the first of them due after Wait, and
// the others at intervals after it. Wait is negative where a burst is available: those tokens were due in the
// past. Paused is how long all calls are paused, from now on.
type Lease struct {
	Tokens int
	Wait   time.Duration
	Paused time.Duration
}

// Reserve takes tokens of a rate. It never refuses: it is the generic cell rate algorithm, by reservation, in one
// row. interval and burst belong to the limit: the time between two tokens, and how many may be due at once.
func (s *Store) Reserve(ctx context.Context, name string, tokens int, interval time.Duration, burst int) (Lease, error) {
	lease := Lease{Tokens: tokens}
	err := s.db.write(ctx, func(t tx) error {
		t.relaxed()
		var due, paused, instant int64
		now := s.db.now()
		step := int64(tokens) * interval.Nanoseconds()
		credit := int64(burst-1) * interval.Nanoseconds()
		// due is when the token after these may be used, in nanoseconds: a rate of 3 per second has no whole
		// microseconds
		err := t.one(`INSERT INTO @rate AS r (name, due) VALUES ($1, `+now+` * 1000 - CAST($3 AS bigint) + CAST($2 AS bigint))
			ON CONFLICT (name) DO UPDATE SET due =
				CASE WHEN r.due < `+now+` * 1000 - CAST($3 AS bigint) THEN `+now+` * 1000 - CAST($3 AS bigint) ELSE r.due END + CAST($2 AS bigint)
			RETURNING due, paused, `+now, []any{name, step, credit}, &due, &paused, &instant)
		lease.Wait = time.Duration(due - step - instant*1000)
		lease.Paused = max(0, time.Duration(paused-instant)*time.Microsecond)
		return err
	})
	return lease, err
}

// Pause pauses all calls for that time from now on, unless a longer pause is in effect.
func (s *Store) Pause(ctx context.Context, name string, pause time.Duration) error {
	return s.db.write(ctx, func(t tx) error {
		now := s.db.now()
		until := `(` + now + ` + CAST($2 AS bigint))`
		_, err := t.exec(`INSERT INTO @rate AS r (name, due, paused) VALUES ($1, `+until+` * 1000, `+until+`)
			ON CONFLICT (name) DO UPDATE SET
				paused = CASE WHEN r.paused < excluded.paused THEN excluded.paused ELSE r.paused END,
				due = CASE WHEN r.due < excluded.due THEN excluded.due ELSE r.due END`, name, pause.Microseconds())
		return err
	})
}

// Paused returns how long a rate is paused for.
func (s *Store) Paused(ctx context.Context, name string) (pause time.Duration, err error) {
	err = s.db.read(ctx, func(t tx) error {
		var micros int64
		err := t.one(`SELECT CAST(coalesce(max(paused - `+s.db.now()+`), 0) AS bigint) FROM @rate WHERE name = $1`, []any{name}, &micros)
		pause = max(0, time.Duration(micros)*time.Microsecond)
		return err
	})
	return pause, err
}

// Breaker is the shared state of a circuit breaker: how much longer it is open.
type Breaker struct {
	Open   time.Duration
	Reason string
}

// OpenBreaker opens all breakers of that name for that time, unless they are open for longer.
func (s *Store) OpenBreaker(ctx context.Context, name string, open time.Duration, reason string) error {
	return s.db.write(ctx, func(t tx) error {
		_, err := t.exec(`INSERT INTO @breaker AS b (name, until, reason) VALUES ($1, `+s.db.now()+` + CAST($2 AS bigint), $3)
			ON CONFLICT (name) DO UPDATE SET until = excluded.until, reason = excluded.reason WHERE b.until < excluded.until`,
			name, open.Microseconds(), reason)
		return err
	})
}

// Breaker returns the shared state of a breaker.
func (s *Store) Breaker(ctx context.Context, name string) (b Breaker, err error) {
	err = s.db.read(ctx, func(t tx) error {
		return t.all(`SELECT until - `+s.db.now()+`, reason FROM @breaker WHERE name = $1`, []any{name}, func(scan func(...any) error) error {
			var micros int64
			err := scan(&micros, &b.Reason)
			b.Open = max(0, time.Duration(micros)*time.Microsecond)
			return err
		})
	})
	return b, err
}
