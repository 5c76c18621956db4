package process

import (
	"io"
	"os"
)

// Keep reads r to its end. An error of r is returned unchanged; an error of keeping the data is an [*OutputError].
func (f *Files) Keep(r io.Reader) (Capture, error) {
	text, err := io.ReadAll(io.LimitReader(r, small+1))
	if err != nil || len(text) <= small {
		return Bytes(text), err
	}
	return f.Spool(func(w io.Writer) error {
		if _, err := w.Write(text); err != nil {
			return err
		}
		_, err := io.Copy(w, r)
		return err
	})
}

// Spool keeps what write writes, if it returns no error. Its error is returned unchanged; an error of the writer
// that it gets is an [*OutputError].
func (f *Files) Spool(write func(io.Writer) error) (Capture, error) {
	file, err := f.get()
	if err != nil {
		return Capture{}, &OutputError{Dir: os.TempDir(), Err: err}
	}
	if err := write(keeper{file}); err != nil {
		f.put(file, false)
		return Capture{}, err
	}
	return f.capture(file, false)
}

// keeper writes what is kept.
type keeper struct{ file *os.File }

func (k keeper) Write(p []byte) (int, error) {
	n, err := k.file.Write(p)
	if err != nil {
		err = &OutputError{Dir: os.TempDir(), Err: err}
	}
	return n, err
}

// Hold keeps what is written to it until it is taken: in memory if it is little, else in a file. The zero value,
// with Files set, is ready. It is not safe for concurrent use.
type Hold struct {
	Files *Files
	text  []byte
	file  *os.File
}

// Write keeps p. An error is an [*OutputError].
func (h *Hold) Write(p []byte) (int, error) {
	if h.file == nil && len(h.text)+len(p) <= small {
		h.text = append(h.text, p...)
		return len(p), nil
	}
	if h.file == nil {
		file, err := h.Files.get()
		if err != nil {
			return 0, &OutputError{Dir: os.TempDir(), Err: err}
		}
		h.file = file
		if _, err := (keeper{file}).Write(h.text); err != nil {
			return 0, err
		}
		h.text = nil
	}
	return keeper{h.file}.Write(p)
}

// Take returns what has been written, and leaves Hold empty.
func (h *Hold) Take() (Capture, error) {
	text, file := h.text, h.file
	h.text, h.file = nil, nil
	if file == nil {
		return Bytes(text), nil
	}
	return h.Files.capture(file, false)
}
