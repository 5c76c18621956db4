package cli

import (
	"encoding/csv"
	"net/http"
	"strings"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/summary"
	"github.com/amorsize/amorsize/transport"
)

// shownFlag returns the value of a flag as a report shows it: of headers their names,
// unless they are of those that hold no secret, and of cookies and the environment the
// names.
func shownFlag(name, value string) string {
	if name == "cookie" {
		return shownCookies(value)
	}
	if name != "header-line" && name != "env" {
		return summary.WithoutSecrets(value)
	}
	// As pflag writes a list of texts.
	lines, err := csv.NewReader(strings.NewReader(strings.TrimSuffix(strings.TrimPrefix(value, "["), "]"))).Read()
	if err != nil {
		return summary.Hidden
	}
	for i, line := range lines {
		if key, _, set := strings.Cut(line, "="); name == "env" && set {
			lines[i] = key + "=" + summary.Hidden
		}
		if header, _, _ := strings.Cut(line, ":"); name == "header-line" && !harmless(header) {
			lines[i] = header + ": " + summary.Hidden
		}
	}
	return strings.Join(lines, ", ")
}

// shownArgs returns the arguments of a command as a report shows them: without the value
// of a header that may be secret, and without what follows -u, by which curl and others
// take a user and a password.
func shownArgs(args []string) []string {
	shown := make([]string, len(args))
	for i, arg := range args {
		shown[i] = summary.WithoutSecrets(arg)
		switch before := args[max(0, i-1)]; {
		case i == 0:
		case before == "-u" || before == "--user":
			shown[i] = summary.Hidden
		case before == "-H" || before == "--header":
			if header, _, ok := strings.Cut(arg, ":"); ok && !harmless(header) {
				shown[i] = header + ": " + summary.Hidden
			}
		}
	}
	return shown
}

// harmless reports whether a header may be shown, and be sent to whomever a server
// redirects to: it says what is wanted, not who wants it. Which headers are secret can't
// be told by their names.
func harmless(header string) bool {
	switch http.CanonicalHeaderKey(strings.TrimSpace(header)) {
	case "Accept", "Accept-Encoding", "Accept-Language", "Cache-Control", "Content-Type", "Range", "User-Agent",
		"If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range", "Prefer":
		return true
	}
	return false
}

// mostRedirects are followed, as many as net/http follows.
const mostRedirects = 10

// redirect decides on a redirect, and takes away what the server at another origin
// (scheme, host and port) must not get.
func redirect(req *http.Request, via []*http.Request) error {
	if len(via) >= mostRedirects {
		return http.ErrUseLastResponse
	}
	from, to := via[0].URL, req.URL
	if from.Scheme == to.Scheme && transport.Host(from) == transport.Host(to) {
		return nil
	}
	for name := range req.Header {
		if !harmless(name) {
			req.Header.Del(name)
		}
	}
	return nil
}
