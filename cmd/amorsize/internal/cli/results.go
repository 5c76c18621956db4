package cli

import (
	"crypto/sha256"
	"encoding/hex"
	"hash/maphash"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/template"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/ui"
)

// resultNames gives each item a file of its own. Where what an item has can't be a
// part of a name, a hash of it is added; where a name repeats, the number of the
// item. Items claim their names in the order of the input, so that they are the
// same when a run is continued. It is safe for concurrent use.
type resultNames struct {
	term     *ui.Terminal
	template template.Template

	mu      sync.Mutex
	seed    maphash.Seed
	taken   map[uint64]struct{} // hashes of names
	numbers map[int]struct{}    // of items whose name repeats another's
	told    bool
}

func newResultNames(term *ui.Terminal, text string, scope template.Scope) (*resultNames, error) {
	t, err := template.Parse(text, scope)
	if err == nil && t.Constant() {
		if err := os.MkdirAll(text, 0o755); err != nil {
			return nil, usagef("--results: %w", err)
		}
		t, err = template.Parse(filepath.Join(text, "{#}.out"), scope)
	}
	if err != nil {
		return nil, usage(err)
	}
	return &resultNames{
		term: term, template: t, seed: maphash.MakeSeed(), taken: map[uint64]struct{}{}, numbers: map[int]struct{}{},
	}, nil
}

// claim keeps the item's name for it.
func (r *resultNames) claim(it items.Item) {
	name, err := r.plain(it)
	if err != nil {
		return // the item fails by the same
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.take(name) {
		return
	}
	r.numbers[it.N] = struct{}{}
	r.take(numbered(name, it.N))
	r.tell()
}

// take reports whether neither the name nor the one beside it was another's, also
// where capital letters make no difference.
func (r *resultNames) take(name string) bool {
	keys := [2]uint64{}
	for i, n := range []string{name, beside(name)} {
		keys[i] = maphash.String(r.seed, strings.ToLower(n))
		if _, taken := r.taken[keys[i]]; taken {
			return false
		}
	}
	r.taken[keys[0]], r.taken[keys[1]] = struct{}{}, struct{}{}
	return true
}

// of returns the name of the item's file.
func (r *resultNames) of(it items.Item) (string, error) {
	name, err := r.plain(it)
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, repeats := r.numbers[it.N]; repeats {
		name = numbered(name, it.N)
	}
	return name, err
}

// plain returns the name that no other item's matters for.
func (r *resultNames) plain(it items.Item) (string, error) {
	name, err := r.template.Expand(it, 0, func(text string) string {
		part := fileName(text)
		if part != text {
			r.mu.Lock()
			r.tell()
			r.mu.Unlock()
		}
		return part
	})
	dir, file := filepath.Split(name)
	if len(file) > longestName+20 {
		file = hashed(file, file)
	}
	return dir + file, err
}

func (r *resultNames) tell() {
	if !r.told {
		r.told = true
		r.term.Say("amorsize: --results: some names of files are not just what the items are: a hash is added where something was replaced, the item's number where a name repeats")
	}
}

// longestName is how many bytes a name may have without what is added to it.
const longestName = 200

// beside returns the name of the file for standard error.
func beside(name string) string { return strings.TrimSuffix(name, ".out") + ".err" }

// numbered puts an item's number into a name, before its extension.
func numbered(name string, n int) string {
	extension := filepath.Ext(name)
	return strings.TrimSuffix(name, extension) + "~" + strconv.Itoa(n) + extension
}

// added is what hashed and numbered add. A text that has it already gets a hash,
// so that its name is no other one's.
var added = regexp.MustCompile(`~[0-9a-f]`)

// fileName makes a text a part of a file's name: no directory, not empty, and
// another one for every text.
func fileName(text string) string {
	name := strings.Map(func(r rune) rune {
		if r == '/' || r == '\\' || r == 0 {
			return '_'
		}
		return r
	}, text)
	if strings.Trim(name, ".") == "" {
		name = "_" + name
	}
	if name == text && len(text) <= longestName && !added.MatchString(text) {
		return text
	}
	return hashed(name, text)
}

// hashed cuts a name, and adds a hash of what it stands for.
func hashed(name, text string) string {
	sum := sha256.Sum256([]byte(text))
	name = name[:min(len(name), longestName-20)]
	return strings.ToValidUTF8(name, "_") + "~" + hex.EncodeToString(sum[:8])
}
