package process

import "os"

// GuardArgument is the first argument that makes a program a guard.
const GuardArgument = "__guard"

// guardSlots is how many groups a guard can know.
const guardSlots = 1 << 16

// starting is in the table for a group whose number is not known yet.
const starting = -1

// guardVariable marks the commands of a run in their environment. A command runs a moment before its number is in
// the table, on a busy machine for long enough to start others: if we are killed then, the guard finds it by this.
const guardVariable = "AMORSIZE_GUARD"

// Guard is a process that kills the groups of this one if it dies without having ended them: by SIGKILL, or a
// crash. The end of a pipe signals this, and the running groups are in a table in shared memory, so that a command
// costs two stores. On Linux a command that was just being started is found by its environment.
type Guard struct {
	table []int32
	pipe  *os.File
	child *os.Process
	mark  string // for the environment of commands
}

// marked returns env with the mark.
func (g *Guard) marked(env []string) []string {
	if g == nil {
		return env
	}
	return append(env[:len(env):len(env)], g.mark)
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
