package transport_test

import (
	"net/http"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/circuitbreaker"
	"github.com/amorsize/amorsize/ratelimit"
	"github.com/amorsize/amorsize/transport"
)

func TestHost(t *testing.T) {
	for in, want := range map[string]string{
		"http://example.com":              "example.com",
		"http://Example.COM:80/":          "example.com",
		"HTTP://example.com.:80":          "example.com",
		"https://example.com.:443/a?b":    "example.com",
		"https://example.com:80":          "example.com:80",
		"http://example.com:8080":         "example.com:8080",
		"http://example.com:":             "example.com",
		"http://user:secret@example.com":  "example.com",
		"http://127.0.0.1:80":             "127.0.0.1",
		"http://[::1]:80":                 "[::1]",
		"http://[2001:DB8:0:0::1]:8080":   "[2001:db8::1]:8080",
		"http://[fe80::1%25eth0]":         "[fe80::1%eth0]",
		"http://BÜCHER.example":           "xn--bcher-kva.example",
		"http://xn--bcher-kva.example":    "xn--bcher-kva.example",
		"http://例え.テスト":                   "xn--r8jz45g.xn--zckzah",
		"http://правительство.рф":         "xn--80aealotwbjpid2k.xn--p1ai",
		"http://münchen-ost.example":      "xn--mnchen-ost-9db.example",
		"http://faß.example":              "xn--fa-hia.example",
		"http://" + "\U0001F4A9" + ".la/": "xn--ls8h.la",
		"file:///etc/hosts":               "",
		// Of RFC 3492, 7.1.
		"http://他们为什么不说中文":                    "xn--ihqwcrb4cv8a8dqg056pqjye",
		"http://他們爲什麽不說中文":                    "xn--ihqwctvzc91f659drss3x8bo0yb",
		"http://pročprostěnemluvíčesky":       "xn--proprostnemluvesky-uyb24dma41a",
		"http://почемужеонинеговорятпорусски": "xn--b1abfaaepdrnnbgefbadotcwatmq2g4l",
		"http://3年b組金八先生":                     "xn--3b-ww4c5e180e575a65lsy2b",
		"http://安室奈美恵-with-super-monkeys":     "xn---with-super-monkeys-pc58ag80a8qai00g7n9n",
		"http://ひとつ屋根の下2":                     "xn--2-u9tlzr9756bt3uc0v",
		"http://そのスピードで":                      "xn--d9juau41awczczp",
	} {
		u, err := url.Parse(in)
		require.NoError(t, err)
		assert.Equal(t, want, transport.Host(u), in)
	}
}

// However a host is spelled, it has one limiter and one breaker.
func TestSpellingsAreOneHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &answers{status: []int{500}}
		told := map[string]int{}
		rt := transport.MustNew(transport.Config{
			Base:      a,
			PerHost:   ratelimit.MustNewKeyed[string](ratelimit.Policy{RequestsPerSecond: 1, BurstSize: 1}, 0),
			Breaker:   &circuitbreaker.Policy{FailureThreshold: 4},
			OnBreaker: func(host string, _ circuitbreaker.State) { told[host]++ },
		})
		start := time.Now()
		for _, host := range []string{"example.com", "Example.COM", "example.com:80", "example.com."} {
			resp, err := rt.RoundTrip(request(t, host))
			require.NoError(t, err)
			require.Equal(t, http.StatusInternalServerError, resp.StatusCode)
		}
		assert.Equal(t, 3*time.Second, time.Since(start))
		_, err := rt.RoundTrip(request(t, "EXAMPLE.com"))
		require.ErrorIs(t, err, circuitbreaker.ErrOpen)
		assert.Equal(t, map[string]int{"example.com": 1}, told)
	})
}
