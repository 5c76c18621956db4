package cli

import (
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"
)

// running are the commands whose runs have a log and a configuration.
func running() map[string]*cobra.Command {
	return map[string]*cobra.Command{"run": newRun(), "http": newHTTP(), "exec": newExec()}
}

// Every flag says of whom it is, where it is defined: a new one can't be forgotten by
// retry, nor be set by a directory without somebody having thought of it.
func TestFlagsSayOfWhomTheyAre(t *testing.T) {
	said := map[string][]string{}
	for name, c := range running() {
		c.Flags().VisitAll(func(flag *pflag.Flag) {
			of := flag.Annotations[audienceKey]
			require.Len(t, of, 1, "%s: --%s does not say of whom it is", name, flag.Name)
			if before, ok := said[flag.Name]; ok {
				require.Equal(t, before, of, "--%s", flag.Name)
			}
			said[flag.Name] = of
		})
	}
	of := func(a audience) (list []string) {
		for name, is := range said {
			if is[0] == string(a) {
				list = append(list, name)
			}
		}
		return list
	}
	// What these lists have is a promise: to those who retry a run, and to those who enter a
	// directory that is not theirs.
	require.ElementsMatch(t, []string{
		"arg-file", "null", "delimiter", "range", "limit", "shuffle", "skip-empty", "log", "resume", "resume-failed", "overwrite", "dry-run",
	}, of(ofRun))
	require.ElementsMatch(t, []string{
		"jobs", "rate", "burst", "retry-after", "retries", "backoff", "fatal-on", "retry-budget", "timeout", "breaker", "breaker-wait",
		"breaker-give-up", "halt", "halt-now", "deadline", "grace", "nice", "max-load", "max-conns", "max-body", "order", "quiet", "verbose",
		"progress", "color", "explain",
	}, of(ofAnyone))
}

// A flag that does not say is only the user's.
func TestUnsaid(t *testing.T) {
	flag := &pflag.Flag{Name: "new"}
	require.True(t, isOf(flag, ofUser))
	require.False(t, isOf(flag, ofAnyone))
	require.False(t, isOf(flag, ofRun))
	require.Panics(t, func() { newGroup("x").are(ofUser, "no-such-flag") })
}

// A retry has the flags of the log, but for those that a run has of its own.
func TestCarryOver(t *testing.T) {
	for name, c := range running() {
		require.NoError(t, carryOver(c, "log", [][2]string{{"range", "5"}, {"log", "x"}, {"resume", "true"}, {"retries", "3"}, {"order", "true"}}), name)
		for flag, want := range map[string]bool{"range": false, "log": false, "resume": false, "retries": true, "order": true} {
			require.Equal(t, want, c.Flags().Changed(flag), "%s --%s", name, flag)
		}
		require.ErrorContains(t, carryOver(c, "log", [][2]string{{"gone", "1"}}), `log: --gone "1": unknown flag`)
	}
}
