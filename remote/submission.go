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

// submission iterates over items: those before the run's cursor are compared, the others are stored.
type submission[T, R any] struct {
	fn      *Func[T, R]
	cluster *Cluster
	how     submitting
	run     store.Run
	hash    hash.Hash // of all items before at
	at      int64     // how many items were hashed

	packed  []byte // encoded items from at on, in frames
	ends    []int  // where in packed each of them ends
	since   time.Time
	size    int // items of the next chunks
	batches int
}

// A batch is written when it reaches one of these numbers of chunks, bytes, or this age.
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
	if ctx.Err() != nil { // it may be why there are no more
		return context.Cause(ctx)
	}
	return s.flush(ctx, true)
}

func (s *submission[T, R]) same() error {
	if s.run.Function != s.fn.id {
		return fmt.Errorf("%w: it runs %s", ErrOtherTypes, s.run.Function)
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
	index := s.at + int64(len(s.ends))
	if err != nil {
		return fmt.Errorf("item %d cannot be encoded: %w", index, err)
	}
	if most := s.cluster.cfg.MaxItemBytes; len(data) > most {
		return fmt.Errorf("item %d is %w: %d bytes, MaxItemBytes is %d", index, ErrTooLarge, len(data), most)
	}
	if len(s.ends) == 0 {
		s.since = time.Now()
	}
	s.packed = frame.Append(s.packed, data)
	s.ends = append(s.ends, len(s.packed))
	return nil
}

func (s *submission[T, R]) full() bool {
	return len(s.ends) >= batchChunks*s.size || len(s.packed) >= batchBytes ||
		len(s.ends) >= s.size && time.Since(s.since) >= batchTime
}

// flush writes the waiting items, and seals the run after the last. Items that the run already has are only
// compared: those of an earlier submission, or of another coordinator that is ahead.
func (s *submission[T, R]) flush(ctx context.Context, last bool) error {
	for {
		if err := s.skip(last); err != nil || s.run.Sealed || len(s.ends) == 0 && !last {
			return err
		}
		if s.at < s.run.Items { // the run has all of this, and more
			return nil
		}
		err := s.write(ctx, last)
		if !errors.Is(err, store.ErrCursor) {
			return err
		}
		if s.run.State == store.RunCanceled {
			return ErrCanceled
		}
	}
}

// write adds chunks of the waiting items to the run; [store.ErrCursor] if another coordinator was faster.
func (s *submission[T, R]) write(ctx context.Context, last bool) error {
	chunks := s.cut(last)
	taken, ahead, err := s.ahead(chunks)
	if err != nil {
		return err
	}
	err = patiently(ctx, s.cluster.cfg.Logger, "submit items", func(ctx context.Context) (err error) {
		var next store.Run
		next, err = s.cluster.store.Append(ctx, s.run, chunks, ahead.Sum(nil), last)
		if err == nil || errors.Is(err, store.ErrCursor) {
			s.run = next
		}
		return err
	})
	if err != nil {
		return err
	}
	s.hash = ahead
	if s.forget(taken); !last {
		s.measure(ctx)
	}
	s.cluster.news.tell()
	return nil
}

// skip passes over items that the run has, and compares them.
func (s *submission[T, R]) skip(last bool) error {
	if n := min(s.run.Items-s.at, int64(len(s.ends))); n > 0 {
		s.drop(int(n))
	}
	behind := s.at < s.run.Items
	switch {
	case behind && last, s.run.Sealed && len(s.ends) > 0 && !behind:
		return fmt.Errorf("%w: it has %d items, and these are %s", ErrOtherItems, s.run.Items, s.howMany(last))
	case !behind && s.at == s.run.Items && s.run.Items > 0 && !bytes.Equal(s.hash.Sum(nil), s.run.Digest):
		return fmt.Errorf("%w: one of the first %d differs", ErrOtherItems, s.run.Items)
	}
	return nil
}

func (s *submission[T, R]) howMany(last bool) string {
	if last {
		return fmt.Sprint(s.at + int64(len(s.ends)))
	}
	return "more"
}

// drop hashes the first waiting items, and forgets them.
func (s *submission[T, R]) drop(n int) {
	s.hash.Write(s.packed[:s.ends[n-1]])
	s.forget(n)
}

// forget removes the first waiting items.
func (s *submission[T, R]) forget(n int) {
	if n == 0 {
		return
	}
	cut := s.ends[n-1]
	s.packed = append(s.packed[:0], s.packed[cut:]...)
	s.ends = append(s.ends[:0], s.ends[n:]...)
	for i := range s.ends {
		s.ends[i] -= cut
	}
	s.at += int64(n)
	s.since = time.Now()
}

// cut makes chunks of the waiting items: only whole ones, except the last time.
func (s *submission[T, R]) cut(last bool) []store.Chunk {
	var chunks []store.Chunk
	for from, begin := 0, 0; from < len(s.ends); {
		n := 1
		for from+n < len(s.ends) && n < s.size && s.ends[from+n]-begin <= chunking.MaxBytes {
			n++
		}
		if from+n == len(s.ends) && n < s.size && !last && len(chunks) > 0 {
			break
		}
		end := s.ends[from+n-1]
		chunks = append(chunks, store.Chunk{Key: store.Key{Run: s.run.Key, Start: s.at + int64(from)}, Count: n, Items: s.packed[begin:end]})
		from, begin = from+n, end
	}
	return chunks
}

// ahead returns how many items chunks have, and the hash of everything up to their end.
func (s *submission[T, R]) ahead(chunks []store.Chunk) (items int, ahead hash.Hash, err error) {
	cloner, ok := s.hash.(hash.Cloner)
	if !ok {
		return 0, nil, errors.New("crypto/sha256 cannot be cloned any more")
	}
	ahead, err = cloner.Clone()
	for _, c := range chunks {
		ahead.Write(c.Items)
		items += c.Count
	}
	return items, ahead, err
}

// probes is the number of batches of small chunks, from which workers find out how long an item takes.
const probes = 1

// learning is how long a submission waits for the workers' measurement, if there are workers.
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
