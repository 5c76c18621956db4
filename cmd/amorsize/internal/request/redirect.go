package request

import (
	"net/http"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/secrets"
	"github.com/amorsize/amorsize/transport"
)

// mostRedirects is how many redirects are followed, as in net/http.
const mostRedirects = 10

// redirect decides on a redirect, and removes what the server at another origin (scheme, host and port) must not
// get.
func redirect(req *http.Request, via []*http.Request) error {
	if len(via) >= mostRedirects {
		return http.ErrUseLastResponse
	}
	from, to := via[0].URL, req.URL
	if from.Scheme == to.Scheme && transport.Host(from) == transport.Host(to) {
		return nil
	}
	for name := range req.Header {
		if !secrets.HarmlessHeader(name) {
			req.Header.Del(name)
		}
	}
	return nil
}
