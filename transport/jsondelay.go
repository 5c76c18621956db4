package transport

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"
)

// mostOfDelay is how many bytes of a body are looked through for a delay.
const mostOfDelay = 64 << 10

// JSONDelay returns the delay that a JSON body names, for a [Config].Judge: path are the
// names of its members from the outside in, with dots between them, and of a list the first
// element counts that has the rest, as "retry_after" (Discord) or "error.details.retryDelay"
// (Google). A number is seconds, a string a number or a duration ("30s"). It is false if
// there is none, or the body is no JSON. The first 64 KiB of the body are read, and put back.
func JSONDelay(resp *http.Response, path string) (time.Duration, bool) {
	if resp.Body == nil {
		return 0, false
	}
	start, err := io.ReadAll(io.LimitReader(resp.Body, mostOfDelay))
	rest := io.Reader(resp.Body)
	if err != nil {
		rest = failing{err}
	}
	resp.Body = &putBack{io.MultiReader(bytes.NewReader(start), rest), resp.Body}
	var value any
	if json.Unmarshal(start, &value) != nil {
		return 0, false
	}
	return delayIn(value, strings.Split(path, "."))
}

// putBack is a body of which a part was read.
type putBack struct {
	io.Reader
	io.Closer
}

// failing is what is left of a body that has broken off.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func delayIn(value any, path []string) (time.Duration, bool) {
	switch v := value.(type) {
	case []any:
		for _, element := range v {
			if d, ok := delayIn(element, path); ok {
				return d, true
			}
		}
	case map[string]any:
		if len(path) > 0 {
			return delayIn(v[path[0]], path[1:])
		}
	case float64:
		return time.Duration(v * 1e9), len(path) == 0 && v >= 0 && v <= longest.Seconds()
	case string:
		if s, ok := number(v, longest.Seconds()); ok {
			return time.Duration(s * 1e9), len(path) == 0
		}
		d, ok := duration(v)
		return d, ok && len(path) == 0
	}
	return 0, false
}
