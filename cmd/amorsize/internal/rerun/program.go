package rerun

import (
	"errors"
	"os"
	"os/exec"
	"slices"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
	"github.com/amorsize/amorsize/journal"
)

// Program returns the program whose journal that is, as it was run last, with more arguments; nil if
// nothing failed. The journal says from here on that what has failed is to run again. The error
// is one of usage.
func Program(path string, more []string) (*exec.Cmd, error) {
	h, failed, err := retry(path)
	if err != nil {
		return nil, exit.Usage(err)
	}
	if failed == 0 {
		return nil, nil
	}
	if len(h.Args) == 0 {
		return nil, exit.Usagef("%s does not say how the program was run: run it again", path)
	}
	c := exec.Command(h.Args[0], slices.Concat(h.Args[1:], more)...)
	c.Dir, c.Stdin, c.Stdout, c.Stderr = h.Dir, os.Stdin, os.Stdout, os.Stderr
	return c, nil
}

// retry has what failed in a journal run again.
func retry(path string) (h journal.Header, failed int, err error) {
	seen, err := journal.View(path)
	if err != nil {
		return h, 0, err
	}
	h, failed = seen.Found().Latest, seen.Found().Failed
	opts := journal.Options{Run: seen.Run(), Codec: seen.Codec()}
	if err := seen.Close(); err != nil || failed == 0 {
		return h, failed, err
	}
	j, err := journal.Open(path, opts)
	if err != nil {
		return h, 0, err
	}
	return h, failed, errors.Join(j.Retry(), j.Close())
}
