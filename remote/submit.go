package remote

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/amorsize/amorsize/remote/internal/chunking"
)

// SubmitOption is how to submit a run.
type SubmitOption func(*submitting)

type submitting struct {
	id    string
	chunk int
	total int64
}

// RunID names a run. Submitting the same items under the same name again continues where the first submission
// ended, and adds nothing if it was complete; so a nightly job can be restarted safely. Without it a run has a
// random name. It is text of 1 to 200 bytes.
func RunID(id string) SubmitOption { return func(s *submitting) { s.id = id } }

// ChunkItems gives all chunks of a run this number of items, 1 to 10000. Without it they have as many as a worker
// does in [Config].ChunkTime; this is measured, and corrected while items are submitted.
func ChunkItems(n int) SubmitOption { return func(s *submitting) { s.chunk = n } }

// Total is the number of items, if it is known: the last chunks are smaller, so that all workers end at about the
// same time.
func Total(n int) SubmitOption { return func(s *submitting) { s.total = int64(n) } }

func (s *submitting) validate() error {
	if s.id == "" {
		random := make([]byte, 8)
		_, _ = rand.Read(random) // never fails
		s.id = time.Now().UTC().Format("20060102-150405-") + hex.EncodeToString(random)
	}
	if len(s.id) > 200 || strings.ToValidUTF8(s.id, "") != s.id || strings.ContainsRune(s.id, 0) {
		return &ConfigError{"RunID", fmt.Sprintf("%q", s.id), "text of 1 to 200 bytes"}
	}
	if s.chunk < 0 || s.chunk > chunking.MaxItems {
		return &ConfigError{"ChunkItems", s.chunk, "1 to 10000"}
	}
	return nil
}

// Submit stores items for workers, in chunks, and returns when all are stored. Memory is bounded whatever their
// number. It may be ended at any time and called again with the same [RunID] and the same items: the cursor, the
// chunks and their jobs are written in one transaction. If items that were submitted before differ, it fails with
// [ErrOtherItems]; with another function or other types, it fails with [ErrOtherTypes].
//
// While the database is away it waits; end ctx to give up.
func (f *Func[T, R]) Submit(ctx context.Context, cluster *Cluster, items iter.Seq[T], opts ...SubmitOption) (*Run[R], error) {
	var how submitting
	for _, opt := range opts {
		opt(&how)
	}
	if f.invalid != nil {
		return nil, f.invalid
	}
	if err := how.validate(); err != nil {
		return nil, err
	}
	if items == nil {
		return nil, &ConfigError{"items", "nil", "an iterator"}
	}
	s := &submission[T, R]{fn: f, cluster: cluster, how: how, hash: sha256.New()}
	if err := s.submit(ctx, items); err != nil {
		return nil, &RunError{how.id, err}
	}
	return &Run[R]{Handle{cluster, how.id, s.run.Key}, f.out}, nil
}
