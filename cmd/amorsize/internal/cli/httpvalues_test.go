package cli

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/request"
)

// requested returns what the flags of http become, and whether calls are metered.
func requested(t *testing.T, line string) (f httpFlags, metered bool) {
	t.Helper()
	var of runFlags
	c := &cobra.Command{}
	bindHTTP(c, &of, &f)
	require.NoError(t, c.ParseFlags(strings.Split(line, " ")), line)
	require.NoError(t, f.complete("http://h/{}"), line)
	require.Equal(t, defaultGrace, of.grace)
	metered, f.Meter = f.Meter != nil, nil
	return f, metered
}

func TestFlagsOfHTTPBecome(t *testing.T) {
	usual := request.Config{URL: "http://h/{}", UserAgent: "amorsize/" + version(), Form: request.Body, MaxBody: 1 << 30, OK: "200-299"}
	for line, change := range map[string]func(*request.Config){
		"":                      func(*request.Config) {},
		"-X PUT":                func(c *request.Config) { c.Method = "PUT" },
		"-H A:1 -H B:2":         func(c *request.Config) { c.Headers = []string{"A:1", "B:2"} },
		"--body x":              func(c *request.Config) { c.Body = "x" },
		"--bearer-env T":        func(c *request.Config) { c.BearerEnv = "T" },
		"--cookie a=1":          func(c *request.Config) { c.Cookies = "a=1" },
		"--keep-cookies":        func(c *request.Config) { c.KeepCookies = true },
		"--cacert f":            func(c *request.Config) { c.Connection.CACert = "f" },
		"--insecure":            func(c *request.Config) { c.Connection.Insecure = true },
		"--ok 404":              func(c *request.Config) { c.OK = "404" },
		"--max-conns 3":         func(c *request.Config) { c.Connection.Max = 3 },
		"--max-body 0":          func(c *request.Config) { c.MaxBody = 0 },
		"--max-body 100M":       func(c *request.Config) { c.MaxBody = 100 << 20 },
		"--http1":               func(c *request.Config) { c.Connection.HTTP1 = true },
		"--out status":          func(c *request.Config) { c.Form = request.Status },
		"--out jsonl":           func(c *request.Config) { c.Form = request.JSONL },
		"--idempotency-key {#}": func(c *request.Config) { c.IdempotencyKey = "{#}" },
		"--retry-post":          func(c *request.Config) { c.RetryUnsafe = true },
		"--no-escape":           func(c *request.Config) { c.Raw = true },
		"--key {host}":          func(c *request.Config) { c.Key = "{host}" },
		"--hedge":               func(c *request.Config) { c.Hedge = true },
		"--batch-file":          func(c *request.Config) { c.Batch = true },
	} {
		want := usual
		change(&want)
		got, metered := requested(t, strings.TrimSpace(line))
		require.Equal(t, want, got.Config, line)
		require.Equal(t, want.Batch, metered, line)
	}
}

// What calls cost is read where a flag needs it, and else not looked for.
func TestCallsAreMeteredIfAFlagNeedsIt(t *testing.T) {
	for line, want := range map[string]bool{
		"--rate-tokens 90/m":                 true,
		"--cost usage.total":                 true,
		"--price in=1":                       true,
		"--batch-file":                       true,
		"--batch-file --estimate 100":        true,
		"--rate-tokens 9/m --estimate 100":   true,
		"--cost usage.total --estimate 100":  true,
		"--price in=1 --estimate tokens":     true,
		"--rate 5/s --key {host} --hedge":    false,
		"--retry-post --http1 --out status.": false,
	} {
		_, metered := requested(t, line)
		require.Equal(t, want, metered, line)
	}
	f := httpFlags{mostBody: "1G", metered: meteredFlags{}}
	f.metered.Estimate = "100"
	require.ErrorContains(t, f.complete("u"), "--estimate needs --rate-tokens")
	f = httpFlags{mostBody: "1T"}
	require.ErrorContains(t, f.complete("u"), `--max-body "1T": must be a number of bytes`)
}

// A request that is the same for every item is likely a mistake: it is told.
func TestRequestsThatAreAlike(t *testing.T) {
	for line, want := range map[string]bool{
		"":                        true,
		"-X PUT -H A:1 --body b":  true,
		"--cookie a=1":            true,
		"-X {method}":             false,
		"--body {}":               false,
		"--body @file":            false,
		"--cookie a={}":           false,
		"-H A:1 -H B:{}":          false,
		"--batch-file":            false,
		"--batch-file --body x{}": false,
	} {
		f, _ := requested(t, line)
		f.URL = "http://h/"
		require.Equal(t, want, f.alike(), line)
		f.URL = "http://h/{}"
		require.False(t, f.alike(), line)
	}
}

func TestOneURL(t *testing.T) {
	require.NoError(t, oneURL([]string{"http://h/"}))
	require.NoError(t, oneURL([]string{"-k"}), "it is no URL, which is told later")
	for argv, hint := range map[string]string{"": "item goes; items", "u v": "item goes; items", "-k u": "item goes; items", "u -k": "item goes; flags go before it; items", "u v -k": "item goes; flags"} {
		require.ErrorContains(t, oneURL(strings.Fields(argv)), hint, argv)
	}
}
