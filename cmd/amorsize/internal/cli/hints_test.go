package cli

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A flag that is unknown here is told with its name here, if others have it, or with those that it may have meant.
func TestHintsForUnknownFlags(t *testing.T) {
	home(t)
	for flag, said := range map[string]string{
		"-P4":          "unknown shorthand flag: 'P' in -P4; -j sets the number of jobs at a time",
		"-I{}":         "write {} for the item, and omit -I",
		"--bar":        "unknown flag: --bar; progress is shown by default: --progress sets its form",
		"--on":         "unknown flag: --on; put it first: amorsize run --on sqlite:runs.db …",
		"--keep-order": "unknown flag: --keep-order; use --order",
		"--retrie":     "unknown flag: --retrie; did you mean --retries?",
		"--retry":      "unknown flag: --retry; --retries sets how often",
		"--jbs":        "unknown flag: --jbs; did you mean --jobs?",
		"--resu":       "unknown flag: --resu; did you mean --results or --resume or --resume-failed?",
		"--skipempty":  "unknown flag: --skipempty; did you mean --skip-empty?",
		"--timeuot":    "unknown flag: --timeuot; did you mean --timeout?",
		"--csb":        "unknown flag: --csb; did you mean --csv?",
		"-1":           "-1; use --batch 1 for the items per job",
		"-n1":          "-1; use --batch 1 for the items per job",
		"-n9":          "-9; use --batch 9 for the items per job",
	} {
		got := typed(t, "", "run", "-k", flag, "--", "x")
		require.Equal(t, 2, got.status, flag)
		require.Contains(t, got.err, said, flag)
	}
	for _, flag := range []string{"-n=", "--qqqq", "--cs", "--jboss", "--xyzzy", "--1st", "--or", "--z", "-Z"} {
		got := typed(t, "", "run", "-k", flag, "--", "x")
		require.Equal(t, 2, got.status, flag)
		require.NotContains(t, got.err, ";", flag)
	}
	got := typed(t, "", "run", "--nice=x", "--", "x")
	require.Equal(t, "amorsize: invalid argument \"x\" for \"--nice\" flag: strconv.ParseInt: parsing \"x\": invalid syntax\n", got.err, "it is no unknown flag")
}

// Names of six letters may have two wrong ones, shorter ones only one; what is hidden is not proposed.
func TestNearestFlags(t *testing.T) {
	flags := newRun().Flags()
	for name, want := range map[string]string{
		"ordxx": "", "ordex": "order", "resulxx": "results", "resxxxx": "", "retriXX": "retries", "resuxx": "resume", "timeoxx": "timeout", "retry-budxxx": "", "retry-budgxx": "retry-budget", "hal": "halt halt-now", "ha": "",
	} {
		require.Equal(t, strings.Fields(want), append([]string{}, nearest(name, flags)...), name)
	}
	require.NoError(t, flags.MarkHidden("order"))
	require.Empty(t, nearest("ordex", flags))
}

func TestNumberOfArguments(t *testing.T) {
	require.True(t, numberOfArguments([]string{"4"}, true))
	require.True(t, numberOfArguments([]string{" 4 ", "y"}, true))
	require.False(t, numberOfArguments([]string{"4"}, false))
	require.False(t, numberOfArguments([]string{"x", "4"}, true))
	require.False(t, numberOfArguments(nil, true))
}
