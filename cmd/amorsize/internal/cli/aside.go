package cli

import "os"

// aside writes to standard error above the line of progress.
type aside struct{ s *session }

func (a aside) Write(p []byte) (n int, err error) {
	err = a.s.term.Aside(func(w *os.File) error {
		n, err = w.Write(p)
		return err
	})
	return n, err
}

// stderrOf is where a function's own output goes in a session.
func stderrOf(s *session) aside { return aside{s} }
