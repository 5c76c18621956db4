package transport

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"
)

// mostOfDelay is how many bytes of a body are searched for a delay.
const mostOfDelay = 64 << 10

// JSONDelay returns the delay in a JSON body, for a [Config].Judge. path has the names of the
// nested members with dots between them, such as "retry_after" (Discord) or
// "error.details.retryDelay" (Google); in a list, the first element that has the rest of the
// path counts. A number is in seconds; a string is a number or a duration ("30s"). The result
// is false if there is no delay, or the body is not JSON. The first 64 KiB of the body are
// read, and put back.
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
	after, ok := delayIn(value, strings.Split(path, "."))
	if !ok {
		return 0, false
	}
	return after, true
}

// putBack is a body of which a part was read and put back.
type putBack struct {
	io.Reader
	io.Closer
}

// failing is the rest of a body whose reading failed.
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
