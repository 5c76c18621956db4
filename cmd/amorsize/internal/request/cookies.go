package request

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
)

// cookie is one of --cookie, as it is sent.
type cookie struct{ name, text string }

// parseCookies reads name=value; name=value. The error does not contain the values.
func parseCookies(text string) (list []cookie, err error) {
	if text == "" {
		return nil, nil
	}
	if _, err := http.ParseCookie(text); err != nil {
		return nil, exit.Usagef("--cookie: %w; must be 'name=value; name=value'", err)
	}
	for part := range strings.SplitSeq(text, ";") {
		part = strings.TrimSpace(part)
		name, _, _ := strings.Cut(part, "=")
		list = append(list, cookie{name, part})
	}
	return list, nil
}

// setCookies sets the given cookies, except those that the server has set since, which the client adds.
func (r *Runner) setCookies(req *http.Request) {
	kept := map[string]bool{}
	if r.client.Jar != nil {
		for _, c := range r.client.Jar.Cookies(req.URL) {
			kept[c.Name] = true
		}
	}
	var list []string
	for _, c := range r.cookies {
		if !kept[c.name] {
			list = append(list, c.text)
		}
	}
	if len(list) > 0 {
		req.Header.Set("Cookie", strings.Join(list, "; "))
	}
}

// jar keeps the cookies of a run. A cookie goes back only to the host that has set it, whatever domain it names. A
// long list (publicsuffix.org) says which domains belong together; without it, one customer of a provider could
// set another's cookies.
type jar struct{ *cookiejar.Jar }

func newJar() (jar, error) {
	j, err := cookiejar.New(nil)
	return jar{j}, err
}

// SetCookies keeps the cookies of a response from u.
func (j jar) SetCookies(u *url.URL, cookies []*http.Cookie) {
	own := make([]*http.Cookie, len(cookies))
	for i, c := range cookies {
		of := *c //nolint:gosec // a server's, kept as it set it
		of.Domain = ""
		own[i] = &of
	}
	j.Jar.SetCookies(u, own)
}
