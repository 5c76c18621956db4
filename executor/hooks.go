package executor

import (
	"slices"
	"sync"
)

// Hooks is an [Observer] whose functions can be registered and removed at any time, also
// during runs, for each kind of event. The zero value is ready. It is safe for concurrent
// use.
type Hooks struct {
	mu    sync.Mutex
	next  Hook
	hooks []hook
}

// Hook identifies a registered function.
type Hook int

type hook struct {
	id   Hook
	kind EventKind
	call func(Event)
}

// On registers call for events of the kind. Registering a function twice registers two
// hooks: functions can't be compared, so a hook is identified by what On returns.
func (h *Hooks) On(kind EventKind, call func(Event)) Hook {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.next++
	h.hooks = append(h.hooks, hook{h.next, kind, call})
	return h.next
}

// Remove removes one hook and reports whether it was there.
func (h *Hooks) Remove(id Hook) bool {
	return h.remove(func(k hook) bool { return k.id == id }) > 0
}

// RemoveKind removes all hooks of the kind and returns how many there were.
func (h *Hooks) RemoveKind(kind EventKind) int {
	return h.remove(func(k hook) bool { return k.kind == kind })
}

// RemoveAll removes all hooks and returns how many there were.
func (h *Hooks) RemoveAll() int {
	return h.remove(func(hook) bool { return true })
}

// Len returns the number of hooks.
func (h *Hooks) Len() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.hooks)
}

func (h *Hooks) remove(which func(hook) bool) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	before := len(h.hooks)
	// A new slice: Observe may be iterating over the old one.
	h.hooks = slices.DeleteFunc(slices.Clone(h.hooks), which)
	return before - len(h.hooks)
}

// Observe calls the hooks of the event's kind, in the order of registration.
func (h *Hooks) Observe(e Event) {
	h.mu.Lock()
	hooks := h.hooks
	h.mu.Unlock()
	for _, k := range hooks {
		if k.kind == e.Kind {
			k.call(e)
		}
	}
}
