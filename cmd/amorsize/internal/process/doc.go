// Package process runs commands: each in its own process group, its output in unlinked files that are reused, and
// leaves nothing of it behind.
//
// Output goes to files and not to pipes, for three reasons. A file costs no goroutine and no copy while the
// command runs. It can't fill up and stop the command. A grandchild that holds it open can't make us wait. A pair
// of files is used for one command after the other (spawn: Spawner; files: Files, Capture).
//
// Groups knows the running process groups, to signal them. A Guard is a small separate process. If we are killed,
// it lives just long enough to kill them.
package process
