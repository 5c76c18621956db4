package output

import (
	"os"
	"sync"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/process"
)

// turns puts the lines that jobs write into the order of the jobs. Lines of the job whose turn it is pass at once,
// lines of later jobs when their turn comes. The output is as if one job ran at a time. It is safe for concurrent
// use.
type turns struct {
	out   *Output
	files process.Files

	mu    sync.Mutex
	place int           // of the job whose turn it is
	lines map[int]*kept // of that job and of later ones, by place
}

func newTurns(out *Output) *turns { return &turns{out: out, lines: map[int]*kept{}} }

// of returns where the lines of a job go.
func (t *turns) of(place int) *kept {
	t.mu.Lock()
	defer t.mu.Unlock()
	k := t.lines[place]
	if k == nil {
		k = &kept{to: t.out, passes: place == t.place, out: process.Hold{Files: &t.files}, err: process.Hold{Files: &t.files}}
		t.lines[place] = k
	}
	return k
}

// over takes a job that has ended, with all its lines; the jobs before it have ended, or never will. It passes on
// its kept lines, and then those of the next job.
func (t *turns) over(place int) error {
	t.mu.Lock()
	k, next := t.lines[place], t.lines[place+1]
	var left []*kept
	for ; t.place <= place; t.place++ {
		if t.place < place && t.lines[t.place] != nil {
			left = append(left, t.lines[t.place])
		}
		delete(t.lines, t.place)
	}
	t.mu.Unlock()
	for _, other := range left {
		other.drop()
	}
	if k != nil {
		if err := k.pass(); err != nil {
			return err
		}
	}
	if next != nil {
		_ = next.pass() // it is that job's error, and reported when that job has ended
	}
	return nil
}

// close drops the kept lines of jobs that did not end.
func (t *turns) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, k := range t.lines {
		k.drop()
	}
	t.files.Close()
}

// kept are the lines of a job. A wait here is only for the job's own lines.
type kept struct {
	to *Output

	mu       sync.Mutex
	passes   bool // pass lines on at once
	out, err process.Hold
	failure  error // the first one
}

// line takes a line of the job, behind a tag.
func (k *kept) line(tag string, line []byte, stderr bool) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.failure != nil: // lines after a gap are not passed on
	case k.passes:
		k.failure = k.to.line(tag, line, stderr)
	case stderr:
		_, k.failure = k.err.Write(k.to.tagged(tag, line))
	default:
		_, k.failure = k.out.Write(k.to.tagged(tag, line))
	}
	return k.failure
}

// pass passes on the kept lines, and from then on every line at once.
func (k *kept) pass() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.passes = true
	if k.failure == nil {
		k.failure = k.send(&k.out, k.to.term.Result)
	}
	if k.failure == nil {
		k.failure = k.send(&k.err, k.to.term.Aside)
	}
	return k.failure
}

func (k *kept) send(hold *process.Hold, to func(func(*os.File) error) error) error {
	lines, err := hold.Take()
	if err != nil || lines.Size() == 0 {
		return err
	}
	defer lines.Release()
	return to(lines.SendTo)
}

func (k *kept) drop() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, hold := range []*process.Hold{&k.out, &k.err} {
		if lines, err := hold.Take(); err == nil {
			lines.Release()
		}
	}
}
