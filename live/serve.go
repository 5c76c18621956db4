package live

import (
	"embed"
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"runtime"
	"runtime/metrics"
	"strconv"
	"strings"
	"time"
)

//go:embed assets
var assets embed.FS

// tick is how often updates are sent to viewers. beat is the time after which an empty message
// is sent instead, so that a lost connection is noticed.
const (
	tick = 500 * time.Millisecond
	beat = 15 * time.Second
	// slowest is how long a viewer may take to read one message.
	slowest = 10 * time.Second
)

// policyOfContent lets the page load only its own files, and forbids framing it.
const policyOfContent = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// ServeHTTP serves the page at a path that ends with a slash. Below it are the page's files,
// events (server-sent; with run=N that run in detail), and for scripts runs.json and
// run.json?run=N.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Security-Policy", policyOfContent)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cache-Control", "no-store")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		header.Set("Allow", "GET, HEAD")
		http.Error(w, "the page changes nothing", http.StatusMethodNotAllowed)
		return
	}
	name := path.Base(r.URL.Path)
	switch {
	case strings.HasSuffix(r.URL.Path, "/"):
		p.index(w)
	case name == "events":
		p.events(w, r)
	case name == "runs.json":
		p.runsJSON(w)
	case name == "run.json":
		p.runJSON(w, r)
	case name == "app.js" || name == "style.css" || name == "icon.svg":
		http.ServeFileFS(w, r, assets, "assets/"+name)
	default:
		http.NotFound(w, r)
	}
}

func (p *Page) index(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = page.Execute(w, p.opts) // the error can't be reported anywhere else
}

func (p *Page) runsJSON(w http.ResponseWriter) {
	all := []summary{}
	runs, _ := p.list()
	for _, r := range runs {
		all = append(all, r.summary())
	}
	writeJSON(w, all)
}

func (p *Page) runJSON(w http.ResponseWriter, r *http.Request) {
	one := p.chosen(r)
	if one == nil {
		http.NotFound(w, r)
		return
	}
	writeJSON(w, one.detail())
}

// chosen returns the run that a request names, nil if there is none.
func (p *Page) chosen(r *http.Request) *run {
	id, err := strconv.Atoi(r.URL.Query().Get("run"))
	if err != nil {
		return nil
	}
	return p.find(id)
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

// news is an update for a viewer.
type news struct {
	Runs    []summary `json:"runs"` // new or changed
	Gone    []int     `json:"gone"` // no longer kept
	Run     *detail   `json:"run,omitempty"`
	Process process   `json:"process"`
}

// process is what all runs share.
type process struct {
	HeapBytes  uint64 `json:"heap_bytes"`
	Goroutines int    `json:"goroutines"`
}

// viewer is the state of one viewer.
type viewer struct {
	page  *Page
	run   *run
	seen  map[int]int64 // by run, the version that was sent
	spoke time.Time

	dropped int // dropped runs at the latest check for gone ones
}

// events sends updates, every half second, until the viewer leaves.
func (p *Page) events(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodHead {
		w.Header().Set("Content-Type", "text/event-stream")
		return // otherwise it would never end
	}
	if !p.enter() {
		w.Header().Set("Retry-After", "5")
		http.Error(w, "too many look", http.StatusServiceUnavailable)
		return
	}
	defer p.leave()
	w.Header().Set("Content-Type", "text/event-stream")
	v := viewer{page: p, run: p.chosen(r), seen: map[int]int64{}}
	flush := http.NewResponseController(w)
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		text := v.next(time.Now())
		if text != "" {
			// This replaces the server's write timeout, which would end the stream. A viewer
			// that reads nothing is dropped.
			_ = flush.SetWriteDeadline(time.Now().Add(slowest))
			if _, err := fmt.Fprint(w, text); err != nil || flush.Flush() != nil {
				return
			}
		}
		select {
		case <-ticker.C:
		case <-r.Context().Done():
			return
		case <-p.closed:
			return
		}
	}
}

// next returns the message to send now, empty for none.
func (v *viewer) next(now time.Time) string {
	all, dropped := v.page.list()
	n := news{Runs: []summary{}, Gone: v.gone(all, dropped), Process: process{heapBytes(), runtime.NumGoroutine()}}
	for _, r := range all {
		version := r.version.Load() // read before the data, which may then be newer
		if v.seen[r.id] == version {
			continue
		}
		v.seen[r.id] = version
		n.Runs = append(n.Runs, r.summary())
		if r == v.run {
			d := r.detail()
			n.Run = &d
		}
	}
	if len(n.Runs) == 0 && len(n.Gone) == 0 && now.Sub(v.spoke) < beat {
		return ""
	}
	v.spoke = now
	raw, _ := json.Marshal(n) // it has numbers and texts only
	return "data: " + string(raw) + "\n\n"
}

// gone returns the runs that were sent and are no longer kept, and forgets them.
func (v *viewer) gone(all []*run, dropped int) []int {
	gone := []int{}
	if v.dropped == dropped {
		return gone
	}
	v.dropped = dropped
	kept := make(map[int]bool, len(all))
	for _, r := range all {
		kept[r.id] = true
	}
	for id := range v.seen {
		if !kept[id] {
			gone = append(gone, id)
			delete(v.seen, id)
		}
	}
	return gone
}

// heapBytes returns the size of the objects on the heap.
func heapBytes() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
