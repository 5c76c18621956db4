package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"time"
)

// Journal is an open journal. It is safe for concurrent use, also by several runs at a time.
type Journal struct {
	path   string // as given
	real   string // absolute, without links
	opts   Options
	header Header // of this process
	began  time.Time
	found  Found
	lost   atomic.Int64

	*group        // the file
	index  index  // guarded by the group's mu
	window window // the part of the file that was read latest
	start  int64  // size of the file before this process wrote its header
	viewed bool   // it must not be written
	well   atomic.Int64
	failed atomic.Int64 // failed items that this process has recorded
}

// Found is what was in a journal when it was opened.
type Found struct {
	Header     Header // of the first run
	Latest     Header // of the latest run that has recorded something
	Ended      bool   // the latest run closed the journal
	Runs       int
	Items      int // that have an outcome
	Failed     int // of them
	Superseded int // records that are not the latest of their item
	// Torn is how many bytes at the end were cut off: a record that was being written when the
	// process or the machine stopped.
	Torn int64
	// Damaged is how many lines are ignored because their checksum is wrong, and FirstDamaged the
	// number of the first one, from 1. Their items run again.
	Damaged, FirstDamaged int
	// Compacted says that superseded records have been removed.
	Compacted bool

	latest Header // of a run that has recorded nothing so far
}

// Open opens the journal, and creates it if it doesn't exist. Only the owner can read a new one,
// since it has the program's arguments and results. The caller must Close it. Errors are [*Error],
// with the cause [ErrInUse], [ErrOtherRun], [ErrVersion] or [ErrNotJournal] if it is one of these,
// and [*InvalidError]; after an error the file is unchanged.
func Open(path string, opts Options) (*Journal, error) {
	opts = opts.normal()
	if err := opts.check(); err != nil {
		return nil, err
	}
	file, err := openLocked(path)
	if err != nil {
		return nil, &Error{path, err}
	}
	j := &Journal{path: path, opts: opts, index: newIndex()}
	if j.real, err = realPath(path); err == nil {
		file, err = j.begin(file)
	}
	if err != nil {
		return nil, &Error{path, errors.Join(err, file.Close())}
	}
	return j, nil
}

// begin reads the file, and adds the header of this process. It returns the file, which compaction
// may have replaced.
func (j *Journal) begin(file *os.File) (*os.File, error) {
	info, err := file.Stat()
	switch {
	case err != nil:
		return file, err
	case !info.Mode().IsRegular():
		return file, fmt.Errorf("%w: it is not a regular file", ErrNotJournal)
	}
	whole, err := j.read(file)
	if err == nil {
		err = j.mine()
	}
	if err != nil {
		return file, err
	}
	if j.found.Torn = info.Size() - whole; j.found.Torn > 0 {
		if err := file.Truncate(whole); err != nil {
			return file, err
		}
	}
	j.group = newGroup(file, whole, &j.opts)
	if j.found.Header.Command == Program && j.index.superseded > len(j.index.at) {
		if file, err = j.compact(file); err != nil {
			return file, err
		}
		j.file = file
	}
	j.start = j.end
	return file, j.writeHeader()
}

// read reads the contents of the file.
func (j *Journal) read(file *os.File) (whole int64, err error) {
	j.index, j.found = newIndex(), Found{}
	return Read(io.NewSectionReader(file, 0, 1<<62), func(line Line) error {
		err := j.index.take(line)
		if line.Type == "" || err != nil {
			if j.found.Damaged++; j.found.FirstDamaged == 0 {
				j.found.FirstDamaged = line.Number
			}
		}
		return j.found.take(line)
	})
}

// take takes a line. A run that has recorded nothing does not count as the latest one: it may only
// have read the journal.
func (f *Found) take(line Line) error {
	switch line.Type {
	case "run":
		f.latest = Header{}
		err := json.Unmarshal(line.Body, &f.latest)
		if f.Runs++; f.Runs == 1 {
			f.Header = f.latest
		}
		return err
	case "item":
		if f.latest.V > 0 {
			f.Latest, f.latest, f.Ended = f.latest, Header{}, false
		}
	case "end":
		f.Ended = true
	}
	return nil
}

// mine returns an error if the file belongs to another run.
func (j *Journal) mine() error {
	h := &j.found.Header
	j.count()
	switch {
	case j.found.Runs == 0: // an empty file, or a damaged header: see Warnings
		return nil
	case h.Run != j.opts.Run:
		return fmt.Errorf("%w: %q, and not %q as Options.Run says; take another file", ErrOtherRun, h.Run, j.opts.Run)
	case h.Codec != "" && h.Codec != j.opts.Codec.Name():
		return fmt.Errorf("%w: its results are kept by the codec %s, and not %s as Options.Codec says", ErrOtherRun, h.Codec, j.opts.Codec.Name())
	}
	return nil
}

