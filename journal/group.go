package journal

import (
	"errors"
	"io"
	"sync"
	"time"
)

// group writes lines together, and syncs them together. While some are being written, as many
// more may be added; then those who add wait. Whoever adds the line that is one too many
// writes them, or a timer does. After an error nothing is written any more: what is in the
// file is whole lines.
type group struct {
	mu     sync.Mutex
	synced sync.Cond // the lines that were being written are

	file  disk
	sync  Sync
	every time.Duration
	most  int
	timer *time.Timer

	waiting []byte // lines to be written
	spare   []byte // those that were
	lines   int    // that wait
	added   int64  // lines so far
	done    int64  // lines that are written, and synced where they are to be
	end     int64  // of the file, with what waits
	written int64  // of it, what is in the file
	writing bool
	closing bool
	syncs   int64         // writes that went well
	syncing time.Duration // what they took
	err     error         // why nothing is written any more
}

// disk is what is asked of a file.
type disk interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Sync() error
	Truncate(size int64) error
}

// mostBytes is how much may wait at the most.
const mostBytes = 4 << 20

func newGroup(file disk, end int64, o *Options) *group {
	g := &group{file: file, sync: o.Sync, every: o.SyncEvery, most: o.SyncRecords, end: end, written: end}
	g.synced.L = &g.mu
	g.timer = time.AfterFunc(time.Hour, g.ring)
	g.timer.Stop()
	return g
}

// add adds a line, which is copied, and tells placed where it will be, with mu held; if that is
// false, it adds nothing. With SyncAlways it waits until the line is on the disk.
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

// await waits until so many lines are written. mu is held.
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

// ring writes what has waited for long.
func (g *group) ring() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.writing && g.lines > 0 && g.err == nil { // else who writes now sets the timer again
		g.write()
	}
}

// write writes the lines that wait. mu is held, but not meanwhile.
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

// put writes lines at the end of the file. What it could write of them in part it cuts off.
func (g *group) put(lines []byte, at int64) error {
	if _, err := g.file.WriteAt(lines, at); err != nil { // how much of them is there it does not say
		return errors.Join(err, g.file.Truncate(at))
	}
	if g.sync == SyncNever {
		return nil
	}
	return g.file.Sync()
}

// flush writes everything, and syncs it unless that is left to the system.
func (g *group) flush() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.await(g.added)
}

// close lets nothing more be added, but for last if that is to be: it is told how many lines
// there are. Then it writes everything.
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
