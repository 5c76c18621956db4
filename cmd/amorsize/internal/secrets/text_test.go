package secrets_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/secrets"
)

func TestHide(t *testing.T) {
	for text, want := range map[string]string{
		"http://u:pw@host/x?y=1#z":                         "http://***@host/x?y=1#z",
		"see https://TOKEN@host/ and http://a:p@ss@b":      "see https://***@host/ and http://***@b",
		"http://host/a@b?to=c@d":                           "http://host/a@b?to=c@d",
		"http://h/?token=abc&page=2&api_key=x;sig=1#f":     "http://h/?token=***&page=2&api_key=***;sig=***#f",
		"http://h/?X-Amz-Signature=abc&design=1&keyword=2": "http://h/?X-Amz-Signature=***&design=1&keyword=2",
		"curl -H 'Authorization: Bearer abc def' x":        "curl -H 'Authorization: ***' x",
		"X-Api-Key: abc":                                   "X-Api-Key: ***",
		"Cookie: a=b; c=d":                                 "Cookie: ***",
		"Accept: text/html":                                "Accept: text/html",
		`{"user":"a","password":"b\"c","token": 7,"n":1}`:  `{"user":"a","password":"***","token": "***","n":1}`,
		"--env AWS_SECRET_ACCESS_KEY=abc PATH=/bin":        "--env AWS_SECRET_ACCESS_KEY=*** PATH=/bin",
		"password=x":                   "password=***",
		"--body=password=x&a=1":        "--body=password=***&a=1",
		"the key: it is under the mat": "the key: ***",
		"nothing":                      "nothing",
	} {
		require.Equal(t, want, secrets.Hide(text), text)
	}
}

// Short names count as whole words only, in any of the forms.
func TestHideNames(t *testing.T) {
	for _, name := range []string{"pwd", "pass", "pw", "auth", "jwt", "sid", "session", "sessionid", "session_id", "pin", "bearer", "GH_PAT", "db.pass", "x-auth", "PHPSESSID"} {
		for text, want := range map[string]string{
			"%=P":                        "%=***",
			"http://h/?a=1&%=P&b=2":      "http://h/?a=1&%=***&b=2",
			"% = P Q":                    "% = *** Q",
			"failed (%=P":                "failed (%=***",
			"{%=P,":                      "{%=***",
			"a,%='P Q' b":                "a,%=*** b",
			`[%="P Q" b`:                 "[%=*** b",
			"error:%=P":                  "error:%=***",
			"{'%':'P\\'Q', 'user': 'a'}": `{'%':"***", 'user': 'a'}`,
			`{"%": "P", "user":"a"}`:     `{"%": "***", "user":"a"}`,
			"x --% P y":                  "x --% *** y",
		} {
			text, want = strings.ReplaceAll(text, "%", name), strings.ReplaceAll(want, "%", name)
			require.Equal(t, want, secrets.Hide(text), text)
			require.Equal(t, want, secrets.Hide(want), "hidden twice")
		}
	}
	for _, name := range []string{"author", "path", "passes", "bypass", "oauth", "spin", "sessions", "inside", "design", "pass-through", "token-count", "bearer-env"} {
		for _, text := range []string{"%=P", "http://h/?a=1&%=P", "% = P", `{"%": "P"}`, "{'%':'P'}", "x --% P", "%: P", "x-%: P"} {
			text = strings.ReplaceAll(text, "%", name)
			require.Equal(t, text, secrets.Hide(text))
		}
	}
}

func TestHideForms(t *testing.T) {
	for text, want := range map[string]string{
		"401: Bearer abc.d-e~f+g/h== expired":    "401: Bearer *** expired",
		"got bearer abc":                         "got bearer ***",
		"forbearer abc, the bearers abc":         "forbearer abc, the bearers abc",
		"X-Auth: P Q":                            "X-Auth: ***",
		"db_pass: P":                             "db_pass: ***",
		"pwd: P":                                 "pwd: ***",
		"--- PASS: TestA":                        "--- PASS: TestA",
		"auth: failed":                           "auth: failed",
		"mysql --password P -e x":                "mysql --password *** -e x",
		"mysql --password 'P Q' -e x":            "mysql --password *** -e x",
		`mysql --password "P Q" -e x`:            "mysql --password *** -e x",
		"a --token --all --key {host} --pass -v": "a --token --all --key {host} --pass -v",
		"a --max-tokens 5":                       "a --max-tokens 5",
		"curl -u me:P h":                         "curl -u *** h",
		"curl -sSu 'me:P Q' h":                   "curl -sSu *** h",
		`curl --proxy-user="me:P Q" h`:           "curl --proxy-user=*** h",
		"curl -ume:P=Q h":                        "curl -u*** h",
		"x -url=http://h --user me":              "x -url=http://h --user me",
		"token == nil":                           "token == nil",
	} {
		require.Equal(t, want, secrets.Hide(text), text)
	}
}
