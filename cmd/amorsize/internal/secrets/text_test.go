package secrets_test

import (
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
