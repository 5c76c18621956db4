package cli

import (
	"os"
	"slices"
	"strings"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/joblog"
)

// apart refuses files that this command would write to while it, or somebody
// else, reads or writes them otherwise: the log and the summary must be no input,
// nor each other.
func (s *session) apart() error {
	o := s.flags.output
	for _, input := range s.inputFiles() {
		for _, out := range [][2]string{{"--log", o.log}, {"--summary", o.summary}} {
			if out[1] != "" && sameFile(out[1], input) {
				return usagef("%s %s: the items are read from that file, and would be lost", out[0], out[1])
			}
		}
	}
	if o.log != "" && o.summary != "" && sameFile(o.log, statOf(o.summary)) {
		return usagef("--summary %s: that is the log", o.summary)
	}
	return nil
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

// warnOther tells that a log is continued with another command than it has: what
// is over in it is left out all the same.
func (s *session) warnOther(h joblog.Header) {
	if h.Command == s.name && slices.Equal(h.Args, s.args) && flagOf(h.Flags, "sh") == flagOf(s.given, "sh") {
		return
	}
	then := strings.TrimSpace(h.Command + " " + shellLine(h.Args) + " " + flagOf(h.Flags, "sh"))
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
