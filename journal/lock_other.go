//go:build !windows && (!unix || solaris || illumos || aix)

package journal

import "os"

// lock does nothing: there are no locks here that the standard library knows of.
func lock(*os.File) error { return nil }

// syncDir does nothing.
func syncDir(string) error { return nil }
