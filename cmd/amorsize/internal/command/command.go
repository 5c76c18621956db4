// Package command runs the jobs of amorsize run: a process for each, or one for each slot
// that answers line by line.
package command

import (
	"errors"
	"fmt"
	"io/fs"
	"os/exec"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/process"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/secrets"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/template"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/ui"
)

// Config says what command to run, and how. The zero value of a field is the default.
type Config struct {
	Argv    []string // with placeholders
	Script  string   // for sh, instead of Argv; items are its arguments
	Stdin   bool     // items are written to the standard input
	Pipe    bool     // and each is a block of whole lines, unchanged
	Block   int      // bytes of such a block, about
	Worker  Worker
	Mode    process.Mode
	InOrder bool // lines of mode Line wait for those of the jobs before
	Merge   bool // standard error goes where standard output goes
	Dir     string
	Env     []string // NAME=value, besides our own
	Nice    int
	MaxLoad float64 // of the machine while commands are started; 0 is no bound
	Retries int     // maximum number of an item's retries
}

// Worker says how a process that is kept for a slot answers.
type Worker string

// The protocols of workers.
const (
	NoWorker    Worker = "" // each job has a process of its own
	LineWorker  Worker = "lines"
	JSONLWorker Worker = "jsonl" // a JSON value; {"error": "…"} is a failure
)

// Spec is a command that has been checked. It is safe for concurrent use.
type Spec struct {
	cfg     Config
	command template.Command
	path    string // of the program, "" if it depends on the item
	nice    string // path of the program that sets a priority, "" if no priority is to be set
}

// Parse reads the placeholders and looks for the programs. The error is one of usage, or says that a program does
// not exist.
func Parse(cfg Config, scope template.Scope) (*Spec, error) {
	s := &Spec{cfg: cfg}
	var err error
	if cfg.Script != "" {
		s.path, err = find("sh")
	} else {
		err = s.parseArgv(scope)
	}
	if err != nil {
		return nil, err
	}
	if cfg.Nice > 0 {
		if s.nice, err = find("nice"); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *Spec) parseArgv(scope template.Scope) (err error) {
	bare := s.cfg.Stdin || s.cfg.Worker != NoWorker
	if s.command, err = template.ParseCommand(s.cfg.Argv, scope, bare); err != nil {
		return exit.Usage(err)
	}
	if program, constant := s.command.Program(); constant {
		s.path, err = find(program)
	}
	return err
}

// find returns the path of a program, or says why it can't be run.
func find(name string) (string, error) {
	path, err := exec.LookPath(name)
	switch {
	case err == nil:
		return path, nil
	case errors.Is(err, exec.ErrDot):
		return "", exit.With(exit.NotExecutable, fmt.Errorf("%s is in the current directory only: write ./%s", name, name))
	case errors.Is(err, fs.ErrPermission):
		return "", exit.With(exit.NotExecutable, fmt.Errorf("%s can't be executed: is it a program? chmod +x makes a script executable", name))
	}
	return "", exit.With(exit.NotFound, fmt.Errorf("%s: command not found; run a shell script with --sh", name))
}

// What returns the command, for a person.
func (s *Spec) What() string {
	if s.cfg.Script != "" {
		return "sh: " + s.cfg.Script
	}
	return ui.ShellLine(secrets.Args(s.cfg.Argv))
}

// Preview returns the command for an item, written for a shell.
func (s *Spec) Preview(it items.Item) (string, error) {
	argv, err := s.argv([]items.Item{it}, 0)
	return ui.ShellLine(argv), err
}

// argv returns the arguments for a batch. A script gets columns as $1, $2, … if there are any, and otherwise the
// items.
func (s *Spec) argv(batch []items.Item, slot int) ([]string, error) {
	if s.cfg.Script == "" {
		return s.command.Expand(batch, slot)
	}
	argv := []string{"sh", "-c", s.cfg.Script, "sh"}
	if s.cfg.Pipe {
		return argv, nil
	}
	for _, it := range batch {
		argv = append(argv, scriptArgs(it)...)
	}
	return argv, nil
}

func scriptArgs(it items.Item) []string {
	if it.Fields != nil {
		return it.Fields
	}
	return []string{it.Text}
}

// stdin returns what the command reads for a batch.
func (s *Spec) stdin(batch []items.Item) (text []byte) {
	for _, it := range batch {
		if text = append(text, it.Text...); !s.cfg.Pipe {
			text = append(text, '\n')
		}
	}
	return text
}

// commandLine is how many bytes the items of a batch may add to a command line. xargs uses the same number; every
// system has room for it.
const commandLine = 128 << 10

// weigh returns how many bytes an item adds to a command line, with what the
// system needs to point to them.
func (s *Spec) weigh(it items.Item) int {
	var args []string
	if s.cfg.Script == "" {
		args = s.command.Adds(it)
	} else {
		args = scriptArgs(it)
	}
	n := 0
	for _, arg := range args {
		n += len(arg) + 1 + 8
	}
	return n
}
