package secrets_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/secrets"
)

func TestArgs(t *testing.T) {
	args := []string{"-u", "curl", "-u", "me:pw", "-H", "X-Key: abc", "--header", "Accept: */*", "--user", "you", "http://a:b@host/?token=1", "-H", "no header"}
	want := []string{"-u", "***", "-u", "***", "-H", "X-Key: ***", "--header", "Accept: */*", "--user", "***", "http://***@host/?token=***", "-H", "no header"}
	require.Equal(t, want, secrets.Args(args))
	require.Empty(t, secrets.Args(nil))
}

// The word after a flag whose name looks like a credential's is hidden, others aren't.
func TestArgsWord(t *testing.T) {
	for _, flag := range []string{
		"--password", "--api-key", "--token", "--auth-token", "--client-secret", "--secret", "--passwd", "--pass", "--oauth2-bearer",
		"--proxy-user", "--user", "-u", "-sSu", "-su", "-pass", "-pw", "--db.pass", "--cookie", "--Password", "--secrets", "--credentials",
		"--signature", "--sig", "--passphrase", "--authorization", "--session-id", "--sessid", "--session", "--jwt", "--pat", "--sid",
		"--pin", "--pwd", "--auth", "--bearer",
	} {
		for _, value := range []string{"P", "x:P", "-P1", "P Q&R;S", ""} {
			require.Equal(t, []string{"c", flag, "***", "5"}, secrets.Args([]string{"c", flag, value, "5"}), flag)
		}
		require.Equal(t, []string{flag, "--all"}, secrets.Args([]string{flag, "--all"}), "the next flag is none")
		require.Equal(t, []string{flag, "-v"}, secrets.Args([]string{flag, "-v"}), "nor is a short one")
		require.Equal(t, []string{flag, "-"}, secrets.Args([]string{flag, "-"}), "nor is the standard input")
		require.Equal(t, []string{flag, "{host}"}, secrets.Args([]string{flag, "{host}"}), "nor is a placeholder")
		require.Equal(t, []string{flag, "***"}, secrets.Args([]string{flag, "{a}{b}"}), "two are a text")
	}
	for _, flag := range []string{
		"--pass-through", "--token-count", "--passes", "--max-tokens", "--keys", "--no-cookies", "--author", "--path", "--compass",
		"--design", "--users", "--bypass", "-b", "-sb", "-U", "-p", "password", "--", "-H", "--oauth", "--spin", "--sessions", "--inside",
	} {
		require.Equal(t, []string{"c", flag, "5"}, secrets.Args([]string{"c", flag, "5"}), flag)
	}
}

// Of headers and cookies the names are shown, and what is joined to a flag is hidden as a word of its own is.
func TestArgsForms(t *testing.T) {
	for _, c := range []struct{ args, want []string }{
		{[]string{"--cookie", "a=P; b=Q"}, []string{"--cookie", "a=***; b=***"}},
		{[]string{"-b", "a=P"}, []string{"-b", "a=***"}},
		{[]string{"-sb", "a=P"}, []string{"-sb", "a=***"}},
		{[]string{"-b=5"}, []string{"-b=5"}},
		{[]string{"-U", "x:P"}, []string{"-U", "***"}},
		{[]string{"-Ux:P"}, []string{"-U***"}},
		{[]string{"-Upostgres"}, []string{"-Upostgres"}},
		{[]string{"--user=me:P"}, []string{"--user=***"}},
		{[]string{"--proxy-user=x:P"}, []string{"--proxy-user=***"}},
		{[]string{"-ume:P"}, []string{"-u***"}},
		{[]string{"-sSume:P=Q\nR"}, []string{"-sSu***"}},
		{[]string{"-u=me:P"}, []string{"-u=***"}},
		{[]string{"-uroot"}, []string{"-uroot"}},
		{[]string{"-HX=Y: P", "-ux=y:z"}, []string{"-HX=Y: ***", "-ux=y:z"}},
		{[]string{"-url=http://host/a"}, []string{"-url=http://host/a"}},
		{[]string{"-url=http://a:b@host/"}, []string{"-url=http://***@host/"}},
		{[]string{"--header=X-Auth: P"}, []string{"--header=X-Auth: ***"}},
		{[]string{"--header=Accept: a/b"}, []string{"--header=Accept: a/b"}},
		{[]string{"--header", "X: P", "--proxy-header", "Y: P", "--header-line", "Z: P"}, []string{"--header", "X: ***", "--proxy-header", "Y: ***", "--header-line", "Z: ***"}},
		{[]string{"-HX-Auth:P=Q"}, []string{"-HX-Auth: ***"}},
		{[]string{"-sHX:P"}, []string{"-sHX: ***"}},
		{[]string{"-sH", "X:P"}, []string{"-sH", "X: ***"}},
		{[]string{"-HAccept: a/b", "-Hname"}, []string{"-HAccept: a/b", "-Hname"}},
		{[]string{"--password=P Q&R;S"}, []string{"--password=***"}},
		{[]string{"--oauth2-bearer=P"}, []string{"--oauth2-bearer=***"}},
		{[]string{"--data", "password=P&a=1"}, []string{"--data", "password=***&a=1"}},
		{[]string{"author=x", "--path=y", "-buildvcs=z", "--passes=3"}, []string{"author=x", "--path=y", "-buildvcs=z", "--passes=3"}},
	} {
		require.Equal(t, c.want, secrets.Args(c.args))
	}
}
