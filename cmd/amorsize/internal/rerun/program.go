package rerun

import (
	"errors"
	"math"
	"os"
	"os/exec"
	"slices"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
	"github.com/amorsize/amorsize/journal"
)

// Program returns the program of the journal, as it was run last, with more arguments; nil if nothing failed and
// that run was not killed. From here on the journal says that failed items are to run again. The error is one of
// usage.
func Program(path string, more []string) (*exec.Cmd, error) {
	h, left, err := retry(path)
	if err != nil {
		return nil, exit.Usage(err)
	}
	if !left {
		return nil, nil
	}
	if len(h.Args) == 0 {
		return nil, exit.Usagef("%s does not say how the program was run: run the program yourself", path)
	}
	c := exec.Command(h.Args[0], slices.Concat(h.Args[1:], more)...)
	c.Dir, c.Stdin, c.Stdout, c.Stderr = h.Dir, os.Stdin, os.Stdout, os.Stderr
	return c, nil
}

// retry makes the failed items of a journal run again. It reports whether items may remain to run.
func retry(path string) (h journal.Header, left bool, err error) {
	seen, err := journal.View(path)
	if err != nil {
		return h, false, err
	}
	found := seen.Found()
	opts := journal.Options{Run: seen.Run(), Codec: seen.Codec(), MaxFailed: math.MaxInt} // the program decides how many are listed
	if err := seen.Close(); err != nil || found.Failed == 0 {
		return found.Latest, !found.Ended, err
	}
	j, err := journal.Open(path, opts)
	if err != nil {
		return h, false, err
	}
	return found.Latest, true, errors.Join(j.Retry(), j.Close())
}
