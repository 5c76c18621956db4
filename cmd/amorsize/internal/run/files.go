package run

import (
	"os"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/outfile"
)

// apart refuses files that this command would write to while they are otherwise read or written: the log and the
// summary must not be an input, nor the files of standard output and standard error, nor the same file.
func (s *Session) apart() error {
	log, summary := s.cfg.Log.Path, s.cfg.Summary.File
	for _, out := range [][2]string{{"--log", log}, {"--summary", summary}} {
		if out[1] == "" {
			continue
		}
		for _, input := range s.env.inputFiles() {
			if outfile.Same(out[1], input) {
				return exit.Usagef("%s %s: the items are read from that file, and would be lost", out[0], out[1])
			}
		}
		for _, stream := range []struct {
			file *os.File
			name string
		}{{s.env.streams.Out, "standard output"}, {s.env.streams.Err, "standard error"}} {
			if info, err := stream.file.Stat(); err == nil && outfile.Same(out[1], info) {
				return exit.Usagef("%s %s: %s goes to that file", out[0], out[1], stream.name)
			}
		}
	}
	if log != "" && summary != "" && (outfile.Same(log, outfile.Stat(summary)) || outfile.SamePath(log, summary)) {
		return exit.Usagef("--summary %s: that is the log", summary)
	}
	return nil
}

// reserved returns the files that results must not be written to.
func (s *Session) reserved() []outfile.Reserved {
	var list []outfile.Reserved
	for _, input := range s.env.inputFiles() {
		list = append(list, outfile.Reserved{Info: input, What: "from which the items are read"})
	}
	for _, r := range []outfile.Reserved{
		{Path: s.cfg.Log.Path, What: "which is the log"}, {Path: s.cfg.Log.From, What: "which is the log"},
		{Path: s.cfg.Summary.File, What: "which is the summary"},
	} {
		if r.Path != "" {
			r.Info = outfile.Stat(r.Path)
			list = append(list, r)
		}
	}
	return list
}

// inputFiles are the files that items are read from.
func (e *Environment) inputFiles() []os.FileInfo {
	if e.source.Lists != nil {
		var list []os.FileInfo
		for _, l := range e.source.Lists {
			if l.File != "" {
				list = append(list, outfile.Stat(l.File))
			}
		}
		return list
	}
	if e.source.UseArgs || e.source.Range != "" || e.source.Rows != nil {
		return nil
	}
	if e.source.File != "" && e.source.File != "-" {
		return []os.FileInfo{outfile.Stat(e.source.File)}
	}
	info, err := e.streams.In.Stat()
	if err != nil {
		return nil
	}
	return []os.FileInfo{info}
}
