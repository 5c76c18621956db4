package executor

import "github.com/amorsize/amorsize/executor/internal/source"

// span is a range of items.
type span = source.Span

// fault is a failed item or batch.
type fault struct {
	span
	err error
}
