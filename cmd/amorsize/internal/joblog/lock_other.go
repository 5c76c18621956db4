//go:build !unix

package joblog

import "os"

// lock does nothing: there are no locks here that end with the process and name it.
func lock(*os.File, string) error { return nil }
