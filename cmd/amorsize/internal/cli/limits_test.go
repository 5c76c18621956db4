package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Sizes are accepted up to the last one that the text allows, and not one more.
func TestLimitsOfBytes(t *testing.T) {
	for text, want := range map[string]int{"1": 1, "1k": 1 << 10, "1024M": 1 << 30, "1048576K": 1 << 30, "1G": 1 << 30, "1073741824": 1 << 30} {
		n, err := parseBytes("block", text)
		require.NoError(t, err, text)
		require.Equal(t, want, n, text)
	}
	for _, text := range []string{"0", "0k", "-1k", "1025M", "1048577k", "2G", "1073741825", "k1", "1k1", "1kk", " 1", "G"} {
		_, err := parseBytes("block", text)
		require.EqualError(t, err, `--block "`+text+`": must be a number of bytes up to 1G, such as 64k or 1M`)
	}
	for text, want := range map[string]int64{"1g": 1 << 30, "2G": 2 << 30, "1048576G": 1 << 50, "1M": 1 << 20} {
		n, err := parseMost("max-body", text)
		require.NoError(t, err, text)
		require.Equal(t, want, n, text)
	}
	for _, text := range []string{"1048577G", "4294967297G", "00", "0G", "-1G"} {
		_, err := parseMost("most", text)
		require.ErrorContains(t, err, "--most", text)
	}
}

// Lists of items are cut at every marker, also where one has no items.
func TestListsWithoutItems(t *testing.T) {
	require.Nil(t, lists(nil))
	require.Nil(t, lists([]string{"a"}))
	all := lists([]string{":::", ":::", "a"})
	require.Len(t, all, 2)
	require.Empty(t, all[0].Values)
	require.Equal(t, []string{"a"}, all[1].Values)
	require.Empty(t, lists([]string{"::::", "::::+"}))
	require.True(t, lists([]string{":::", "a", "::::+", "f"})[1].Linked)
	require.Len(t, lists([]string{":::", "a", ":::"}), 2, "nothing is combined with what has no items")
}

