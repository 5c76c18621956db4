package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
)

// ofRemote reports whether a command line is for amorsize-remote: a run that is kept in a database. --on comes
// first, after the sub-command: further back it may be a flag of the command that is run.
func ofRemote(args []string) bool {
	if len(args) == 0 {
		return false
	}
	if slices.Contains([]string{"worker", "runs", "migrate"}, args[0]) {
		return true
	}
	return len(args) > 1 && slices.Contains([]string{"run", "http", "exec", "doctor"}, args[0]) &&
		(args[1] == "--on" || strings.HasPrefix(args[1], "--on="))
}

const remoteProgram = "amorsize-remote"

// handOver runs amorsize-remote with the arguments, in place of this process where the system supports that. It
// has the database drivers, so that this program needs none.
func handOver(args []string) error {
	path, err := findRemote()
	if err != nil {
		return exit.Usagef("runs in a database need %s, which is neither next to this program nor in PATH: "+
			"go install github.com/amorsize/amorsize/cmd/amorsize/%s@latest", remoteProgram, remoteProgram)
	}
	return replace(path, args)
}

// findRemote looks beside this program first: programs that were installed together belong together.
func findRemote() (string, error) {
	if self, err := os.Executable(); err == nil {
		beside := filepath.Join(filepath.Dir(self), remoteProgram)
		if runtime.GOOS == "windows" {
			beside += ".exe"
		}
		if path, err := exec.LookPath(beside); err == nil {
			return path, nil
		}
	}
	return exec.LookPath(remoteProgram)
}
