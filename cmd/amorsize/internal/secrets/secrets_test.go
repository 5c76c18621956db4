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
		"--rate=5/s": "--rate=5/s", "--cookie": "--cookie", "-v": "-v", "cookie=a=b": "cookie=a=b",
	} {
		require.Equal(t, want, secrets.Setting(setting))
	}
}

func TestArgs(t *testing.T) {
	args := []string{"-u", "curl", "-u", "me:pw", "-H", "X-Key: abc", "--header", "Accept: */*", "--user", "you", "http://a:b@host/?token=1", "-H", "no header"}
	want := []string{"-u", "***", "-u", "***", "-H", "X-Key: ***", "--header", "Accept: */*", "--user", "***", "http://***@host/?token=***", "-H", "no header"}
	require.Equal(t, want, secrets.Args(args))
	require.Empty(t, secrets.Args(nil))
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
