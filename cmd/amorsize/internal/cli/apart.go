package cli

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/joblog"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/summary"
)

// apart refuses files that this command would write to while it, or somebody
// else, reads or writes them otherwise: the log and the summary must be no input,
// not what standard output and standard error go to, nor each other.
func (s *session) apart() error {
	o := s.flags.output
	for _, out := range [][2]string{{"--log", o.log}, {"--summary", o.summary}} {
		if out[1] == "" {
			continue
		}
		for _, input := range s.inputFiles() {
			if sameFile(out[1], input) {
				return usagef("%s %s: the items are read from that file, and would be lost", out[0], out[1])
			}
		}
		for _, stream := range []struct {
			file *os.File
			name string
		}{{os.Stdout, "standard output"}, {os.Stderr, "standard error"}} {
			if info, err := stream.file.Stat(); err == nil && sameFile(out[1], info) {
				return usagef("%s %s: %s goes to that file", out[0], out[1], stream.name)
			}
		}
	}
	if o.log != "" && o.summary != "" && (sameFile(o.log, statOf(o.summary)) || samePath(o.log, o.summary)) {
		return usagef("--summary %s: that is the log", o.summary)
	}
	return nil
}

// reserved is a file that no result may be written to. It may not be there yet.
type reserved struct {
	path string // "" if it has no name
	info os.FileInfo
	what string
}

// reserved returns the files that no result may be written to.
func (s *session) reserved() []reserved {
	var list []reserved
	for _, input := range s.inputFiles() {
		list = append(list, reserved{info: input, what: "from which the items are read"})
	}
	o := s.flags.output
	for _, r := range []reserved{{path: o.log, what: "which is the log"}, {path: o.from, what: "which is the log"}, {path: o.summary, what: "which is the summary"}} {
		if r.path != "" {
			r.info = statOf(r.path)
			list = append(list, r)
		}
	}
	return list
}

// is reports whether the file of that name is the reserved one.
func (r reserved) is(name string) bool {
	return sameFile(name, r.info) ||
		r.path != "" && filepath.Base(name) == filepath.Base(r.path) && samePath(name, r.path) // few names need be resolved
}

// inputFiles are the files that items are read from.
func (s *session) inputFiles() []os.FileInfo {
	if s.source.Lists != nil {
		var list []os.FileInfo
		for _, l := range s.source.Lists {
			if l.File != "" {
				list = append(list, statOf(l.File))
			}
		}
		return list
	}
	if s.source.UseArgs || s.source.Range != "" {
		return nil
	}
	if s.source.File != "" && s.source.File != "-" {
		return []os.FileInfo{statOf(s.source.File)}
	}
	info, err := os.Stdin.Stat()
	if err != nil {
		return nil
	}
	return []os.FileInfo{info}
}

func statOf(path string) os.FileInfo {
	info, _ := os.Stat(path)
	return info
}

// sameFile reports whether a regular file that is to be written is other.
func sameFile(path string, other os.FileInfo) bool {
	info := statOf(path)
	return info != nil && other != nil && info.Mode().IsRegular() && os.SameFile(info, other)
}

// samePath reports whether two names lead to one place, whether or not something is
// there, but for devices and pipes, which several may write to.
func samePath(a, b string) bool {
	if info := statOf(a); info != nil && !info.Mode().IsRegular() {
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

// warnOther tells that a log is continued with another command than it has: what
// is over in it is left out all the same.
func (s *session) warnOther(h joblog.Header) {
	if h.Command == s.name && slices.Equal(h.Args, s.args) && flagOf(h.Flags, "sh") == flagOf(s.given, "sh") {
		return
	}
	then := strings.TrimSpace(h.Command + " " + shellLine(shownArgs(h.Args)) + " " + summary.WithoutSecrets(flagOf(h.Flags, "sh")))
	s.term.Sayf("amorsize: the log is of another command: %s; what is over in it is left out all the same", then)
}

func flagOf(flags [][2]string, name string) string {
	for _, f := range flags {
		if f[0] == name {
			return f[1]
		}
	}
	return ""
}
