package process

import (
	"os"
	"slices"
	"sync"
	"time"
)

// Groups are the running process groups. It is safe for concurrent use; the zero value is ready.
type Groups struct {
	mu    sync.Mutex
	live  map[int]*running // by slot
	level Level
	guard *Guard

	adopted int // so far
}

// Level is how much is done to make commands end.
type Level int

// The levels, each more than the one before.
const (
	Untroubled Level = iota
	Asked            // to end, by SIGTERM
	Killed
)

// Running is a running command.
type Running struct {
	Slot  int
	Pid   int
	Item  string
	Since time.Time
}

type running struct {
	Running
	over bool // the process has ended: its number may soon be another's
}

// Watch makes guard kill the running groups if this process is killed.
func (g *Groups) Watch(guard *Guard) { g.guard = guard }

// start starts a process as a group of its own, and registers it.
func (g *Groups) start(path string, c Command, attr *os.ProcAttr) (*os.Process, *running, error) {
	attr.Env = g.guard.marked(attr.Env)
	g.guard.set(c.Slot, starting)
	child, err := os.StartProcess(path, c.Argv, attr)
	if err != nil {
		g.guard.set(c.Slot, 0)
		return nil, nil, err
	}
	return child, g.begin(c.Slot, child.Pid, c.Item), nil
}

// begin registers a group. If commands are to end, the group is signalled at once.
func (g *Groups) begin(slot, pid int, item string) *running {
	r := &running{Running: Running{Slot: slot, Pid: pid, Item: item, Since: time.Now()}}
	g.guard.set(slot, pid)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.live == nil {
		g.live = map[int]*running{}
	}
	g.live[slot] = r
	if g.level > Untroubled {
		signalGroup(pid, g.level)
	}
	return r
}

// Adopt registers a group that other code has started, to be ended with the others. Call the returned function
// when it has ended.
func (g *Groups) Adopt(pid int, item string) (ended func()) {
	g.mu.Lock()
	g.adopted++
	slot := guardSlots - 1 - g.adopted%64
	g.mu.Unlock()
	r := g.begin(slot, pid, item)
	return func() { g.end(r) }
}

// end removes a group, and returns what has been done to end it.
func (g *Groups) end(r *running) Level {
	g.guard.set(r.Slot, 0)
	g.mu.Lock()
	defer g.mu.Unlock()
	r.over = true
	delete(g.live, r.Slot)
	return g.level
}

// tell signals one group, if it still exists.
func (g *Groups) tell(r *running, level Level) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !r.over {
		signalGroup(r.Pid, level)
	}
}

// Raise ends running groups, and those that will be started, at this level.
func (g *Groups) Raise(level Level) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if level <= g.level {
		return
	}
	g.level = level
	for _, r := range g.live {
		signalGroup(r.Pid, level)
	}
}

// raised reports whether running groups are to end.
func (g *Groups) raised() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.level > Untroubled
}

// Suspend stops running groups, or lets them continue.
func (g *Groups) Suspend(stopped bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, r := range g.live {
		suspendGroup(r.Pid, stopped)
	}
}

// List returns running groups, by slot.
func (g *Groups) List() []Running {
	g.mu.Lock()
	defer g.mu.Unlock()
	list := make([]Running, 0, len(g.live))
	for _, r := range g.live {
		list = append(list, r.Running)
	}
	slices.SortFunc(list, func(a, b Running) int { return a.Slot - b.Slot })
	return list
}
