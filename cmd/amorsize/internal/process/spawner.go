package process

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Mode says where the output of commands goes.
type Mode int

// The modes.
const (
	Group Mode = iota // into files, to be passed on when the command has ended
	Live              // straight to our own
	Line              // to a function of the command, line by line
	None              // nowhere
)

// Config are the settings of a Spawner.
type Config struct {
	Mode   Mode
	Merge  bool // standard error goes where standard output goes
	Dir    string
	Env    []string      // of every command; nil is our own
	Grace  time.Duration // between asking a command to end and killing it
	Groups *Groups
}

// Spawner runs commands. It is safe for concurrent use.
type Spawner struct {
	cfg   Config
	files Files
	null  *os.File
	env   []string

	scarce sync.Mutex // held while waiting for files
}

// NewSpawner returns a Spawner.
func NewSpawner(cfg Config) (*Spawner, error) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	env := cfg.Env
	if env == nil {
		env = os.Environ()
	}
	return &Spawner{cfg: cfg, null: null, env: env[:len(env):len(env)]}, nil
}

// Close releases what the spawner holds, when no command runs any more.
func (s *Spawner) Close() {
	s.files.Close()
	_ = s.null.Close()
}

// Command is one to be run.
type Command struct {
	Path    string // of the program; "" searches for Argv[0]
	Argv    []string
	Env     []string // besides the spawner's
	Stdin   []byte
	Feed    bool   // Stdin is given to it, else nothing is
	Item    string // what it is for, for a person
	Slot    int
	Timeout time.Duration // 0 is none
	Files   []*os.File    // besides the standard ones, for a partner
	// Line receives what the command writes in mode Line, each line with its end, from two goroutines, and not
	// after Run has returned. stderr says where it was written to.
	Line func(line []byte, stderr bool)
}

// Outcome is what a command did.
type Outcome struct {
	Wall, CPU time.Duration
	Memory    int64 // bytes, at its peak; 0 if that is not known
	Out, Err  Capture
}

// Run runs a command to its end. The error is an *ExitError, a *TimeoutError, a *SpawnError or an *OutputError;
// the caller releases the outcome. If there are too few files or processes to start it, it waits for others to
// end.
func (s *Spawner) Run(c Command) (Outcome, error) {
	path := c.Path
	if path == "" {
		found, err := exec.LookPath(c.Argv[0])
		if err != nil && !scarce(err) {
			return Outcome{}, &SpawnError{c.Argv[0], err}
		}
		path = found
	}
	r, err := s.start(path, c)
	if scarce(err) {
		r, err = s.startScarce(path, c)
	}
	if err != nil {
		return Outcome{}, &SpawnError{c.Argv[0], err}
	}
	return s.finish(r, c)
}

// longestWait is about how long starting a command is retried while there are too few files or processes, although
// no other command holds any.
const longestWait = time.Second

// startScarce starts a command as soon as there are files for it. Only one command at a time tries, or each might
// get a part of what it needs.
func (s *Spawner) startScarce(path string, c Command) (*started, error) {
	s.scarce.Lock()
	defer s.scarce.Unlock()
	for wait := time.Millisecond; ; wait = min(2*wait, 2*longestWait) {
		s.files.Close()
		r, err := s.start(path, c)
		if !scarce(err) || s.cfg.Groups.raised() {
			return r, err
		}
		if wait > longestWait && len(s.cfg.Groups.List()) == 0 {
			return nil, err
		}
		time.Sleep(min(wait, longestWait/10))
	}
}

// started is a running command.
type started struct {
	child   *os.Process
	running *running
	streams *streams
	peak    *memory
	began   time.Time
}

func (s *Spawner) start(path string, c Command) (*started, error) {
	streams, err := s.open(c)
	if err != nil {
		return nil, err
	}
	r := &started{streams: streams, began: time.Now()}
	r.child, r.running, err = s.cfg.Groups.start(path, c, &os.ProcAttr{
		Dir: s.cfg.Dir, Env: append(s.env, c.Env...), Files: streams.files(), Sys: attributes(),
	})
	if err != nil {
		streams.abandon()
		var cause *os.PathError
		if errors.As(err, &cause) {
			err = cause.Err
		}
		if errors.Is(err, syscall.EBADF) { // the number for a copy of a file is above the limit
			err = syscall.EMFILE
		}
		return nil, err
	}
	streams.started()
	r.peak = watchMemory(r.child.Pid)
	return r, nil
}

// finish waits for the end of a command and takes its output.
func (s *Spawner) finish(r *started, c Command) (o Outcome, err error) {
	state, timedOut, shared := s.wait(r, c)
	o.Wall = time.Since(r.began)
	if state != nil {
		o.CPU, o.Memory = usage(state)
		o.Memory = r.peak.of(o.Memory)
		err = ended(state)
	}
	if timedOut {
		err = &TimeoutError{c.Timeout}
	}
	if failure := r.streams.finish(&o, shared); err == nil && failure != nil {
		if err = failure; !errors.As(err, new(*OutputError)) {
			err = &OutputError{os.TempDir(), failure}
		}
	}
	return o, err
}

// wait waits for the end of a command, and ends it if it takes too long. shared says that others of its group live
// on.
func (s *Spawner) wait(cmd *started, c Command) (state *os.ProcessState, timedOut, shared bool) {
	child, r := cmd.child, cmd.running
	var late atomic.Bool
	if c.Timeout > 0 {
		timer := time.AfterFunc(c.Timeout, func() {
			late.Store(true)
			s.cfg.Groups.tell(r, Asked)
		})
		killer := time.AfterFunc(c.Timeout+s.cfg.Grace, func() { s.cfg.Groups.tell(r, Killed) })
		defer timer.Stop()
		defer killer.Stop()
	}
	await(child.Pid)
	cmd.peak.stop() // its number may soon be another process's
	level := s.cfg.Groups.end(r)
	state, _ = child.Wait() // it has ended, or, elsewhere than on Linux, ends here
	timedOut = late.Load()
	if timedOut || level > Untroubled {
		grace := s.cfg.Grace
		if level == Killed {
			grace = 0
		}
		clearGroup(child.Pid, grace)
		return state, timedOut, false
	}
	return state, false, groupLives(child.Pid)
}

// feed returns a file that holds text, to be read from its beginning.
func (s *Spawner) feed(text []byte) (*os.File, error) {
	file, err := s.files.get()
	if err != nil {
		return nil, err
	}
	if _, err = file.Write(text); err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		s.files.put(file, true)
		return nil, err
	}
	return file, nil
}
