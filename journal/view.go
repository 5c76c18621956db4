package journal

import (
	"errors"
	"os"
)

// View opens a journal for reading, whatever its run is, and even while another process
// writes to it: later records may or may not be visible. Nothing is changed: [Journal.Add],
// [Journal.Purge] and [Journal.Retry] fail. The caller must Close it.
func View(path string) (*Journal, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, &Error{path, err}
	}
	j := &Journal{path: path, opts: Options{}.normal()}
	var whole int64
	if j.real, err = realPath(path); err == nil {
		whole, err = j.read(file)
	}
	if err == nil && j.found.Runs == 0 && len(j.index.at) == 0 {
		err = ErrNotJournal
	}
	if err != nil {
		return nil, &Error{path, errors.Join(err, file.Close())}
	}
	j.opts.Run, j.opts.Codec = j.found.Header.Run, codecOf(j.found.Header.Codec)
	j.count()
	j.group = newGroup(viewed{file}, whole, &j.opts)
	j.viewed, j.err = true, errViewed
	return j, nil
}

// viewed is a read-only file.
type viewed struct{ *os.File }

var errViewed = errors.New("View opened it only for reading: use Open to write")

func (viewed) WriteAt([]byte, int64) (int, error) { return 0, errViewed }
func (viewed) Truncate(int64) error               { return nil }

// codecOf returns the codec of that name; if it is not one of this package, a codec that
// can't read results.
func codecOf(name string) Codec {
	switch name {
	case "", "json":
		return JSON
	case "gob":
		return Gob
	case "none":
		return None
	}
	return foreign(name)
}

// foreign is a codec of which only the name is known.
type foreign string

var errForeign = errors.New("the codec is not known here")

func (f foreign) Name() string              { return string(f) }
func (foreign) Marshal(any) ([]byte, error) { return nil, errForeign }
func (foreign) Unmarshal([]byte, any) error { return errForeign }
