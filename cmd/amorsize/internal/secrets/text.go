package secrets

import "regexp"

// Hidden replaces what is not shown.
const Hidden = "***"

// Possible credentials anywhere in a text: the user and the password of a URL, and values of headers, parameters
// and JSON members whose names look like credentials.
var (
	inURL    = regexp.MustCompile(`(://)[^/?#\s]+@`)
	named    = `[\w.-]*(?:key|token|secret|signature|\bsig|passw(?:or)?d|passphrase|credential|authorization|cookie)s?`
	inQuery  = regexp.MustCompile(`(?i)((?:^|[?&;=\s"'])` + named + `=)[^&#;\s"']+`)
	inJSON   = regexp.MustCompile(`(?i)("` + named + `"\s*:\s*)("(?:[^"\\]|\\.)*"|[^\s,}\]]+)`)
	inHeader = regexp.MustCompile(`(?i)\b(` + named + `\s*:[ \t]*)[^"'\s][^\n"']*`)
)

// Hide returns text without possible credentials: for reports, plans, summaries and the history. The log keeps
// them, since a run is resumed from it; only its owner can read it.
func Hide(text string) string {
	text = inURL.ReplaceAllString(text, "${1}"+Hidden+"@")
	text = inQuery.ReplaceAllString(text, "${1}"+Hidden)
	text = inJSON.ReplaceAllString(text, "${1}\""+Hidden+"\"")
	return inHeader.ReplaceAllString(text, "${1}"+Hidden)
}
