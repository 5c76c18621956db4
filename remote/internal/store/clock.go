package store

import (
	"context"
	"sync/atomic"
	"time"
)

// clock is the database's clock, as far as this process knows it. River uses the process's clock to postpone jobs,
// delete old ones and elect: a clock that is ten minutes ahead would postpone everybody's jobs by ten minutes.
type clock struct {
	wall  func() time.Time // this machine's clock
	ahead atomic.Int64     // nanoseconds by which the database's clock is ahead of it
}

// Now implements River's TimeGenerator. It keeps the monotonic reading.
func (c *clock) Now() time.Time { return c.wall().Add(time.Duration(c.ahead.Load())) }

// NowOrNil implements River's TimeGenerator: with nil, statements take the database's time, which is their
// default.
func (c *clock) NowOrNil() *time.Time { return nil }

// Sync queries the database for its time.
func (s *Store) Sync(ctx context.Context) error {
	begun := s.clock.wall()
	there, err := s.Ping(ctx)
	if err != nil {
		return err
	}
	trip := s.clock.wall().Sub(begun)
	s.clock.ahead.Store(int64(there.Sub(begun.Add(trip / 2))))
	return nil
}
