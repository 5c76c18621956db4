package secrets_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/secrets"
)

func TestFlag(t *testing.T) {
	for _, c := range [][3]string{
		{"rate", "50/s", "50/s"},
		{"body", "password=x", "password=***"},
		{"cookie", "a=b; c=d", "a=***; c=***"},
		{"header-line", `["X-Key: abc",Accept: text/html,"X-Other: a,b"]`, "X-Key: ***, Accept: text/html, X-Other: ***"},
		{"header-line", "X-Key: abc", "X-Key: ***"},
		{"header-line", `["broken]`, "***"},
		{"env", "[A=b,PATH]", "A=***, PATH"},
	} {
		require.Equal(t, c[2], secrets.Flag(c[0], c[1]), "--%s %q", c[0], c[1])
	}
}

func TestSetting(t *testing.T) {
	for setting, want := range map[string]string{
		"--cookie=a=b": "--cookie=a=***", "--header-line=X: abc": "--header-line=X: ***", "--env=A=b": "--env=A=***",
		"--rate=5/s": "--rate=5/s", "--cookie": "--cookie", "-v": "-v", "cookie=a=b": "cookie=***",
		"-HAuthorization: abc": "-HAuthorization: ***", "-qHX: abc": "-qHX: ***", "-H=X: abc": "-H=X: ***", "-HAccept: a": "-HAccept: a",
		"--body=password=x": "--body=password=***", "--token=x": "--token=***", "--header=true": "--header=true",
		"--key={host}": "--key={host}", "--idempotency-key={#}": "--idempotency-key={#}", "--rate-tokens=9/m": "--rate-tokens=9/m",
		"--keep-cookies=true": "--keep-cookies=true", "-j8": "-j8",
	} {
		require.Equal(t, want, secrets.Setting(setting))
	}
}

func TestCookies(t *testing.T) {
	require.Equal(t, "a=***; c=***", secrets.Cookies("a=b; c=d"))
	require.Equal(t, "secret=***", secrets.Cookies("secret"), "what has no value may be one")
}

func TestHarmlessHeader(t *testing.T) {
	for name, want := range map[string]bool{"accept": true, " Range ": true, "Authorization": false, "X-Request-Id": false, "": false} {
		require.Equal(t, want, secrets.HarmlessHeader(name), name)
	}
}
