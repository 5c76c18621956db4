package process

import (
	"os"
	"os/exec"
	"time"
)

// Partner is a process that answers questions, for as long as it is needed.
type Partner struct {
	Questions *os.File // its standard input
	Answers   *os.File // its standard output
	child     *os.Process
	running   *running
	s         *Spawner
}

// Start starts a partner. What it writes to standard error goes to our own.
func (s *Spawner) Start(c Command) (*Partner, error) {
	if c.Path == "" {
		path, err := exec.LookPath(c.Argv[0])
		if err != nil {
			return nil, &SpawnError{c.Argv[0], err}
		}
		c.Path = path
	}
	in, questions, err := os.Pipe()
	if err != nil {
		return nil, &SpawnError{c.Argv[0], err}
	}
	defer func() { _ = in.Close() }()
	answers, out, err := os.Pipe()
	if err != nil {
		_ = questions.Close()
		return nil, &SpawnError{c.Argv[0], err}
	}
	defer func() { _ = out.Close() }()
	files := append([]*os.File{in, out, os.Stderr}, c.Files...)
	child, running, err := s.cfg.Groups.start(c.Path, c, &os.ProcAttr{
		Dir: s.cfg.Dir, Env: append(s.env, c.Env...), Files: files, Sys: attributes(),
	})
	if err != nil {
		_, _ = questions.Close(), answers.Close()
		return nil, &SpawnError{c.Argv[0], err}
	}
	return &Partner{questions, answers, child, running, s}, nil
}

// Unanswered returns how many bytes of questions the partner has not read yet, and Unread how many bytes of its
// answers were not read. Both are 0 where that is not known.
func (p *Partner) Unanswered() int { return waiting(p.Questions) }

// Unread is described at Unanswered.
func (p *Partner) Unread() int { return waiting(p.Answers) }

// Busy reports whether the partner is on a core: it may write more without waiting for anything. It is false where
// that is not known.
func (p *Partner) Busy() bool { return busy(p.child.Pid) }

// End closes the partner's input, which asks it to end, and makes sure that it ends: it gets a signal after the
// grace, and is killed after the same time again. It returns how it ended.
func (p *Partner) End() error {
	_, _ = p.Questions.Close(), p.Answers.Close()
	grace := p.s.cfg.Grace
	ask := time.AfterFunc(grace, func() { p.s.cfg.Groups.tell(p.running, Asked) })
	kill := time.AfterFunc(2*grace, func() { p.s.cfg.Groups.tell(p.running, Killed) })
	defer ask.Stop()
	defer kill.Stop()
	await(p.child.Pid)
	p.s.cfg.Groups.end(p.running)
	state, err := p.child.Wait()
	if err != nil {
		return err
	}
	return ended(state)
}
