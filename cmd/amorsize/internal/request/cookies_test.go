package request

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestJar: a cookie goes back to the host that has set it, whatever domain it names.
func TestJar(t *testing.T) {
	j, err := newJar()
	require.NoError(t, err)
	at := func(text string) *url.URL {
		u, err := url.Parse(text)
		require.NoError(t, err)
		return u
	}
	set := []*http.Cookie{
		{Name: "own", Value: "1"}, {Name: "parent", Value: "2", Domain: "co.uk"}, {Name: "other", Value: "3", Domain: "b.example"},
		{Name: "secure", Value: "4", Secure: true}, {Name: "deep", Value: "5", Path: "/deep"},
	}
	j.SetCookies(at("https://www.a.co.uk/"), set)
	require.Equal(t, "co.uk", set[1].Domain, "what was given is left as it is")
	names := func(text string) (list []string) {
		for _, c := range j.Cookies(at(text)) {
			list = append(list, c.Name)
		}
		return list
	}
	require.ElementsMatch(t, []string{"own", "parent", "other", "secure", "deep"}, names("https://www.a.co.uk/deep/er"))
	require.ElementsMatch(t, []string{"own", "parent", "other"}, names("http://www.a.co.uk/"))
	for _, other := range []string{"https://a.co.uk/", "https://b.co.uk/", "https://x.www.a.co.uk/", "https://b.example/"} {
		require.Empty(t, names(other), other)
	}
}

func TestParseCookies(t *testing.T) {
	for text, want := range map[string][]cookie{
		"":                  nil,
		"a=b":               {{"a", "a=b"}},
		` a=b ;c="d e"; e=`: {{"a", "a=b"}, {"c", `c="d e"`}, {"e", "e="}},
	} {
		list, err := parseCookies(text)
		require.NoError(t, err, text)
		require.Equal(t, want, list, text)
	}
	for _, text := range []string{"secret", "a=b;", "=secret", "a=sec\nret", "a=sec\"ret", "a=sec\x7fret", ";"} {
		_, err := parseCookies(text)
		require.ErrorContains(t, err, "--cookie: http: ", "%q", text)
		require.NotContains(t, err.Error(), "sec", "%q", text)
	}
}
