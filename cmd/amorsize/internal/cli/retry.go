package cli

import (
	"bufio"
	"encoding/csv"
	"errors"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/joblog"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/outfile"
)

// theirs are flags that said where the items came from, or what was to become of
// the log: a retry has its own.
var theirs = map[string]bool{
	"arg-file": true, "null": true, "delimiter": true, "range": true, "limit": true, "shuffle": true,
	"skip-empty": true, "log": true, "resume": true, "resume-failed": true, "overwrite": true, "dry-run": true,
}

func newRetry() *cobra.Command {
	return &cobra.Command{
		Use:   "retry RUN.jsonl [flags of that run]",
		Short: "Run what failed in a log, with the log's own command",
		Long: `Run what failed in a log, with the log's own command and flags, and add what comes
of it to the log. Flags that follow replace those of the log.`,
		Example:            "  amorsize retry run.jsonl --retries 5",
		DisableFlagParsing: true,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 && oneOf(args[0], "-h", "--help") {
				return c.Help()
			}
			if len(args) == 0 || strings.HasPrefix(args[0], "-") {
				return exit.Usagef("want the log of a run: amorsize retry RUN.jsonl [flags]")
			}
			return retryRun(args[0], args[1:])
		},
	}
}

// retryRun runs what failed in a log.
func retryRun(path string, more []string) error {
	content, err := joblog.Read(path)
	if err != nil {
		return exit.Usage(err)
	}
	failed := content.Failed()
	if len(failed) == 0 {
		complain(os.Stderr, errors.New("nothing failed in "+path))
		return nil
	}
	c := &cobra.Command{Use: "retry"}
	var f runFlags
	var start func(items.Source) error
	switch content.Header.Command {
	case "run":
		var cmd commandFlags
		bindRun(c, &f, &cmd)
		start = func(source items.Source) error { return runCommand(c, &f, &cmd, content.Header.Args, &source) }
	case "http":
		var h httpFlags
		bindHTTP(c, &f, &h)
		start = func(source items.Source) error { return runHTTP(c, &f, &h, content.Header.Args, &source) }
	case "exec":
		var g goFlags
		var as string
		bindExec(c, &f, &g, &as)
		start = func(source items.Source) error { return execFunction(c, &f, &g, as, content.Header.Args, &source) }
	default:
		return exit.Usagef("%s is the log of amorsize %s, which retry does not know", path, content.Header.Command)
	}
	for _, flag := range content.Header.Flags {
		if theirs[flag[0]] {
			continue
		}
		if err := setFlag(c, flag[0], flag[1]); err != nil {
			return exit.Usagef("%s: --%s %q: %w", path, flag[0], flag[1], err)
		}
	}
	if err := c.ParseFlags(more); err != nil {
		return exit.Usage(err)
	}
	if f.output.log == "" {
		f.output.log = path
	}
	f.output.extend, f.output.from = f.output.log == path || outfile.Same(f.output.log, outfile.Stat(path)), path
	source, remove, err := spool(failed, content.Header.Names, &f)
	if err != nil {
		return err
	}
	defer remove()
	return start(source)
}

// setFlag sets a flag by what its value wrote of itself.
func setFlag(c *cobra.Command, name, value string) error {
	flag := c.Flags().Lookup(name)
	if flag == nil {
		return errors.New("unknown flag")
	}
	if list, ok := strings.CutPrefix(value, "["); ok && flag.Value.Type() == "stringArray" {
		values, err := csv.NewReader(strings.NewReader(strings.TrimSuffix(list, "]"))).Read()
		if err != nil {
			return err
		}
		for _, v := range values {
			if err := c.Flags().Set(name, v); err != nil {
				return err
			}
		}
		return nil
	}
	return c.Flags().Set(name, value)
}

// known returns items that are columns or blocks as a source.
func known(failed []joblog.Entry) (source items.Source, err error) {
	for _, e := range failed {
		row := e.Values
		if text, ok := e.Text(); row == nil && ok {
			row = []string{text}
		}
		if row == nil {
			return source, exit.Usagef("the log does not have the text of item %d", e.N)
		}
		source.Rows, source.Numbers = append(source.Rows, row), append(source.Numbers, e.N)
	}
	return source, nil
}

// spool writes items to a file in the format that they came in.
func spool(failed []joblog.Entry, names []string, f *runFlags) (source items.Source, remove func(), err error) {
	if failed[0].Values != nil || f.input.source.Format == items.Blocks {
		source, err = known(failed)
		return source, func() {}, err
	}
	file, err := os.CreateTemp("", "amorsize-retry-")
	if err != nil {
		return source, nil, err
	}
	remove = func() { _ = os.Remove(file.Name()) }
	end := "\x00"
	if f.input.csv || f.input.tsv || f.input.jsonl {
		end = "\n"
	}
	w := bufio.NewWriter(file)
	if len(names) > 0 && f.input.csv {
		header := csv.NewWriter(w)
		_ = header.Write(names)
		header.Flush()
	} else if len(names) > 0 {
		_, _ = w.WriteString(strings.Join(names, "\t") + end)
	}
	for _, e := range failed {
		text, ok := e.Text()
		if !ok {
			remove()
			return source, nil, exit.Usagef("the log does not have the text of item %d", e.N)
		}
		_, _ = w.WriteString(text + end)
	}
	if err := errors.Join(w.Flush(), file.Close()); err != nil {
		remove()
		return source, nil, err
	}
	f.input.source.NUL = end == "\x00"
	if source, err = f.input.check(nil, false); err != nil {
		remove()
		return source, nil, err
	}
	source.File = file.Name()
	for _, e := range failed {
		source.Numbers = append(source.Numbers, e.N)
	}
	return source, remove, nil
}
