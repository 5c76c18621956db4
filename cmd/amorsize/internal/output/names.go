package output

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/maphash"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/outfile"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/template"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/ui"
)

// Names gives each item its own file. If an item has text that can't be part of a name, a hash of it is added; if
// a name repeats, the number of the item is added. Items claim their names in the order in which they run. In a
// run that continues another one, the items keep the names in the log, whichever of them run again and in what
// order. It is safe for concurrent use.
type Names struct {
	term     *ui.Terminal
	template template.Template

	mu      sync.Mutex
	seed    maphash.Seed
	taken   map[uint64]uint64 // hashes of names, and of the items that have them
	failed  map[uint64]uint64 // those of the past whose items failed, and hashes of these items
	repeats map[int]int       // how often an item's number is added to its name
	told    bool

	reserved []outfile.Reserved
}

func newNames(term *ui.Terminal, text string, scope template.Scope) (*Names, error) {
	t, err := template.Parse(text, scope)
	if err == nil && t.Constant() {
		if err := os.MkdirAll(text, 0o755); err != nil {
			return nil, exit.Usagef("--results: %w", err)
		}
		t, err = template.Parse(filepath.Join(text, "{#}.out"), scope)
	}
	if err != nil {
		return nil, exit.Usage(err)
	}
	return &Names{
		term: term, template: t, seed: maphash.MakeSeed(),
		taken: map[uint64]uint64{}, failed: map[uint64]uint64{}, repeats: map[int]int{},
	}, nil
}

// Keep lets an item of the past, with its identity and its number, keep its file. The file of a failed item may
// also go to an identical item with another number: lines may have been added before it.
func (r *Names) Keep(id string, n int, file string, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, key := range r.keys(file) {
		if r.taken[key] = r.owner(id, n); ok {
			delete(r.failed, key)
		} else {
			r.failed[key] = r.owner(id, 0)
		}
	}
}

// Reserve makes Claim refuse files. It is called before the first claim.
func (r *Names) Reserve(files []outfile.Reserved) { r.reserved = files }

// Claim reserves a name for the item that is to run. It returns an error if the item's result would overwrite
// another file of the run.
func (r *Names) Claim(it items.Item) error {
	plain, err := r.plain(it)
	if err != nil {
		return nil //nolint:nilerr // the item fails with the same error
	}
	r.mu.Lock()
	times := r.choose(it, plain)
	r.mu.Unlock()
	name := numbered(plain, it.N, times)
	for _, file := range []string{name, beside(name)} {
		for _, other := range r.reserved {
			if other.Is(file) {
				return fmt.Errorf("--results: item %d would be written to %s, %s", it.N, file, other.What)
			}
		}
	}
	return nil
}

// choose gives the item its former name, else the first free one. It returns how often its number is added.
func (r *Names) choose(it items.Item, plain string) (times int) {
	id := it.Identity()
	owner, same := r.owner(id, it.N), r.owner(id, 0)
	const usual = 2 // so often at most is a number added, unless a name has one that is not its own
	for times := range usual + 1 {
		if name := numbered(plain, it.N, times); r.has(name, owner) {
			for _, key := range r.keys(name) {
				delete(r.failed, key)
			}
			return r.repeated(it.N, times)
		}
	}
	for !r.take(numbered(plain, it.N, times), owner, same) {
		times++
	}
	return r.repeated(it.N, times)
}

// repeated notes how often the item's number is added to its name.
func (r *Names) repeated(n, times int) int {
	if times > 0 {
		r.repeats[n] = times
		r.tell()
	}
	return times
}

func (r *Names) owner(id string, n int) uint64 {
	return maphash.String(r.seed, strconv.Itoa(n)+" "+id)
}

// keys identify a name and the name beside it, also where capital letters make no difference.
func (r *Names) keys(name string) [2]uint64 {
	return [2]uint64{maphash.String(r.seed, strings.ToLower(name)), maphash.String(r.seed, strings.ToLower(beside(name)))}
}

// has reports whether a name belongs to the owner.
func (r *Names) has(name string, owner uint64) bool {
	of, taken := r.taken[r.keys(name)[0]]
	return taken && of == owner
}

// take gives a name to the owner, and reports whether neither the name nor the one beside it belonged to another.
func (r *Names) take(name string, owner, same uint64) bool {
	keys := r.keys(name)
	for _, key := range keys {
		of, failed := r.failed[key]
		if _, taken := r.taken[key]; taken && (!failed || of != same) {
			return false
		}
	}
	for _, key := range keys {
		r.taken[key] = owner
		delete(r.failed, key)
	}
	return true
}

// of returns the name of the item's file.
func (r *Names) of(it items.Item) (string, error) {
	name, err := r.plain(it)
	r.mu.Lock()
	defer r.mu.Unlock()
	return numbered(name, it.N, r.repeats[it.N]), err
}

// plain returns the name regardless of other items.
func (r *Names) plain(it items.Item) (string, error) {
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

func (r *Names) tell() {
	if !r.told {
		r.told = true
		r.term.Say("amorsize: --results: some file names differ from their items: a hash is added where characters were replaced, the item's number where a name repeats")
	}
}

// longestName is how many bytes a name may have before additions.
const longestName = 200

// beside returns the name of the file for standard error.
func beside(name string) string { return strings.TrimSuffix(name, ".out") + ".err" }

// numbered inserts an item's number into a name times times, before its extension.
func numbered(name string, n, times int) string {
	extension := filepath.Ext(name)
	return strings.TrimSuffix(name, extension) + strings.Repeat("~"+strconv.Itoa(n), times) + extension
}

// added matches what hashed and numbered add. A text that contains it already gets a hash, so that its name
// differs from all others.
var added = regexp.MustCompile(`~[0-9a-f]`)

// fileName makes a text part of a file's name: not a directory, not empty, and different for every text.
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

// hashed shortens a name, and adds a hash of its text.
func hashed(name, text string) string {
	sum := sha256.Sum256([]byte(text))
	name = name[:min(len(name), longestName-20)]
	return strings.ToValidUTF8(name, "_") + "~" + hex.EncodeToString(sum[:8])
}
