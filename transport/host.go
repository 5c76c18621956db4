package transport

import (
	"net/netip"
	"net/url"
	"strings"
	"unicode/utf8"
)

// Host returns the key for the limiter and the breaker of a URL's host: the same for all
// spellings. It is in lower case, in ASCII (RFC 3492), without the root's dot, and
// without the scheme's default port. An IPv6 address is in brackets and in its shortest
// form (RFC 5952).
func Host(u *url.URL) string {
	host, port := u.Hostname(), u.Port()
	if address, err := netip.ParseAddr(host); err == nil {
		host = address.String()
		if address.Is6() {
			host = "[" + host + "]"
		}
	} else {
		host = ascii(strings.TrimSuffix(strings.ToLower(host), "."))
	}
	scheme := strings.ToLower(u.Scheme)
	if port == "" || scheme == "http" && port == "80" || scheme == "https" && port == "443" {
		return host
	}
	return host + ":" + port
}

// ascii returns a host name, whose labels may be in any script, in the form used by the
// DNS.
func ascii(host string) string {
	if !utf8.ValidString(host) || isASCII(host) {
		return host
	}
	labels := strings.Split(host, ".")
	for i, label := range labels {
		if !isASCII(label) {
			labels[i] = "xn--" + punycode([]rune(label))
		}
	}
	return strings.Join(labels, ".")
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// The parameters of punycode (RFC 3492, section 5).
const (
	base, tMin, tMax         = 36, 1, 26
	skew, damp               = 38, 700
	initialBias, initialRune = 72, 0x80
	digits                   = "abcdefghijklmnopqrstuvwxyz0123456789"
)

// punycode encodes a label (RFC 3492, section 6.3): its ASCII characters, and then the
// distance to each other rune, in order.
func punycode(label []rune) string {
	var out strings.Builder
	for _, r := range label {
		if r < initialRune {
			out.WriteRune(r)
		}
	}
	handled := out.Len()
	basic := handled
	if basic > 0 {
		out.WriteByte('-')
	}
	n, delta, bias := rune(initialRune), 0, initialBias
	for ; handled < len(label); n++ {
		next := rune(utf8.MaxRune)
		for _, r := range label {
			if r >= n {
				next = min(next, r)
			}
		}
		delta += int(next-n) * (handled + 1)
		n = next
		for _, r := range label {
			if r < n {
				delta++
			}
			if r == n {
				writeDelta(&out, delta, bias)
				bias = adapt(delta, handled+1, handled == basic)
				delta = 0
				handled++
			}
		}
		delta++
	}
	return out.String()
}

// writeDelta writes a number with digits of thresholds that follow the bias.
func writeDelta(out *strings.Builder, delta, bias int) {
	for k := base; ; k += base {
		t := min(max(k-bias, tMin), tMax)
		if delta < t {
			out.WriteByte(digits[delta])
			return
		}
		out.WriteByte(digits[t+(delta-t)%(base-t)])
		delta = (delta - t) / (base - t)
	}
}

// adapt returns the bias after a delta (RFC 3492, section 6.1).
func adapt(delta, runes int, first bool) int {
	if first {
		delta /= damp
	} else {
		delta /= 2
	}
	delta += delta / runes
	k := 0
	for ; delta > (base-tMin)*tMax/2; k += base {
		delta /= base - tMin
	}
	return k + (base-tMin+1)*delta/(delta+skew)
}
