package process

import (
	"bytes"
	"errors"
	"io"
	"os"
	"sync"
	"syscall"
	"time"
)

// small is the output up to which it is kept in memory until its turn, so that its file can be reused at once.
const small = 4 << 10

// Files lends unlinked temporary files, and takes them back to lend them again.
// It is safe for concurrent use.
type Files struct {
	mu     sync.Mutex
	free   []*os.File
	noRoom time.Time // when there was none the last time
}

// get returns an empty file.
func (f *Files) get() (*os.File, error) {
	f.mu.Lock()
	if last := len(f.free) - 1; last >= 0 {
		file := f.free[last]
		f.free = f.free[:last]
		f.mu.Unlock()
		return file, nil
	}
	f.mu.Unlock()
	file, err := os.CreateTemp("", "amorsize-")
	if err != nil {
		return nil, err
	}
	_ = os.Remove(file.Name()) // Windows removes it when it is closed
	return file, nil
}

// put takes a file back. A file that others may still write to is closed instead.
func (f *Files) put(file *os.File, shared bool) {
	f.look(file) // before this makes room: others may have had none
	if !shared && empty(file) == nil {
		f.mu.Lock()
		f.free = append(f.free, file)
		f.mu.Unlock()
		return
	}
	discard(file)
}

// look notes whether there is no room for output.
func (f *Files) look(file *os.File) {
	if !full(file) {
		return
	}
	f.mu.Lock()
	f.noRoom = time.Now()
	f.mu.Unlock()
}

// roomSince returns an error if at some moment since then there was no room.
func (f *Files) roomSince(began time.Time) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.noRoom.Before(began) {
		return nil
	}
	return &OutputError{Dir: os.TempDir(), Err: syscall.ENOSPC}
}

func empty(file *os.File) error {
	if err := file.Truncate(0); err != nil {
		return err
	}
	_, err := file.Seek(0, io.SeekStart)
	return err
}

func discard(file *os.File) {
	_ = file.Close()
	_ = os.Remove(file.Name())
}

// Close closes the files that are not lent.
func (f *Files) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, file := range f.free {
		discard(file)
	}
	f.free = nil
}

// Capture is the output of a command: in memory if it is little, else in a file. The zero value is empty.
type Capture struct {
	text   []byte
	file   *os.File
	size   int64
	shared bool
	files  *Files
}

// Bytes makes a capture of a text.
func Bytes(text []byte) Capture { return Capture{text: text, size: int64(len(text))} }

// capture takes over what was written to file; shared says that others may still write.
func (f *Files) capture(file *os.File, shared bool) (Capture, error) {
	f.look(file)
	info, err := file.Stat()
	if err != nil {
		f.put(file, true)
		return Capture{}, err
	}
	c := Capture{size: info.Size(), file: file, shared: shared, files: f}
	switch {
	case c.size == 0 && !shared: // nothing was written: there is nothing to undo
		f.mu.Lock()
		f.free = append(f.free, file)
		f.mu.Unlock()
		return Capture{}, nil
	case c.size <= small:
		c.text = make([]byte, c.size)
		if _, err = file.ReadAt(c.text, 0); errors.Is(err, io.EOF) {
			err = nil
		}
		f.put(file, shared)
		c.file = nil
	}
	return c, err
}

// Size returns how many bytes were written.
func (c *Capture) Size() int64 { return c.size }

// Reader returns what was written, from its beginning.
func (c *Capture) Reader() io.Reader {
	if c.file == nil {
		return bytes.NewReader(c.text)
	}
	return io.NewSectionReader(c.file, 0, c.size)
}

// SendTo writes it to a file, without copying it through this process where the kernel can.
func (c *Capture) SendTo(w *os.File) error {
	if c.file == nil {
		if len(c.text) == 0 {
			return nil
		}
		_, err := w.Write(c.text)
		return err
	}
	sent, err := send(w, c.file, c.size)
	if err != nil || sent == c.size {
		return err
	}
	_, err = io.CopyBuffer(struct{ io.Writer }{w}, io.NewSectionReader(c.file, sent, c.size-sent), make([]byte, 256<<10))
	return err
}

// Tail returns the last bytes, at most n.
func (c *Capture) Tail(n int64) []byte {
	if c.file == nil {
		return c.text[max(0, int64(len(c.text))-n):]
	}
	tail := make([]byte, min(n, c.size))
	k, _ := c.file.ReadAt(tail, c.size-int64(len(tail)))
	return tail[:k]
}

// Release gives back what the capture holds. It is empty afterwards.
func (c *Capture) Release() {
	if c.file != nil {
		c.files.put(c.file, c.shared)
	}
	*c = Capture{}
}
