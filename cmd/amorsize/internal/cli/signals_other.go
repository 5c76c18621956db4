//go:build !unix

package cli

import "os"

var allSignals = []os.Signal{os.Interrupt}

func isTermination(os.Signal) bool { return false }

func (s *session) other(os.Signal) {}
