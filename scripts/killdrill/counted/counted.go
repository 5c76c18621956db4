//go:build unix

// Package counted has the function of a kill drill, which counts its calls in a file that
// outlives a process that is killed.
package counted

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"
)

// The variables of the environment that Item reads.
const (
	Dir   = "DRILL_DIR"
	Items = "DRILL_ITEMS"
)

// Calls are the calls for each item.
type Calls struct {
	Total  *atomic.Int64
	Counts []byte
}

// Open returns the calls that were made in a directory for so many items.
func Open(dir string, n int) (*Calls, error) {
	file, err := os.OpenFile(filepath.Join(dir, "calls"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	if err := file.Truncate(int64(n) + 8); err != nil {
		return nil, err
	}
	m, err := syscall.Mmap(int(file.Fd()), 0, n+8, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	return &Calls{Total: (*atomic.Int64)(unsafe.Pointer(&m[0])), Counts: m[8:]}, nil
}

// Count counts a call for item i. Of an item one call at a time is made.
func (c *Calls) Count(i int) {
	c.Counts[i]++
	c.Total.Add(1)
}

// Answer is what is computed of an item.
func Answer(i int) string { return fmt.Sprintf("%d: %x", i, uint64(i)*0x9e3779b97f4a7c15) }

var calls = sync.OnceValues(func() (*Calls, error) {
	n, err := strconv.Atoi(os.Getenv(Items))
	if err != nil {
		return nil, err
	}
	return Open(os.Getenv(Dir), n)
})

// Item is the function that the command is given.
func Item(i int) (string, error) {
	c, err := calls()
	if err != nil {
		return "", err
	}
	c.Count(i)
	return Answer(i), nil
}
