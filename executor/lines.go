package executor

import (
	"time"

	"github.com/amorsize/amorsize/executor/internal/source"
)

// lines tells in which lines the items of a run wait. It implements source.Lines.
type lines[T any] struct {
	policies []lined[T]
	item     func(i int) *T
}

// linesOf returns the lines that policies make items wait in, nil if there are none.
func linesOf[T any](policies []Policy, item func(i int) *T) *lines[T] {
	l := &lines[T]{item: item}
	for _, policy := range policies {
		if p, ok := policy.(lined[T]); ok {
			l.policies = append(l.policies, p)
		}
	}
	if l.policies == nil {
		return nil
	}
	return l
}

// Of returns the line of item i: one for the combination of its keys. A panic of keyOf is
// ignored here; it occurs again within the call.
func (l *lines[T]) Of(i int) (line uint64, ok bool) {
	defer func() { _ = recover() }()
	item := l.item(i)
	for _, p := range l.policies {
		line = line*1099511628211 + p.Line(item) // the prime of FNV-1a
	}
	return line, true
}

// Wait returns how long item i would be held back now.
func (l *lines[T]) Wait(i int) (wait time.Duration) {
	defer func() {
		if v := recover(); v != nil {
			wait = 0
		}
	}()
	item := l.item(i)
	for _, p := range l.policies {
		wait = max(wait, p.Wait(item))
	}
	return wait
}

// lines returns the lines that policies make the items wait in, if they do.
func (g *guarded[T, R]) lines() source.Lines {
	if l := linesOf(g.policies, func(i int) *T { return &g.items[i] }); l != nil {
		return l
	}
	return nil
}
