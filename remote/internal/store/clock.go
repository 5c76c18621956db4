package store

import (
	"context"
	"sync/atomic"
	"time"
)

// clock is the database's, as far as this process knows it. River goes by that of the process where it puts a job
// off, deletes what is old and elects: one that is ten minutes ahead would put jobs off by ten minutes for everybody.
type clock struct {
	wall  func() time.Time // this machine's
	ahead atomic.Int64     // nanoseconds by which the database's is ahead of that
}

// Now implements River's TimeGenerator. It keeps the monotonic reading.
func (c *clock) Now() time.Time { return c.wall().Add(time.Duration(c.ahead.Load())) }

// NowOrNil implements River's TimeGenerator: nil has statements take the database's time, as they do by themselves.
func (c *clock) NowOrNil() *time.Time { return nil }

// Sync asks the database for its time.
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
