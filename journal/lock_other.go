//go:build !windows && (!unix || solaris || illumos || aix)

package journal

import "os"

// lock does nothing: the standard library has no file locks for this system.
func lock(*os.File) error { return nil }

// syncDir does nothing.
func syncDir(string) error { return nil }
