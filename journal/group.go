package journal

import (
	"errors"
	"io"
	"sync"
	"time"
)

// group writes and syncs lines in batches. While a batch is being written, as many further
// lines may be added; then further callers wait. The caller whose line fills the batch writes
// it, or else a timer does. After an error nothing more is written: the file has whole lines
// only.
type group struct {
	mu     sync.Mutex
	synced sync.Cond // signals that a write has finished

	file  disk
	sync  Sync
	every time.Duration
	most  int
	timer *time.Timer

	waiting []byte // lines to be written
	spare   []byte // buffer of the lines before
	lines   int    // waiting lines
	added   int64  // lines so far
	done    int64  // lines that are written, and synced if required
	end     int64  // end of the file, including waiting lines
	written int64  // end of what is in the file
	writing bool
	closing bool
	syncs   int64         // successful writes
	syncing time.Duration // their total time
	err     error         // why nothing more is written
}

// disk is the part of a file that group uses.
type disk interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Sync() error
	Truncate(size int64) error
}

// mostBytes is how many bytes may wait at most.
const mostBytes = 4 << 20

func newGroup(file disk, end int64, o *Options) *group {
	g := &group{file: file, sync: o.Sync, every: o.SyncEvery, most: o.SyncRecords, end: end, written: end}
	g.synced.L = &g.mu
	g.timer = time.AfterFunc(time.Hour, g.ring)
	g.timer.Stop()
	return g
}

// add adds a copy of a line. It calls placed, with mu held, with the place of the line; if
// placed returns false, nothing is added. With SyncAlways it waits until the line is on disk.
func (g *group) add(line []byte, placed func(at int64) bool) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.err == nil && g.full() {
		if g.writing {
			g.synced.Wait()
		} else {
			g.write()
		}
	}
	switch {
	case g.err != nil:
		return g.err
	case g.closing:
		return ErrClosed
	}
	if !placed(g.end) {
		return nil
	}
	g.waiting = append(g.waiting, line...)
	g.end += int64(len(line))
	g.lines++
	g.added++
	switch {
	case g.sync == SyncAlways:
		return g.await(g.added)
	case g.full() && !g.writing:
		g.write()
		return g.err
	case g.lines == 1:
		g.timer.Reset(g.every)
	}
	return nil
}

func (g *group) full() bool { return g.lines >= g.most || len(g.waiting) >= mostBytes }

// await waits until a number of lines are written. mu is held.
func (g *group) await(lines int64) error {
	for g.err == nil && g.done < lines {
		if g.writing {
			g.synced.Wait()
		} else {
			g.write()
		}
	}
	if g.done >= lines {
		return nil
	}
	return g.err
}

// ring writes lines that have waited long enough.
func (g *group) ring() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.writing && g.lines > 0 && g.err == nil { // otherwise the running write sets the timer again
		g.write()
	}
}

// write writes the waiting lines. mu is held, but not during the write.
func (g *group) write() {
	lines, n, at := g.waiting, g.lines, g.written
	g.waiting, g.lines, g.writing = g.spare[:0], 0, true
	g.mu.Unlock()
	began := time.Now()
	err := g.put(lines, at)
	took := time.Since(began)
	g.mu.Lock()
	g.writing, g.spare = false, lines
	if err != nil {
		g.err = err
	} else {
		g.written += int64(len(lines))
		g.done += int64(n)
		g.syncs++
		g.syncing += took
	}
	if g.lines > 0 {
		g.timer.Reset(g.every)
	}
	g.synced.Broadcast()
}

// put writes lines at the end of the file. It cuts off a partial write.
func (g *group) put(lines []byte, at int64) error {
	if _, err := g.file.WriteAt(lines, at); err != nil { // they may have been written in part
		return errors.Join(err, g.file.Truncate(at))
	}
	if g.sync == SyncNever {
		return nil
	}
	return g.file.Sync()
}

// flush writes everything, and syncs it unless syncing is left to the system.
func (g *group) flush() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.await(g.added)
}

// close ends adding, except for a last line that last may return; last gets the number of
// lines. Then it writes everything.
func (g *group) close(last func(added int64) []byte) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closing {
		return ErrClosed
	}
	g.closing = true
	if line := last(g.added); line != nil && g.err == nil {
		g.waiting = append(g.waiting, line...)
		g.end += int64(len(line))
		g.lines++
		g.added++
	}
	err := g.await(g.added)
	g.timer.Stop()
	if g.err == nil {
		g.err = ErrClosed
	}
	return err
}
