package cli

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"time"
)

// release identifies the release of the command, as the build knows it.
type release struct {
	version string    // of the module, or "devel"
	commit  string    // the beginning of its hash; "" if it is not known
	changed bool      // files were changed since that commit
	date    time.Time // of the commit; zero if it is not known
}

func releaseOf(info *debug.BuildInfo) release {
	r := release{version: "devel"}
	if info == nil {
		return r
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		r.version = v
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			r.commit = s.Value[:min(12, len(s.Value))]
		case "vcs.modified":
			r.changed = s.Value == "true"
		case "vcs.time":
			r.date, _ = time.Parse(time.RFC3339, s.Value) // zero if it is not a time
		}
	}
	return r
}

// version returns the version of the module, or "devel".
func version() string { return this().version }

func this() release {
	info, _ := debug.ReadBuildInfo()
	return releaseOf(info)
}

// String returns the line that the command prints: "amorsize v0.1.0 (commit 0123456789ab of 2026-11-28), go1.26.0, linux/amd64".
func (r release) String() string {
	line := "amorsize " + r.version
	if r.commit != "" {
		changed := ""
		if r.changed {
			changed = ", changed since"
		}
		line += fmt.Sprintf(" (commit %s of %s%s)", r.commit, r.date.UTC().Format(time.DateOnly), changed)
	}
	return fmt.Sprintf("%s, %s, %s/%s", line, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// dated returns the date of manual pages: the date of the commit, so that the same commit has the same pages, or
// SOURCE_DATE_EPOCH (reproducible-builds.org), or else today.
func (r release) dated() time.Time {
	if seconds, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64); err == nil {
		return time.Unix(seconds, 0).UTC()
	}
	if !r.date.IsZero() {
		return r.date.UTC()
	}
	return time.Now()
}