// refused are command lines that end before anything is run, and the whole of what is said.
var refused = map[string]string{
	"run -d ab -- x":                               `--delimiter "ab": must be one character`,
	"run --range 5 -a f -- x":                      "items have one source: choose one of ::: items, --range and --arg-file",
	"run --range 5 -- x ::: a":                     "items have one source: choose one of ::: items, --range and --arg-file",
	"run -a f -- x ::: a":                          "items have one source: choose one of ::: items, --range and --arg-file",
	"run --limit -1 -- x":                          "--limit -1: must be at least 1",
	"run --csv -d , -- x":                          "--csv, --tsv and --jsonl read records from a file or standard input: leave out --null, --delimiter, --range and :::",
	"run --tsv -0 -- x":                            "--csv, --tsv and --jsonl read records from a file or standard input: leave out --null, --delimiter, --range and :::",
	"run --jsonl --range 5 -- x":                   "--csv, --tsv and --jsonl read records from a file or standard input: leave out --null, --delimiter, --range and :::",
	"run -C : -- x ::: a":                          "--csv, --tsv and --jsonl read records from a file or standard input: leave out --null, --delimiter, --range and :::",
	"run -N -1 -- x":                               "--per-item -1: must be at least 1, and its lines can't have columns of their own",
	"run -N 2 --tsv -- x":                          "--per-item 2: must be at least 1, and its lines can't have columns of their own",
	"run --jsonl -C : -- x":                        `--colsep ":": must be one character with --csv, and not be given with --jsonl`,
	"run --csv --tsv -- x":                         "choose one of --csv, --tsv and --jsonl",
	"run --tsv --jsonl -- x":                       "choose one of --csv, --tsv and --jsonl",
	"run --jsonl --header -- x":                    "--header needs --csv or --tsv",
	"run -j 0 -- x":                                `--jobs "0": must be auto`,
	"run --batch 0 -- x":                           `--batch "0"`,
	"run --burst -1 --rate 5/s -- x":               "--burst -1: must be at least 1",
	"run --burst 1 -- x":                           "--burst needs --rate",
	"run --deadline -1ns -- x":                     "--deadline -1ns: must be a duration above 0",
	"run --breaker-wait -1ns -- x":                 "--breaker-wait and --breaker-give-up: must be durations above 0",
	"run --breaker-give-up -1ns -- x":              "--breaker-wait and --breaker-give-up: must be durations above 0",
	"run --halt x -- x":                            `--halt "x"`,
	"run --rate x -- x":                            `--rate "x"`,
	"run --grace -1ns -- x":                        "--grace -1ns: must be a duration above 0",
	"run --resume-failed -- x":                     "--resume needs --log, which has the finished items",
	"run --log l --overwrite --resume -- x":        "--overwrite needs --log, and can't be combined with --resume",
	"run --log l --overwrite --resume-failed -- x": "--overwrite needs --log, and can't be combined with --resume",
	"run --bisect --batch 5 -k -- x":               "--bisect runs parts of a batch later: it can't be combined with --order",
	"run --nice -1 -- x":                           "--nice -1: must be 0 to 19",
	"run --max-load -0.5 -- x":                     "--max-load -0.5: must be above 0",
	"run":                                          "no command: write it after --, as in amorsize run -- gzip {}, or before a list of items: amorsize run gzip {} ::: a b",
	"run -n 4":                                     "-n is --dry-run: use --batch 4 for the items per job",
	"run --pipe --batch 5 -- x":                    "--pipe gives each command a block: it can't be combined with --batch or --worker",
	"run --pipe --worker lines -- x":               "--pipe gives each command a block: it can't be combined with --batch or --worker",
	"run --pipe --block 0 -- x":                    `--block "0": must be a number of bytes up to 1G, such as 64k or 1M`,
	"run --pipe --csv -- x":                        "--pipe reads blocks of lines from a file or standard input: omit flags for other items",
	"run --pipe --tsv -- x":                        "--pipe reads blocks of lines from a file or standard input: omit flags for other items",
	"run --pipe --jsonl -- x":                      "--pipe reads blocks of lines from a file or standard input: omit flags for other items",
	"run --pipe -C : -- x":                         "--pipe reads blocks of lines from a file or standard input: omit flags for other items",
	"run --pipe -N 2 -- x":                         "--pipe reads blocks of lines from a file or standard input: omit flags for other items",
	"run --pipe -- x ::: a":                        "--pipe reads blocks of lines from a file or standard input: omit flags for other items",
	"run --worker lines --batch 5 -- x":            "--worker keeps processes that read items line by line: it can't be combined with --stdin, --sh or --batch",
	"run --worker lines --sh x":                    "--worker keeps processes that read items line by line: it can't be combined with --stdin, --sh or --batch",
	"run --output none --results d -- x":           "--output none passes output on at once: it can't be combined with --results",
	"run --output raw -k -- x":                     "--output raw passes output on at once, or not at all: it can't be combined with --order",
	"run --output none -k -- x":                    "--output none passes output on at once, or not at all: it can't be combined with --order",
	"run --output raw --tag -- x":                  "--output live leaves output unchanged: it can't be combined with --tag",
	"run --json --output line -- x":                "--json writes the summary to standard output, where results go: add --results DIR or --output none, or write it to a file with --summary FILE",
	"--":                                           "no command: write it after --",
	"http":                                         "give one URL, with {} where the item goes; items follow ::: or come from standard input",
	"http --json http://h/":                        "--json writes the summary to standard output, where results go: add --results DIR, or write it to a file with --summary FILE",
	"http --rate-tokens x http://h/ ::: a":         "x",
	"http --max-body 1T http://h/ ::: a":           `--max-body "1T": must be a number of bytes up to 1G`,
	"http --estimate 5 http://h/ ::: a":            "--estimate needs --rate-tokens",
	"http --out x http://h/ ::: a":                 `--out "x"`,
	"http --cacert none http://h/ ::: a":           "none",
	"http --csv --header --tag={x} http://h/":      "{x}",
	"run --csv --header -- true {x}":               "{x}",
	"http --csv --header http://h/{x}":             "{x}",
	"profile --csv --header -- true {x}":           "{x}",
	"profile --limit -1 -- true":                   "--limit -1",
	"exec --json ./p.F":                            "--json writes the summary to standard output",
	"exec":                                         "name a function, such as ./pkg.Func, or a command after --",
	"exec a b c":                                   "give one function, not a b c; write a command after --",
	"exec --limit -1 ./p.F":                        "--limit -1: must be at least 1",
	"profile --budget -1ns -- x":                   "--budget -1ns: must be a duration above 0",
	"profile p.F -- x":                             "name a function, or a command after --, not both",
	"profile --":                                   "no command: write it after --",
	"profile --batch x --range 5 -- x":             `--batch "x"`,
	"profile --color x -- x":                       `--color "x": must be auto, always or never`,
	"profile":                                      "name a function",
	"tune --max-workers -1 -- x":                   "--max-workers -1: must be at least 1",
	"tune --limit -1 -- x":                         "--limit -1: must be at least 1",
	"watch --interval -1ns -- x":                   "--interval -1ns: must be a duration above 0",
	"watch --count -1 -- x":                        "--count -1: must be at least 1",
	"watch --limit -1 -- x":                        "--limit -1: must be at least 1",
	"retry":                                        "give the log of a run: amorsize retry RUN.jsonl [flags]",
	"retry -k":                                     "give the log of a run: amorsize retry RUN.jsonl [flags]",
	"retry none.jsonl":                             "none.jsonl",
	"doctor x":                                     "unknown command",
	"history x":                                    "unknown command",
	"history list a b":                             "accepts at most 1 arg",
	"history show":                                 "accepts 1 arg",
	"history show a b":                             "accepts 1 arg",
	"history diff a":                               "accepts 2 arg",
	"history diff a b c":                           "accepts 2 arg",
	"history rm":                                   "requires at least 1 arg",
	"history show none":                            "none",
	"history diff none none":                       "none",
	"report a b":                                   "accepts at most 1 arg",
	"report none.jsonl":                            "none.jsonl",
	"man a b":                                      "accepts at most 1 arg",
	"man nothing":                                  `unknown command "nothing"`,
	"version x":                                    "unknown command",
	"nothing":                                      `unknown command "nothing"`,
	"run --nothing -- x":                           "unknown flag: --nothing",
}

