package journal

import (
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strconv"
)

// spill is a result in its own file.
type spill struct {
	File string `json:"file"` // in the directory PATH.spill
	Size int    `json:"bytes"`
	Sum  uint32 `json:"crc32c"`
}

func (s *spill) append(line []byte) []byte {
	line = append(append(line, `{"file":"`...), s.File...)
	line = strconv.AppendInt(append(line, `","bytes":`...), int64(s.Size), 10)
	line = strconv.AppendUint(append(line, `,"crc32c":`...), uint64(s.Sum), 10)
	return append(line, '}')
}

func (j *Journal) spillDir() string { return j.real + ".spill" }

// spillOut writes a result into a file, completely or not at all. The file is on disk before its
// record is, unless nothing is synced.
func (j *Journal) spillOut(key Key, result []byte) (*spill, error) {
	sum := crc32.Checksum(result, castagnoli)
	// With the checksum in its name, the file matches its record even if another file exists for
	// the key.
	s := &spill{File: fmt.Sprintf("%v-%08x", key, sum), Size: len(result), Sum: sum}
	dir := j.spillDir()
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, err
	}
	file, err := os.CreateTemp(dir, "."+s.File+"-")
	if err != nil {
		return nil, err
	}
	_, err = file.Write(result)
	if err == nil && j.opts.Sync != SyncNever {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), filepath.Join(dir, s.File))
	}
	if err != nil {
		return nil, errors.Join(err, os.Remove(file.Name()))
	}
	if j.opts.Sync == SyncNever {
		return s, nil
	}
	return s, syncDir(dir)
}

// read returns the result.
func (s *spill) read(dir string) ([]byte, error) {
	if filepath.Base(s.File) != s.File {
		return nil, fmt.Errorf("%q is not a file name", s.File)
	}
	result, err := os.ReadFile(filepath.Join(dir, s.File))
	switch {
	case err != nil:
		return nil, err
	case len(result) != s.Size || crc32.Checksum(result, castagnoli) != s.Sum:
		return nil, fmt.Errorf("%s is damaged", filepath.Join(dir, s.File))
	}
	return result, nil
}
