// Amorsize runs a command, a request or a Go function over many items. It measures how many to
// run at once, and keeps within the limits of whatever is called.
//
//	go install github.com/amorsize/amorsize/cmd/amorsize@latest
package main

import (
	"os"
	"runtime/debug"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/cli"
)

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50) // the memory is for what is run, and little garbage is made
	}
	os.Exit(cli.Main(os.Args[1:]))
}
