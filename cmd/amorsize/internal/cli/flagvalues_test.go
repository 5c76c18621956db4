package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/command"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/output"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/policies"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/process"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/run"
)

// values are what the flags of run become.
type values struct {
	run     run.Config // without policies and Flags
	items   items.Source
	policy  policies.Options
	command command.Config
	output  output.Config
}

// usual are those of "run -- x".
func usual() values {
	return values{
		run: run.Config{
			Name: "run", Args: []string{"x"}, Version: version(), Size: jobs.Size{}, Batch: jobs.BatchSize{Fixed: 1},
			Ends: run.Ends{Grace: 10 * time.Second}, Show: run.Show{Progress: "auto"},
		},
		policy:  policies.Options{Breaker: "off"},
		command: command.Config{Argv: []string{"x"}, Mode: process.Group},
	}
}

// given returns what the flags become, and those that the log keeps.
func given(t *testing.T, line string) (v values, kept [][2]string) {
	t.Helper()
	var f runFlags
	var cmd commandFlags
	c := &cobra.Command{}
	bindRun(c, &f, &cmd)
	args := strings.Split(line, " ")
	require.NoError(t, c.ParseFlags(args), line)
	argv, list, given := splitItems(c.Flags().Args())
	require.NoError(t, cmd.check(&f, argv), line)
	require.NoError(t, cmd.blocks(&f, given), line)
	var err error
	v.run, v.items, err = f.check(c, "run", argv, list, given)
	require.NoError(t, err, line)
	require.NotNil(t, v.run.Policies, line)
	kept, v.run.Policies, v.run.Flags = v.run.Flags, nil, nil
	v.policy, v.command, v.output = f.policy.o, cmd.config(&f, argv), f.output.config(cmd.output == "none", cmd.inOrder(&f))
	return v, kept
}

