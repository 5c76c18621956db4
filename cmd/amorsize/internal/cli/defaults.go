package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/secrets"
)

// origin is a source of flags other than the command line.
type origin struct {
	name  string
	lines []string
	ours  bool   // the user's own, not a file that came with a directory
	unit  string // the name of a line
}

// withDefaults puts the flags of the configuration before those of the command line: of the user's file, of
// ./.amorsize, of AMORSIZE_OPTS. A file has one flag per line, and comments that begin with #. Flags that this
// command does not have are for other commands; flags that no command has are an error.
func withDefaults(root *cobra.Command, args []string) ([]string, error) {
	if len(args) == 0 || !oneOf(args[0], "run", "http", "exec") {
		return args, nil
	}
	c, _, err := root.Find(args[:1])
	if err != nil {
		return args, nil //nolint:nilerr // cobra reports it
	}
	own, show := withoutShow(args[1:])
	origins, err := configured()
	if err != nil {
		return nil, exit.Usage(err)
	}
	var before []string
	for _, o := range origins {
		flags, err := o.flags(c)
		if err != nil {
			return nil, exit.Usage(err)
		}
		before = append(before, flags...)
		if show {
			showSettings(o.name, flags)
		}
	}
	if show {
		showSettings("command line", slices.DeleteFunc(slices.Clone(own), func(arg string) bool { return arg == "--" || !strings.HasPrefix(arg, "-") }))
		return nil, exit.With(exit.OK, nil)
	}
	return slices.Concat(args[:1], before, own), nil
}

// withoutShow removes --show-config, and reports whether it was there.
func withoutShow(args []string) (own []string, show bool) {
	end := slices.Index(args, "--")
	if end < 0 {
		end = len(args)
	}
	at := slices.Index(args[:end], "--show-config")
	if at < 0 {
		return args, false
	}
	return slices.Delete(slices.Clone(args), at, at+1), true
}

// showSettings shows where flags come from.
func showSettings(origin string, flags []string) {
	for _, flag := range flags {
		fmt.Printf("%-28s %s\n", origin, secrets.Setting(flag))
	}
}

// configured reads the files and the variable, the weakest first.
func configured() ([]origin, error) {
	var list []origin
	dir, err := os.UserConfigDir()
	files := []origin{{name: filepath.Join(dir, "amorsize", "config"), ours: true, unit: "line"}, {name: ".amorsize", unit: "line"}}
	for _, o := range files {
		if o.ours && err != nil {
			continue // there is no home directory
		}
		if info, err := os.Stat(o.name); err == nil && !info.Mode().IsRegular() {
			return nil, fmt.Errorf("can't read the configuration: %s is not a file", o.name) // a FIFO would never end
		}
		text, err := os.ReadFile(o.name)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("can't read the configuration: %w", err)
		}
		o.lines = strings.Split(strings.TrimPrefix(string(text), "\ufeff"), "\n") // some editors begin a file with that mark
		list = append(list, o)
	}
	if text := os.Getenv("AMORSIZE_OPTS"); text != "" {
		list = append(list, origin{name: "AMORSIZE_OPTS", lines: strings.Fields(text), ours: true, unit: "word"})
	}
	return list, nil
}

// flags returns the flags that the command has.
func (o origin) flags(c *cobra.Command) (flags []string, err error) {
	for i, line := range o.lines {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, value, hasValue := cutFlag(line)
		long, ok := strings.CutPrefix(name, "--")
		if !ok {
			return nil, fmt.Errorf("%s %s %d: %q is not a flag: write --name or --name=value", o.name, o.unit, i+1, line)
		}
		known := flagsNamed(c.Root(), long)
		if len(known) == 0 {
			return nil, fmt.Errorf("%s %s %d: no command has a flag %q", o.name, o.unit, i+1, name)
		}
		if !o.ours && !slices.ContainsFunc(known, func(f *pflag.Flag) bool { return isOf(f, ofAnyone) }) {
			return nil, fmt.Errorf("%s %s %d: %q can't be set by a directory's file: it may set only sizes, policies and how a run looks", o.name, o.unit, i+1, name)
		}
		if c.Flags().Lookup(long) == nil {
			continue
		}
		if hasValue {
			name += "=" + value
		}
		flags = append(flags, name)
	}
	return flags, nil
}

// cutFlag cuts a line that is one flag at the first of =, a space and a tab, which may be surrounded by more of
// these: "--retries 3" is "--retries=3". The rest is the value, whatever it contains.
func cutFlag(line string) (name, value string, hasValue bool) {
	at := strings.IndexAny(line, "= \t")
	if at < 0 {
		return line, "", false
	}
	value = strings.TrimLeft(line[at:], " \t")
	return line[:at], strings.TrimSpace(strings.TrimPrefix(value, "=")), true
}

// flagsNamed returns the flags of that name that commands have.
func flagsNamed(root *cobra.Command, long string) (list []*pflag.Flag) {
	for _, c := range root.Commands() {
		if flag := c.Flags().Lookup(long); flag != nil {
			list = append(list, flag)
		}
	}
	return list
}
