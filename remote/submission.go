package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash"
	"iter"
	"time"

	"github.com/amorsize/amorsize/remote/internal/chunking"
	"github.com/amorsize/amorsize/remote/internal/frame"
	"github.com/amorsize/amorsize/remote/internal/store"
)

// submission goes through items: those before the run's cursor are compared, the others are written down.
type submission[T, R any] struct {
	fn      *Func[T, R]
	cluster *Cluster
	how     submitting
	run     store.Run
	hash    hash.Hash // of all items before at
	at      int64     // how many items were hashed

	waiting [][]byte // encoded, from at on
	bytes   int      // of those
	since   time.Time
	size    int // items of the next chunks
	batches int
}

// A batch is written when it has so many chunks, or bytes, or is so old.
const (
	batchChunks = 64
	batchBytes  = 4 << 20
	batchTime   = 100 * time.Millisecond
)

func (s *submission[T, R]) submit(ctx context.Context, items iter.Seq[T]) error {
	err := patiently(ctx, s.cluster.cfg.Logger, "begin a run", func(ctx context.Context) (err error) {
		s.run, err = s.cluster.store.Create(ctx, s.how.id, s.fn.id, s.fn.signature())
		return err
	})
	if err != nil {
		return err
	}
	if err := s.same(); err != nil {
		return err
	}
	s.measure(ctx)
	for item := range items {
		if err := s.add(item); err != nil {
			return err
		}
		if s.full() {
			if err := s.flush(ctx, false); err != nil {
				return err
			}
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return s.flush(ctx, true)
}

func (s *submission[T, R]) same() error {
	if s.run.Function != s.fn.id {
		return fmt.Errorf("%w: it is of %s", ErrOtherTypes, s.run.Function)
	}
	if s.run.Signature != s.fn.signature() {
		return fmt.Errorf("%w: it was submitted with %s, and this is %s", ErrOtherTypes, s.run.Signature, s.fn.signature())
	}
	if s.run.State == store.RunCanceled {
		return ErrCanceled
	}
	return nil
}

func (s *submission[T, R]) add(item T) error {
	data, err := s.fn.in.Encode(item)
	index := s.at + int64(len(s.waiting))
	if err != nil {
		return fmt.Errorf("item %d cannot be encoded: %w", index, err)
	}
	if most := s.cluster.cfg.MaxItemBytes; len(data) > most {
		return fmt.Errorf("item %d is %w: %d bytes, MaxItemBytes is %d", index, ErrTooLarge, len(data), most)
	}
	if len(s.waiting) == 0 {
		s.since = time.Now()
	}
	s.waiting = append(s.waiting, data)
	s.bytes += len(data)
	return nil
}

func (s *submission[T, R]) full() bool {
	return len(s.waiting) >= batchChunks*s.size || s.bytes >= batchBytes ||
		len(s.waiting) >= s.size && time.Since(s.since) >= batchTime
}

// flush writes what waits, and seals the run if that is all. Items that the run has already are only compared:
// of an earlier submission, or of another coordinator that is ahead.
func (s *submission[T, R]) flush(ctx context.Context, last bool) error {
	for {
		if err := s.skip(last); err != nil || s.run.Sealed || len(s.waiting) == 0 && !last {
			return err
		}
		if s.at < s.run.Items { // all of this is there, and more
			return nil
		}
		chunks := s.cut(last)
		taken, digest := s.digest(chunks)
		err := patiently(ctx, s.cluster.cfg.Logger, "submit items", func(ctx context.Context) (err error) {
			var next store.Run
			next, err = s.cluster.store.Append(ctx, s.run, chunks, digest, last)
			if err == nil || errors.Is(err, store.ErrCursor) {
				s.run = next
			}
			return err
		})
		switch {
		case err == nil:
			s.drop(taken)
			s.measure(ctx)
			s.cluster.news.tell()
			return nil
		case !errors.Is(err, store.ErrCursor):
			return err
		case s.run.State == store.RunCanceled:
			return ErrCanceled
		}
	}
}

// skip goes past items that the run has, and compares them with those it has.
func (s *submission[T, R]) skip(last bool) error {
	if n := min(s.run.Items-s.at, int64(len(s.waiting))); n > 0 {
		s.drop(int(n))
	}
	behind := s.at < s.run.Items
	switch {
	case behind && last, s.run.Sealed && len(s.waiting) > 0 && !behind:
		return fmt.Errorf("%w: it has %d, and these are %s", ErrOtherItems, s.run.Items, s.howMany(last))
	case !behind && s.at == s.run.Items && s.run.Items > 0 && !bytes.Equal(s.hash.Sum(nil), s.run.Digest):
		return fmt.Errorf("%w: one of the first %d is another one", ErrOtherItems, s.run.Items)
	}
	return nil
}

func (s *submission[T, R]) howMany(last bool) string {
	if last {
		return fmt.Sprint(s.at + int64(len(s.waiting)))
	}
	return "more"
}

// drop hashes the first items that wait, and forgets them.
func (s *submission[T, R]) drop(n int) {
	for _, item := range s.waiting[:n] {
		s.hash.Write(frame.Append(nil, item))
		s.bytes -= len(item)
	}
	s.at += int64(n)
	s.waiting = append(s.waiting[:0:0], s.waiting[n:]...)
	s.since = time.Now()
}

// cut makes chunks of what waits; but for the last time, whole ones.
func (s *submission[T, R]) cut(last bool) []store.Chunk {
	var chunks []store.Chunk
	start := s.at
	for rest := s.waiting; len(rest) > 0; {
		n, size := 0, 0
		for n < len(rest) && n < s.size && (n == 0 || size+len(rest[n]) <= chunking.MaxBytes) {
			size += len(rest[n])
			n++
		}
		if n == len(rest) && n < s.size && !last && len(chunks) > 0 {
			break
		}
		chunks = append(chunks, store.Chunk{Key: store.Key{Run: s.run.ID, Start: start}, Count: n, Items: pack(rest[:n])})
		start += int64(n)
		rest = rest[n:]
	}
	return chunks
}

// digest returns how many items chunks have, and the hash of everything up to their end.
func (s *submission[T, R]) digest(chunks []store.Chunk) (items int, digest []byte) {
	ahead, err := cloned(s.hash)
	if err != nil {
		panic(err) // crypto/sha256 documents that it can be cloned
	}
	for _, c := range chunks {
		ahead.Write(c.Items)
		items += c.Count
	}
	return items, ahead.Sum(nil)
}

func cloned(h hash.Hash) (hash.Hash, error) {
	c, ok := h.(hash.Cloner)
	if !ok {
		return nil, errors.New("a hash that cannot be cloned")
	}
	return c.Clone()
}

// probes is how many batches there are of small chunks, from which workers find out how long an item takes.
const probes = 1

// learning is how long a submission waits for what workers find out, if there are any.
const learning = time.Second

// measure says how many items the next chunks have.
func (s *submission[T, R]) measure(ctx context.Context) {
	if s.size = s.how.chunk; s.size > 0 {
		return
	}
	rate, workers, err := s.cluster.store.Rate(ctx, s.fn.id)
	if s.batches++; s.batches == probes+1 && err == nil && rate == 0 && workers > 0 {
		rate = s.learn(ctx)
	}
	switch {
	case err == nil && rate > 0:
		left := max(0, s.how.total-s.at)
		s.size = chunking.Conditions{Rate: rate, Workers: workers, Time: s.cluster.cfg.ChunkTime,
			Capacity: s.cluster.store.Capacity(), Left: left}.Items()
	case s.batches <= probes:
		s.size = chunking.Probe
	default:
		s.size = chunking.Blind
	}
}

// learn waits for the first measurement of a function's rate.
func (s *submission[T, R]) learn(ctx context.Context) float64 {
	end := time.NewTimer(learning)
	defer end.Stop()
	for {
		news := s.cluster.news.wait()
		if rate, _, err := s.cluster.store.Rate(ctx, s.fn.id); err != nil || rate > 0 {
			return rate
		}
		select {
		case <-end.C:
			return 0
		case <-ctx.Done():
			return 0
		case <-news:
		case <-time.After(50 * time.Millisecond):
		}
	}
}
