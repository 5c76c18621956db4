package process

import (
	"io"
	"os"
)

// Keep reads r to its end. An error of r is returned as it is, one of keeping what it
// read is an [*OutputError].
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

// Spool keeps what write writes, if it returns no error. Its error is returned as it is;
// that of the writer which it is given is an [*OutputError].
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
