package process

import "os"

// GuardArgument is the first argument that makes a program a guard.
const GuardArgument = "__guard"

// guardSlots is how many groups a guard can know.
const guardSlots = 1 << 16

// Guard is a process that kills the groups of this one if it dies without having ended them: by SIGKILL, or a
// crash. The end of a pipe signals this, and the running groups are in a table in shared memory, so that a command
// costs one store.
type Guard struct {
	table []int32
	pipe  *os.File
	child *os.Process
}

func (g *Guard) set(slot, pid int) {
	if g != nil && slot >= 0 && slot < len(g.table) {
		store(&g.table[slot], int32(pid))
	}
}

// Close ends the guard.
func (g *Guard) Close() {
	if g == nil {
		return
	}
	_ = g.pipe.Close()
	_, _ = g.child.Wait()
}
