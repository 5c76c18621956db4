package cli

import (
	"os"
	"slices"
	"strings"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/joblog"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/outfile"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/secrets"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/ui"
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
			if outfile.Same(out[1], input) {
				return exit.Usagef("%s %s: the items are read from that file, and would be lost", out[0], out[1])
			}
		}
		for _, stream := range []struct {
			file *os.File
			name string
		}{{os.Stdout, "standard output"}, {os.Stderr, "standard error"}} {
			if info, err := stream.file.Stat(); err == nil && outfile.Same(out[1], info) {
				return exit.Usagef("%s %s: %s goes to that file", out[0], out[1], stream.name)
			}
		}
	}
	if o.log != "" && o.summary != "" && (outfile.Same(o.log, outfile.Stat(o.summary)) || outfile.SamePath(o.log, o.summary)) {
		return exit.Usagef("--summary %s: that is the log", o.summary)
	}
	return nil
}

// reserved returns the files that no result may be written to.
func (s *session) reserved() []outfile.Reserved {
	var list []outfile.Reserved
	for _, input := range s.inputFiles() {
		list = append(list, outfile.Reserved{Info: input, What: "from which the items are read"})
	}
	o := s.flags.output
	for _, r := range []outfile.Reserved{{Path: o.log, What: "which is the log"}, {Path: o.from, What: "which is the log"}, {Path: o.summary, What: "which is the summary"}} {
		if r.Path != "" {
			r.Info = outfile.Stat(r.Path)
			list = append(list, r)
		}
	}
	return list
}

// inputFiles are the files that items are read from.
func (s *session) inputFiles() []os.FileInfo {
	if s.source.Lists != nil {
		var list []os.FileInfo
		for _, l := range s.source.Lists {
			if l.File != "" {
				list = append(list, outfile.Stat(l.File))
			}
		}
		return list
	}
	if s.source.UseArgs || s.source.Range != "" {
		return nil
	}
	if s.source.File != "" && s.source.File != "-" {
		return []os.FileInfo{outfile.Stat(s.source.File)}
	}
	info, err := os.Stdin.Stat()
	if err != nil {
		return nil
	}
	return []os.FileInfo{info}
}

// warnOther tells that a log is continued with another command than it has: what
// is over in it is left out all the same.
func (s *session) warnOther(h joblog.Header) {
	if h.Command == s.name && slices.Equal(h.Args, s.args) && flagOf(h.Flags, "sh") == flagOf(s.given, "sh") {
		return
	}
	then := strings.TrimSpace(h.Command + " " + ui.ShellLine(secrets.Args(h.Args)) + " " + secrets.Hide(flagOf(h.Flags, "sh")))
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
