// Package process runs commands: each in a process group of its own, its output
// in unlinked files that are used again, and nothing of it left behind.
//
// Output goes to files and not to pipes because a file costs no goroutine and no
// copy while the command runs, can't fill up and stop it, and can't be held open
// by a grandchild in a way that makes us wait. A pair of files is used for one
// command after the other (spawn: Spawner; files: Files, Capture).
//
// Groups knows the process groups that run, to signal them. A Guard is a small
// process of its own that outlives us, if we are killed, just long enough to kill
// them.
package process
