// Package history keeps what was measured, to be compared later.
package history

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
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

// ErrHistory is what every error of this package is.
var ErrHistory = errors.New("history")

// Most is how many entries are kept.
const Most = 200

// Dir returns where entries are: AMORSIZE_HISTORY, and else a directory of the
// user's state. It is empty if AMORSIZE_HISTORY is "off".
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

// Save keeps an entry. Where there is no place for it, it keeps none.
func Save(cmd, what string, data any) error {
	dir := Dir()
	if dir == "" {
		return nil
	}
	raw, err := json.Marshal(data)
	if err != nil {
		return err
	}
	host, _ := os.Hostname()
	now := time.Now()
	e := Entry{V: 1, ID: now.UTC().Format("20060102-150405.000"), At: now, Cmd: cmd, What: what, Host: host, Data: raw}
	e.ID = strings.Replace(e.ID, ".", "-", 1)
	text, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("%w: %w", ErrHistory, err)
	}
	if err := os.WriteFile(filepath.Join(dir, e.ID+".json"), text, 0o600); err != nil {
		return fmt.Errorf("%w: %w", ErrHistory, err)
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

func list(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
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
	slices.Sort(names) // by time, as their names begin with it
	return names, nil
}

// List returns all entries, the oldest first. Files that are none are left out.
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

// Find returns the entry of an id, of its beginning if only one has that, or, for
// -1, -2, …, the latest, the one before, ….
func Find(id string) (Entry, error) {
	all, err := List()
	if err != nil {
		return Entry{}, err
	}
	var back int
	if n, err := fmt.Sscanf(id, "-%d", &back); n == 1 && err == nil && back >= 1 && back <= len(all) {
		return all[len(all)-back], nil
	}
	var found []Entry
	for _, e := range all {
		if strings.HasPrefix(e.ID, id) {
			found = append(found, e)
		}
	}
	switch len(found) {
	case 0:
		return Entry{}, fmt.Errorf("%w: no entry %q; amorsize history list tells which there are", ErrHistory, id)
	case 1:
		return found[0], nil
	}
	return Entry{}, fmt.Errorf("%w: %d entries begin with %q; write more of it", ErrHistory, len(found), id)
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
