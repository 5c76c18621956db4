// Package keyed keeps one of something for each key, as long as it is needed.
package keyed

import (
	"math"
	"sync"
	"time"
)

// Map holds a value for each key: made when the key is first used, and dropped
// when nobody uses it and it is idle, as good as new. Memory is in proportion to
// the keys in use, and bounded. A Map is safe for concurrent use and has no goroutine.
type Map[K comparable, V any] struct {
	most   int
	create func(K) V
	idle   func(V) bool
	spare  func(V) bool

	mu          sync.Mutex
	entries     map[K]*Entry[K, V]
	first, last *Entry[K, V] // of those that nobody uses: used longest ago, used last
}

// Entry is a key in use.
type Entry[K comparable, V any] struct {
	Value      V
	key        K
	users      int
	prev, next *Entry[K, V]
}

// sweep is how many entries each use looks at to drop idle ones, and patience how
// many if there is no room.
const (
	sweep    = 2
	patience = 64
)

// New returns a map of at most so many keys. idle reports whether a value may be
// dropped, and spare whether it may be if there is no room. The functions must not
// use the map.
func New[K comparable, V any](most int, create func(K) V, idle, spare func(V) bool) *Map[K, V] {
	return &Map[K, V]{most: most, create: create, idle: idle, spare: spare, entries: make(map[K]*Entry[K, V])}
}

// Use returns the entry of the key, or nil if there are too many keys in use. It
// must be given back with Done.
func (m *Map[K, V]) Use(key K) *Entry[K, V] {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.entries[key]
	if e != nil {
		if e.users == 0 {
			m.unlink(e)
		}
	} else {
		m.drop(sweep, m.idle)
		if len(m.entries) >= m.most {
			m.drop(patience, m.spare)
		}
		if len(m.entries) >= m.most {
			return nil
		}
		e = &Entry[K, V]{Value: m.create(key), key: key}
		m.entries[key] = e
	}
	e.users++
	return e
}

// Done gives an entry back.
func (m *Map[K, V]) Done(e *Entry[K, V]) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e.users--; e.users == 0 {
		m.append(e)
	}
	m.drop(sweep, m.idle)
}

// Free returns when one of those that nobody uses, of the 64 used longest ago, may be
// dropped, by what until returns for each: false if all are in use.
func (m *Map[K, V]) Free(until func(V) time.Duration) (least time.Duration, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	least = math.MaxInt64
	e := m.first
	for looks := 0; e != nil && looks < patience; looks++ {
		least, ok = min(least, until(e.Value)), true
		e = e.next
	}
	return least, ok
}

// Len returns the number of keys.
func (m *Map[K, V]) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.entries)
}

// drop looks at the entries used longest ago. One that is not idle goes to the
// end, so that it does not stand before others that are.
func (m *Map[K, V]) drop(looks int, may func(V) bool) {
	for range looks {
		e := m.first
		if e == nil {
			return
		}
		m.unlink(e)
		if may(e.Value) {
			delete(m.entries, e.key)
		} else {
			m.append(e)
		}
	}
}

func (m *Map[K, V]) append(e *Entry[K, V]) {
	e.prev, e.next = m.last, nil
	if m.last != nil {
		m.last.next = e
	} else {
		m.first = e
	}
	m.last = e
}

func (m *Map[K, V]) unlink(e *Entry[K, V]) {
	if e.prev != nil {
		e.prev.next = e.next
	} else {
		m.first = e.next
	}
	if e.next != nil {
		e.next.prev = e.prev
	} else {
		m.last = e.prev
	}
	e.prev, e.next = nil, nil
}
