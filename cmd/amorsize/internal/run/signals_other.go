//go:build !unix

package run

import "os"

var allSignals = []os.Signal{os.Interrupt}

func isTermination(os.Signal) bool { return false }

func (e *Environment) otherSignal(os.Signal) {}
