package journal

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// compact rewrites the file without superseded records. The old file stays until the new one
// is on disk, and also if the new one can't be written or put in its place. It returns the
// resulting file.
func (j *Journal) compact(old *os.File) (*os.File, error) {
	info, err := old.Stat()
	if err != nil {
		return old, err
	}
	j.sweep(filepath.Dir(j.real), "."+filepath.Base(j.real)+"-", nil)
	temp, err := os.CreateTemp(filepath.Dir(j.real), "."+filepath.Base(j.real)+"-")
	if err != nil {
		return old, nil //nolint:nilerr // a directory that can't be written to
	}
	_ = temp.Chmod(info.Mode().Perm())
	w := bufio.NewWriter(temp)
	c := compaction{index: &j.index, w: w, brief: j.briefBefore(), spills: map[string]bool{}}
	_, err = Read(io.NewSectionReader(old, 0, j.end), c.take)
	if err = errors.Join(err, c.end(), w.Flush(), temp.Sync()); err != nil {
		_ = errors.Join(temp.Close(), os.Remove(temp.Name()))
		return old, nil //nolint:nilerr // the old one is as good
	}
	file, swapped, err := swap(old, temp, j.real)
	if err != nil || !swapped {
		return file, err
	}
	j.sweep(j.spillDir(), "", c.spills)
	before := j.found
	whole, err := j.read(file)
	if err = errors.Join(err, syncDir(filepath.Dir(j.real))); err != nil {
		return file, err
	}
	j.found = before
	j.found.Compacted = true
	j.group = newGroup(file, whole, &j.opts)
	return file, nil
}

// sweep removes the files of a directory whose names have the prefix, except the wanted ones:
// leftovers of a crash, and superseded results. No other process writes to the journal.
func (j *Journal) sweep(dir, prefix string, wanted map[string]bool) {
	files, _ := os.ReadDir(dir) // without files there is nothing to remove
	for _, f := range files {
		if strings.HasPrefix(f.Name(), prefix) && !wanted[f.Name()] {
			_ = os.Remove(filepath.Join(dir, f.Name())) // the next sweep tries again
		}
	}
}

// briefBefore returns the place before which failures are no longer listed.
func (j *Journal) briefBefore() int64 {
	at := j.index.failures()
	if n := len(at) - j.opts.MaxFailed; n > 0 {
		return at[n]
	}
	return 0
}

// compaction copies the lines that are not superseded.
type compaction struct {
	index  *index
	w      *bufio.Writer
	brief  int64 // failures before this place keep no text
	wrote  bool  // the first header
	header []byte
	last   []byte          // the end of the latest run
	spills map[string]bool // files that are wanted
}

func (c *compaction) take(line Line) error {
	switch line.Type {
	case "", "try", "forget":
		return nil
	case "run":
		if c.header = bytes.Clone(line.Body); !c.wrote {
			return c.open()
		}
		return nil
	case "end":
		c.last = bytes.Clone(line.Body)
		return nil
	case "item":
		c.last = nil // the new run has not ended so far
		return c.item(line)
	}
	return c.write(line.Body)
}

// item writes an item if it is the latest line of its key.
func (c *compaction) item(line Line) error {
	key, _, ok, err := outcomeOf(line.Body)
	if p, known := c.index.at[key]; err != nil || !known || p.at() != line.At {
		return nil //nolint:nilerr // it is damaged
	}
	if !ok && line.At < c.brief {
		return c.shorten(line.Body)
	}
	if bytes.Contains(line.Body, []byte(`"spill":{`)) {
		var e entry
		if json.Unmarshal(line.Body, &e) == nil && e.Spill != nil {
			c.spills[e.Spill.File] = true
		}
	}
	return c.write(line.Body)
}

// open writes the header for the following lines.
func (c *compaction) open() error {
	if c.header == nil {
		return nil
	}
	_, err := c.w.Write(sealed(c.header))
	c.header, c.wrote = nil, true
	return err
}

func (c *compaction) write(body []byte) error {
	if err := c.open(); err != nil {
		return err
	}
	_, err := c.w.Write(sealed(body))
	return err
}

// shorten writes a failure that is no longer listed: only the fact that the item failed is
// kept.
func (c *compaction) shorten(body []byte) error {
	var e entry
	if err := json.Unmarshal(body, &e); err != nil {
		return err
	}
	e.Item, e.Item64, e.Types, e.Err = new(string), "", nil, "failed in an earlier run; what it said was dropped"
	raw, err := json.Marshal(&e)
	if err != nil {
		return err
	}
	return c.write(raw)
}

func (c *compaction) end() error {
	if c.last == nil {
		return nil
	}
	return c.write(c.last)
}

// sealed returns a line with a checksum and a newline.
func sealed(body []byte) []byte {
	if _, has, _ := unseal(body); has {
		return append(bytes.Clone(body), '\n')
	}
	return sealObject(body)
}
