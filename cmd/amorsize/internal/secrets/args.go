package secrets

import (
	"regexp"
	"strings"
)

// short begins a flag of one letter that may stand behind some of curl's that take no value, as in -sSu me:password.
const short = `-[0fgijknqsvGIJLNORS]*`

var (
	headerFlag  = regexp.MustCompile(`^(?:` + short + `H|--(?:proxy-)?header(?:-line)?)$`)
	cookieFlag  = regexp.MustCompile(`^(?:` + short + `b|--cookie)$`)
	userFlag    = regexp.MustCompile(`^(?:` + short + `u|--(?:proxy-)?user)$`)
	proxyFlag   = regexp.MustCompile(`^` + short + `U$`)
	secretFlag  = regexp.MustCompile(`(?i)^` + flag + `$`)
	joinedFlag  = regexp.MustCompile(`(?s)^(` + short + `[HuU])(.+)$`)
	joinedUser  = regexp.MustCompile(`^[^:=]*:`)
	nextFlag    = regexp.MustCompile(`^(?:-.?$|--)`)
	placeholder = regexp.MustCompile(`^\{[^{}]*\}$`)
)

// Args returns the arguments of a command without the values of headers that may be secret, of cookies, of flags
// whose names look like a credential's, and of -u, with which curl and others take a user and a password. A value
// may be an argument of its own or a part of the flag's.
func Args(args []string) []string {
	shown := make([]string, len(args))
	for i, arg := range args {
		shown[i] = joined(arg)
		if i == 0 || nextFlag.MatchString(arg) || placeholder.MatchString(arg) {
			continue
		}
		if value, hidden := valueOf(args[i-1], arg); hidden {
			shown[i] = value
		}
	}
	return shown
}

// joined returns an argument without possible credentials: --name=value, -uvalue and -Hvalue, or any text.
func joined(arg string) string {
	if name, value, ok := strings.Cut(arg, "="); ok {
		if value, hidden := valueOf(name, value); hidden {
			return name + "=" + value
		}
	}
	parts := joinedFlag.FindStringSubmatch(arg)
	if parts == nil {
		return Hide(arg)
	}
	// -url=http://host is another flag.
	if headerFlag.MatchString(parts[1]) || joinedUser.MatchString(parts[2]) {
		if value, hidden := valueOf(parts[1], parts[2]); hidden {
			return parts[1] + value
		}
	}
	return Hide(arg)
}

// valueOf returns what is shown of a flag's value, and whether anything of it is hidden for the flag's sake.
func valueOf(flag, value string) (shown string, hidden bool) {
	switch {
	case headerFlag.MatchString(flag):
		name, _, ok := strings.Cut(value, ":")
		return name + ": " + Hidden, ok && !HarmlessHeader(name)
	case cookieFlag.MatchString(flag) && strings.Contains(value, "="):
		return Cookies(value), true
	case proxyFlag.MatchString(flag):
		return Hidden, strings.Contains(value, ":") // without one it is a name, as psql takes it
	}
	return Hidden, userFlag.MatchString(flag) || secretFlag.MatchString(flag)
}
