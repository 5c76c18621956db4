package cli

import (
	"encoding/csv"
	"net/http"
	"regexp"
	"strings"

	"github.com/amorsize/amorsize/transport"
)

// hidden stands for what is not shown.
const hidden = "***"

// inURL is the user and the password of a URL, wherever it stands in a text.
var inURL = regexp.MustCompile(`(://[^/?#\s:@]*:)[^/?#\s@]+@`)

// withoutSecrets returns text without the passwords of URLs in it: for reports, plans,
// summaries and the history. The log keeps them, since a run is resumed from it; nobody
// but its owner can read it.
func withoutSecrets(text string) string { return inURL.ReplaceAllString(text, "${1}"+hidden+"@") }

// shownFlag returns the value of a flag as a report shows it: of headers their names,
// unless they are of those that hold no secret.
func shownFlag(name, value string) string {
	if name != "header-line" {
		return withoutSecrets(value)
	}
	// As pflag writes a list of texts.
	lines, err := csv.NewReader(strings.NewReader(strings.TrimSuffix(strings.TrimPrefix(value, "["), "]"))).Read()
	if err != nil {
		return hidden
	}
	for i, line := range lines {
		if header, _, _ := strings.Cut(line, ":"); !harmless(header) {
			lines[i] = header + ": " + hidden
		}
	}
	return strings.Join(lines, ", ")
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
