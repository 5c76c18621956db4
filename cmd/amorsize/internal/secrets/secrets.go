package secrets

import (
	"encoding/csv"
	"net/http"
	"strings"
)

// Flag returns the value of a flag without possible credentials. Of headers it keeps those that hold no secret, of
// cookies and of the environment the names. A flag that is given several times has its values as pflag writes a
// list, in brackets.
func Flag(name, value string) string {
	if name == "cookie" {
		return Cookies(value)
	}
	if name != "header-line" && name != "env" {
		return Hide(value)
	}
	lines, err := csv.NewReader(strings.NewReader(strings.TrimSuffix(strings.TrimPrefix(value, "["), "]"))).Read()
	if err != nil {
		return Hidden
	}
	for i, line := range lines {
		if key, _, set := strings.Cut(line, "="); name == "env" && set {
			lines[i] = key + "=" + Hidden
		}
		if header, _, _ := strings.Cut(line, ":"); name == "header-line" && !HarmlessHeader(header) {
			lines[i] = header + ": " + Hidden
		}
	}
	return strings.Join(lines, ", ")
}

// Setting returns a flag as it is written, --name=value or -Xvalue, without possible credentials. Some flags of ours
// have names that only look like a credential's.
func Setting(flag string) string {
	name, value, set := strings.Cut(flag, "=")
	if set {
		switch name {
		case "--cookie", "--header-line", "--env", "--key", "--idempotency-key", "--rate-tokens", "--keep-cookies":
			return name + "=" + Flag(strings.TrimPrefix(name, "--"), value)
		}
	}
	return joined(flag)
}

// Cookies returns only the names of cookies.
func Cookies(text string) string {
	parts := strings.Split(text, ";")
	for i, part := range parts {
		name, _, _ := strings.Cut(part, "=")
		parts[i] = name + "=" + Hidden
	}
	return strings.Join(parts, ";")
}

// HarmlessHeader reports whether a header may be shown, and may be sent to the target of a redirect: it says what
// is wanted, not who wants it. The names of headers don't show which ones are secret.
func HarmlessHeader(name string) bool {
	switch http.CanonicalHeaderKey(strings.TrimSpace(name)) {
	case "Accept", "Accept-Encoding", "Accept-Language", "Cache-Control", "Content-Type", "Range", "User-Agent",
		"If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range", "Prefer":
		return true
	}
	return false
}
