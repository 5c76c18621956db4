package executor

import "github.com/amorsize/amorsize/executor/internal/source"

// span is a range of items.
type span = source.Span