// count fills in the numbers of Found.
func (j *Journal) count() {
	j.found.Items, j.found.Failed, j.found.Superseded = len(j.index.at), j.index.failed, j.index.superseded
}

// writeHeader writes the header of this process, at once.
func (j *Journal) writeHeader() error {
	j.began = time.Now()
	j.header = Header{
		Type: "run", V: Version, Run: j.opts.Run, Codec: j.opts.Codec.Name(), Command: Program,
		Args: slices.Clone(os.Args), Flags: [][2]string{}, PID: os.Getpid(), Started: j.began.UTC().Truncate(time.Microsecond),
	}
	j.header.Dir, _ = os.Getwd()
	j.header.Host, _ = os.Hostname()
	if info, ok := debug.ReadBuildInfo(); ok {
		j.header.Version = info.Main.Version
	}
	raw, err := json.Marshal(&j.header)
	if err != nil {
		return err
	}
	if err := j.add(sealObject(raw), func(at int64) bool {
		j.index.runs = append(j.index.runs, started{at, j.header.Started})
		return true
	}); err != nil {
		return err
	}
	if err := j.flush(); err != nil {
		return err
	}
	if j.start > 0 || j.opts.Sync == SyncNever {
		return nil
	}
	return syncDir(filepath.Dir(j.real))
}

// realPath returns the absolute path, without links, of an existing file.
func realPath(path string) (string, error) {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", err
	}
	return filepath.Abs(path)
}

// Path returns the path that the journal was opened with.
func (j *Journal) Path() string { return j.path }

// Run returns what Options.Run says.
func (j *Journal) Run() string { return j.opts.Run }

// Codec returns the codec for results.
func (j *Journal) Codec() Codec { return j.opts.Codec }

// Found tells what was in the journal when it was opened.
func (j *Journal) Found() Found { return j.found }

// Err returns why nothing can be recorded, or nil.
func (j *Journal) Err() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.viewed {
		return j.wrap(errViewed)
	}
	return j.wrap(j.err)
}

// Synced returns how many lines are on disk, by how many writes and syncs, and how long those took
// together. It is for observing a run.
func (j *Journal) Synced() (lines, syncs int64, took time.Duration) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.done, j.syncs, j.syncing
}

// Sync writes all records to disk; with [SyncNever] it only passes them to the system.
func (j *Journal) Sync() error { return j.wrap(j.flush()) }

// Close writes all records to disk and closes the file. It adds a last line with the number of
// recorded items, unless nothing was recorded.
func (j *Journal) Close() error {
	nothing := false
	err := j.close(func(added int64) []byte {
		nothing = added == 1 // the header
		if j.viewed || j.well.Load()+j.failed.Load() == 0 {
			return nil
		}
		return j.ending()
	})
	if errors.Is(err, ErrClosed) {
		return j.wrap(err)
	}
	if err == nil && nothing {
		err = j.file.Truncate(j.start)
	}
	return j.wrap(errors.Join(err, j.file.Close()))
}

// ending returns the last line of this process, in the format of the command's summaries.
func (j *Journal) ending() []byte {
	took := time.Since(j.began).Seconds()
	well, failed := j.well.Load(), j.failed.Load()
	return sealObject(fmt.Appendf(nil, `{"type":"end","summary":{"v":1,"cmd":%q,"started":%q,"total":%d,"ok":%d,"failed":%d,"wall_s":%.3f,"rate_per_s":%.3f}}`,
		Program, j.header.Started.Format(time.RFC3339Nano), well+failed, well, failed, took, float64(well)/max(took, 1e-9)))
}

func (j *Journal) wrap(err error) error {
	if err == nil {
		return nil
	}
	return &Error{j.path, err}
}

// Warnings says in words what was lost; it is empty if nothing was.
func (f Found) Warnings() (list []string) {
	if f.Torn > 0 {
		list = append(list, fmt.Sprintf("journal: its last record is incomplete: %d bytes were removed", f.Torn))
	}
	if f.Runs == 0 && f.Items > 0 {
		list = append(list, "journal: the line that names its run is damaged: it is assumed to be this run")
	}
	if f.Damaged > 0 {
		list = append(list, fmt.Sprintf("journal: lines that are damaged, and left out: %d, the first one is line %d; their items run again", f.Damaged, f.FirstDamaged))
	}
	return list
}
