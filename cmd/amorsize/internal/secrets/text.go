package secrets

import "regexp"

// Hidden replaces what is not shown.
const Hidden = "***"

// Names that look like a credential's: they end in one of some words, or have a short one as a whole word.
// "author", "path" and "passes" have none of those. A flag in the plural, --max-tokens, mostly takes a number, and
// "PASS: Test" and "auth: failed" are messages: before a colon some words need another one before them.
const (
	whole   = `(?:pwd|pass|pw|auth|bearer|jwt|session|sid|pat|pin)`
	session = `sess(?:ion)?[_-]?id`
	ending  = `[\w.-]*(?:key|token|secret|signature|\bsig|passw(?:or)?d|passphrase|credential|authorization|cookie|` + session + `)s?`
	named   = `(?:` + ending + `|(?:[\w.-]*[_.-])?` + whole + `)`
	header  = `(?:` + ending + `|[\w.-]*[_-]` + whole + `|pwd|pw|jwt|sid)`
	flag    = `--?(?:[\w.-]*(?:key|token|secrets?|signature|passw(?:or)?d|passphrase|credentials?|authorization|cookie|` + session +
		`)|(?:[\w.-]*[_.-])?(?:sig|` + whole + `))`
	quoted = `"[^"\n]*"|'[^'\n]*'|`
)

// Possible credentials anywhere in a text: the user and the password of a URL, and values of flags, headers,
// parameters and JSON members whose names look like credentials.
var (
	inURL    = regexp.MustCompile(`(://)[^/?#\s]+@`)
	inQuery  = regexp.MustCompile(`(?i)((?:^|[?&;=\s"'{(\[,:])` + named + `(?:=|[ \t]+=[ \t]+))(?:` + quoted + `[^&#;\s"']+)`)
	inJSON   = regexp.MustCompile(`(?i)(["']` + named + `["']\s*:\s*)("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s,}\]]+)`)
	inHeader = regexp.MustCompile(`(?i)\b(` + header + `\s*:[ \t]*)[^"'\s][^\n"']*`)
	inFlag   = regexp.MustCompile(`(?i)((?:^|[\s"'])` + flag + `[ \t]+)(?:` + quoted + `[^\s"'{-][^\s"']*)`)
	inUser   = regexp.MustCompile(`((?:^|[\s"'])(?:` + short + `[uU]|--(?:proxy-)?user)[ \t=]*)(?:"[^":\n=]*:[^"\n]*"|'[^':\n=]*:[^'\n]*'|[^\s"':=]*:[^\s"']+)`)
	bearer   = regexp.MustCompile(`\b((?:Bearer|bearer|BEARER)[ \t]+)[\w.~+/-]+=*`)
)

// Hide returns text without possible credentials: for reports, plans, summaries and the history. The log keeps
// them, since a run is resumed from it; only its owner can read it.
func Hide(text string) string {
	text = inURL.ReplaceAllString(text, "${1}"+Hidden+"@")
	text = inQuery.ReplaceAllString(text, "${1}"+Hidden)
	text = inJSON.ReplaceAllString(text, "${1}\""+Hidden+"\"")
	for _, form := range []*regexp.Regexp{inHeader, inFlag, inUser, bearer} {
		text = form.ReplaceAllString(text, "${1}"+Hidden)
	}
	return text
}
