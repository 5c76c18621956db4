package outfile

import (
	"os"
	"path/filepath"
)

// Reserved is a file that nothing else may be written to. It need not exist yet.
type Reserved struct {
	Path string // "" if it has no name
	Info os.FileInfo
	What string // what it is, for an error: "which is the log"
}

// Is reports whether the file of that name is the reserved one.
func (r Reserved) Is(name string) bool {
	return Same(name, r.Info) ||
		r.Path != "" && filepath.Base(name) == filepath.Base(r.Path) && SamePath(name, r.Path) // few names need be resolved
}

// Stat returns the info of a file, nil if there is none.
func Stat(path string) os.FileInfo {
	info, _ := os.Stat(path)
	return info
}

// Same reports whether the file at path is a regular one, and the same as other.
func Same(path string, other os.FileInfo) bool {
	info := Stat(path)
	return info != nil && other != nil && info.Mode().IsRegular() && os.SameFile(info, other)
}

// SamePath reports whether two names are the same place, whether or not a file is there. Devices and pipes don't
// count: several may write to them.
func SamePath(a, b string) bool {
	if info := Stat(a); info != nil && !info.Mode().IsRegular() {
		return false
	}
	return resolved(a) == resolved(b)
}

func resolved(path string) string {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	if whole, err := filepath.EvalSymlinks(absolute); err == nil {
		return whole
	}
	dir, err := filepath.EvalSymlinks(filepath.Dir(absolute))
	if err != nil {
		return absolute
	}
	return filepath.Join(dir, filepath.Base(absolute))
}
