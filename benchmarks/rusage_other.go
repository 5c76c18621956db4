//go:build !unix

package main

import "time"

// usage is not known here.
func usage() (cpu time.Duration, sleeps int64) { return 0, 0 }