func TestFlagsOfRunBecome(t *testing.T) {
	for line, change := range map[string]func(*values){
		"-- x":                func(*values) {},
		"x":                   func(*values) {},
		"-a f -- x":           func(v *values) { v.items.File = "f" },
		"-0 -- x":             func(v *values) { v.items.NUL = true },
		`-d \n -- x`:          func(v *values) { v.items.Delimiter = '\n' },
		`-d \t -- x`:          func(v *values) { v.items.Delimiter = '\t' },
		`-d \0 -- x`:          func(v *values) { v.items.NUL = true },
		"-d , -- x":           func(v *values) { v.items.Delimiter = ',' },
		"--csv -- x":          func(v *values) { v.items.Format = items.CSV },
		"--csv -N 1 -- x":     func(v *values) { v.items.Format, v.items.Group = items.CSV, 1 },
		"--csv -C ; -- x":     func(v *values) { v.items.Format, v.items.Separator = items.CSV, ";" },
		"--csv --header -- x": func(v *values) { v.items.Format, v.items.Header = items.CSV, true },
		"--tsv -- x":          func(v *values) { v.items.Format = items.TSV },
		"--tsv --header -- x": func(v *values) { v.items.Format, v.items.Header = items.TSV, true },
		"--tsv -C :: -- x":    func(v *values) { v.items.Format, v.items.Separator = items.TSV, "::" },
		"-C :: -- x":          func(v *values) { v.items.Format, v.items.Separator = items.TSV, "::" },
		"--jsonl -- x":        func(v *values) { v.items.Format = items.JSONL },
		"-N 0 -- x":           func(*values) {},
		"-N 1 -- x":           func(v *values) { v.items.Group = 1 },
		"-N 2 -- x":           func(v *values) { v.items.Group = 2 },
		"--range 5-10 -- x":   func(v *values) { v.items.Range = "5-10" },
		"--skip-empty -- x":   func(v *values) { v.items.SkipEmpty = true },
		"--limit 0 -- x":      func(*values) {},
		"--limit 1 -- x":      func(v *values) { v.items.Limit = 1 },
		"--shuffle -- x":      func(v *values) { v.items.Shuffle = true },
		"-- x :::":            func(v *values) { v.items.Args, v.items.UseArgs = []string{}, true },
		"-- x ::: a":          func(v *values) { v.items.Args, v.items.UseArgs = []string{"a"}, true },
		"-- x ::: a :::+ b": func(v *values) {
			v.items.Lists = []items.List{{Values: []string{"a"}}, {Values: []string{"b"}, Linked: true}}
		},
		"--pipe -- x":         func(v *values) { v.items.Format, v.items.Block = items.Blocks, 1<<20; asPipe(v, 1<<20) },
		"--pipe --block 2k x": func(v *values) { v.items.Format, v.items.Block = items.Blocks, 2<<10; asPipe(v, 2<<10) },
		"--pipe -N 1 -- x": func(v *values) {
			v.items = items.Source{Format: items.Blocks, Block: 1 << 20, Group: 1}
			asPipe(v, 1<<20)
		},
		"--block 5x -- x":  func(*values) {}, // there is no --pipe that it is for
		"--sh y":           func(v *values) { v.run.Args, v.command.Argv, v.command.Script = []string{}, []string{}, "y" },
		"--stdin -- x":     func(v *values) { v.command.Stdin = true },
		"--worker lines x": func(v *values) { v.command.Worker = command.LineWorker },
		"--worker jsonl x": func(v *values) { v.command.Worker = command.JSONLWorker },
		"--output line x":  func(v *values) { v.command.Mode = process.Line },
		"--output line -k x": func(v *values) {
			v.command.Mode, v.command.InOrder, v.output.InOrder, v.run.Ordered = process.Line, true, true, true
		},
		"--output line --tag x":            func(v *values) { v.command.Mode, v.output.Tag = process.Line, "{}\t" },
		"--output live x":                  func(v *values) { v.command.Mode = process.Live },
		"--output raw x":                   func(v *values) { v.command.Mode = process.Live },
		"--output none x":                  func(v *values) { v.command.Mode, v.output.Drop = process.None, true },
		"--output none --tag x":            func(v *values) { v.command.Mode, v.output.Drop, v.output.Tag = process.None, true, "{}\t" },
		"--merge x":                        func(v *values) { v.command.Merge = true },
		"--chdir d x":                      func(v *values) { v.command.Dir = "d" },
		"--env A=1 --env B=2 x":            func(v *values) { v.command.Env = []string{"A=1", "B=2"} },
		"--nice 0 x":                       func(*values) {},
		"--nice 19 x":                      func(v *values) { v.command.Nice = 19 },
		"--max-load 0 x":                   func(*values) {},
		"--max-load 0.5 x":                 func(v *values) { v.command.MaxLoad = 0.5 },
		"--grace 0 x":                      func(v *values) { v.run.Ends.Grace = 0 },
		"--grace 3s x":                     func(v *values) { v.run.Ends.Grace = 3 * time.Second },
		"-j 8 x":                           func(v *values) { v.run.Size = jobs.Size{Fixed: 8} },
		"-j max:8 x":                       func(v *values) { v.run.Size = jobs.Size{Most: 8} },
		"--batch 50 x":                     func(v *values) { v.run.Batch.Fixed = 50 },
		"--batch auto x":                   func(v *values) { v.run.Batch = jobs.BatchSize{Auto: true} },
		"--bisect x":                       func(v *values) { v.run.Bisect = true },
		"--rate 5/s --burst 2 x":           func(v *values) { v.policy.Rate, v.policy.Burst = "5/s", 2 },
		"--throttle-on exit:7 x":           func(v *values) { v.policy.ThrottleOn = "exit:7" },
		`--retry-after err:/(\d+)/ x`:      func(v *values) { v.policy.RetryAfter = `err:/(\d+)/` },
		"--retries 2 x":                    func(v *values) { v.policy.Retries, v.command.Retries = 2, 2 },
		"--retries 1 --backoff 1s..2s x":   func(v *values) { v.policy.Retries, v.command.Retries, v.policy.Backoff = 1, 1, "1s..2s" },
		"--retries 1 --retry-on exit:1 x":  func(v *values) { v.policy.Retries, v.command.Retries, v.policy.RetryOn = 1, 1, "exit:1" },
		"--retries 1 --retry-budget 20% x": func(v *values) { v.policy.Retries, v.command.Retries, v.policy.RetryBudget = 1, 1, "20%" },
		"--fatal-on exit:3 x":              func(v *values) { v.policy.FatalOn = "exit:3" },
		"--timeout 3s x":                   func(v *values) { v.policy.Timeout = "3s" },
		"--breaker 4 --breaker-wait 1s --breaker-give-up 2s x": func(v *values) {
			v.policy.Breaker, v.policy.BreakerWait, v.policy.BreakerGiveUp = "4", time.Second, 2*time.Second
		},
		"--halt 3 --halt-now x": func(v *values) {
			v.run.Ends.Halt, v.run.Ends.HaltText, v.run.Ends.HaltNow = policies.Halt{Count: 3}, "3", true
		},
		"--deadline 3s x":             func(v *values) { v.run.Ends.Deadline = 3 * time.Second },
		"-k x":                        func(v *values) { v.run.Ordered = true },
		"--tag x":                     func(v *values) { v.output.Tag = "{}\t" },
		"--tag={#} x":                 func(v *values) { v.output.Tag = "{#}" },
		"--results d x":               func(v *values) { v.output.Results = "d" },
		"--log l x":                   func(v *values) { v.run.Log.Path = "l" },
		"--log l --resume x":          func(v *values) { v.run.Log = run.Log{Path: "l", Resume: true} },
		"--log l --resume-failed x":   func(v *values) { v.run.Log = run.Log{Path: "l", ResumeFailed: true} },
		"--log l --overwrite x":       func(v *values) { v.run.Log = run.Log{Path: "l", Overwrite: true} },
		"--json --results d x":        func(v *values) { v.run.Summary.JSON, v.output.Results = true, "d" },
		"--json --output none x":      func(v *values) { v.run.Summary.JSON, v.output.Drop, v.command.Mode = true, true, process.None },
		"--summary s x":               func(v *values) { v.run.Summary.File = "s" },
		"-q x":                        func(v *values) { v.run.Show.Quiet = true },
		"-v x":                        func(v *values) { v.run.Show.Verbose = true },
		"--progress tty x":            func(v *values) { v.run.Show.Progress = "tty" },
		"--progress log x":            func(v *values) { v.run.Show.Progress = "log" },
		"--progress json x":           func(v *values) { v.run.Show.Progress = "json" },
		"--progress none x":           func(v *values) { v.run.Show.Progress = "none" },
		"--live :0 x":                 func(v *values) { v.run.Show.Live = ":0" },
		"--color always x":            func(*values) {},
		"--color never x":             func(*values) {},
		"--explain x":                 func(v *values) { v.run.Show.Explain = true },
		"--exit-zero x":               func(v *values) { v.run.Summary.ExitZero = true },
		"--csv --results d -k -- x":   func(v *values) { v.items.Format, v.output.Results, v.run.Ordered = items.CSV, "d", true },
		"-n -- x":                     func(*values) {},
		"-n -- x 4":                   func(v *values) { v.run.Args, v.command.Argv = []string{"x", "4"}, []string{"x", "4"} },
		"-- 4":                        func(v *values) { v.run.Args, v.command.Argv = []string{"4"}, []string{"4"} },
		"--bisect --output line -- x": func(v *values) { v.run.Bisect, v.command.Mode = true, process.Line },
	} {
		want := usual()
		change(&want)
		got, _ := given(t, line)
		require.Equal(t, want, got, line)
	}
}

// asPipe is what a command of --pipe gets.
func asPipe(v *values, block int) {
	v.command.Stdin, v.command.Pipe, v.command.Block = true, true, block
}

// A log keeps the flags that were given, by their long names, as they were typed.
func TestFlagsThatWereGivenAreKept(t *testing.T) {
	_, kept := given(t, "-k -j 3 --env A=1 -- x")
	require.Equal(t, [][2]string{{"order", "true"}, {"jobs", "3"}, {"env", "[A=1]"}}, kept)
}
