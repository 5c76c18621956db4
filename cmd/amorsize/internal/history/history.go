// Package history keeps measurements, to be compared later.
package history

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Entry is a run, a profile or a scaling table.
type Entry struct {
	V    int             `json:"v"`
	ID   string          `json:"id"`
	At   time.Time       `json:"at"`
	Cmd  string          `json:"cmd"`
	What string          `json:"what"` // the command, or the function
	Host string          `json:"host"`
	Data json.RawMessage `json:"data"`
}

// ErrHistory is wrapped by every error of this package.
var ErrHistory = errors.New("history")

// Most is how many entries are kept.
const Most = 200

// Dir returns the directory of entries: AMORSIZE_HISTORY, or else a directory of the user's state. It is empty if
// AMORSIZE_HISTORY is "off".
func Dir() string {
	if dir := os.Getenv("AMORSIZE_HISTORY"); dir != "" {
		if dir == "off" {
			return ""
		}
		return dir
	}
	state := os.Getenv("XDG_STATE_HOME")
	if state == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return ""
		}
		state = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(state, "amorsize", "history")
}

// Save keeps an entry. If there is no directory for it, it does nothing.
func Save(cmd, what string, data any) error {
	dir := Dir()
	if dir == "" {
		return nil
	}
	raw, err := json.Marshal(data)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("%w: %w", ErrHistory, err)
	}
	host, _ := os.Hostname()
	e := Entry{V: 1, At: time.Now(), Cmd: cmd, What: what, Host: host, Data: raw}
	if err := write(dir, e); err != nil {
		return err
	}
	names, err := list(dir)
	if err != nil {
		return err
	}
	for _, old := range names[:max(0, len(names)-Most)] {
		_ = os.Remove(filepath.Join(dir, old))
	}
	return nil
}

// write writes an entry into its own file, named by the first millisecond from its time on that no other entry
// has: runs may end at the same time.
func write(dir string, e Entry) error {
	for at := e.At.UTC(); ; at = at.Add(time.Millisecond) {
		e.ID = strings.Replace(at.Format("20060102-150405.000"), ".", "-", 1)
		text, err := json.Marshal(e)
		if err != nil {
			return err
		}
		f, err := os.OpenFile(filepath.Join(dir, e.ID+".json"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, os.ErrExist) {
			continue
		}
		if err == nil {
			_, err = f.Write(text)
			err = errors.Join(err, f.Close())
		}
		if err != nil {
			return fmt.Errorf("%w: %w", ErrHistory, err)
		}
		return nil
	}
}

// list returns the names of the files that may be entries, the oldest first.
func list(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir) // in the order of their names: by time
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrHistory, err)
	}
	var names []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".json") {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// List returns all entries, the oldest first. Other files are skipped.
func List() ([]Entry, error) {
	dir := Dir()
	if dir == "" {
		return nil, nil
	}
	names, err := list(dir)
	if err != nil {
		return nil, err
	}
	var all []Entry
	for _, name := range names {
		raw, err := os.ReadFile(filepath.Join(dir, name))
		var e Entry
		if err == nil && json.Unmarshal(raw, &e) == nil && e.ID != "" {
			all = append(all, e)
		}
	}
	return all, nil
}

// Find returns the entry of an id, or of a unique beginning of one. For -1, -2, … it returns the latest, the one
// before, ….
func Find(id string) (Entry, error) {
	all, err := List()
	if err != nil {
		return Entry{}, err
	}
	if back, err := strconv.Atoi(id); err == nil && back <= -1 && -back <= len(all) {
		return all[len(all)+back], nil
	}
	var found []Entry
	for _, e := range all {
		if strings.HasPrefix(e.ID, id) {
			found = append(found, e)
		}
	}
	switch len(found) {
	case 0:
		return Entry{}, fmt.Errorf("%w: no entry %q; amorsize history list shows all entries", ErrHistory, id)
	case 1:
		return found[0], nil
	}
	return Entry{}, fmt.Errorf("%w: %d entries begin with %q; give more of the id", ErrHistory, len(found), id)
}

// Remove removes an entry.
func Remove(id string) error {
	e, err := Find(id)
	if err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(Dir(), e.ID+".json")); err != nil {
		return fmt.Errorf("%w: %w", ErrHistory, err)
	}
	return nil
}
