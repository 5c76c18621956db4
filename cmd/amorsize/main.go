// Amorsize runs a command, a request or a Go function over many items: as many at
// a time as pay, which it measures, and under the limits of whatever is called.
//
//	go install github.com/amorsize/amorsize/cmd/amorsize@latest
package main

import (
	"os"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:])) }