func TestRefusedCommandLines(t *testing.T) {
	home(t)
	for line, text := range refused {
		got := typed(t, "a\n1\n", strings.Fields(line)...)
		require.Equal(t, 2, got.status, line)
		require.Empty(t, got.out, line)
		require.Regexp(t, `^amorsize: .*\n$`, got.err, line)
		require.Contains(t, got.err, text, line)
	}
}

// How long things take unless a flag says so.
func TestUsualDurations(t *testing.T) {
	for of, want := range map[string]time.Duration{
		"run --grace": 10 * time.Second, "run --deadline": 0, "run --breaker-wait": 0, "run --breaker-give-up": 0,
		"profile --budget": 2 * time.Second, "tune --budget": 30 * time.Second, "watch --budget": 2 * time.Second, "watch --interval": time.Minute,
	} {
		name, flag, _ := strings.Cut(of, " --")
		c, _, err := newRoot().Find([]string{name})
		require.NoError(t, err)
		got, err := c.Flags().GetDuration(flag)
		require.NoError(t, err)
		require.Equal(t, want, got, of)
	}
}

// What a number is unless a flag says so: mostly that there is no limit.
func TestUsualNumbers(t *testing.T) {
	for name, want := range map[string]map[string]string{
		"run":     {"retries": "0", "burst": "0", "nice": "0", "max-load": "0", "limit": "0", "per-item": "0", "block": "1M", "breaker": "off", "batch": "1"},
		"http":    {"retries": "3", "burst": "0", "max-conns": "0", "limit": "0", "max-body": "1G", "breaker": "8", "ok": "200-299"},
		"exec":    {"retries": "0", "breaker": "off", "batch": "1", "out": "value"},
		"profile": {"batch": "1", "race": "true"},
		"tune":    {"batch": "1", "max-workers": "0"},
		"watch":   {"batch": "1", "count": "0"},
		"report":  {"output": "report.html"},
	} {
		c, _, err := newRoot().Find([]string{name})
		require.NoError(t, err)
		for flag, value := range want {
			require.Equal(t, value, c.Flags().Lookup(flag).DefValue, "%s --%s", name, flag)
		}
	}
}
