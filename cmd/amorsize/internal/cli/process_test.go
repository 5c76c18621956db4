//go:build unix

package cli

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/checkup"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/process"
)

// self returns this program, which becomes amorsize by a variable.
func self(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	require.NoError(t, err)
	return path
}

// A guard kills the groups of its table when whoever started it is gone.
func TestTheCommandBecomesAGuard(t *testing.T) {
	require.NoError(t, exec.CommandContext(t.Context(), self(t), process.GuardArgument).Run(), "without a table there is nothing to guard")

	victim := exec.CommandContext(t.Context(), "cat")
	victim.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdin, err := victim.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, victim.Start())

	table, err := os.Create(filepath.Join(t.TempDir(), "table"))
	require.NoError(t, err)
	require.NoError(t, binary.Write(table, binary.NativeEndian, int32(victim.Process.Pid)))
	require.NoError(t, table.Truncate(4<<16))
	guard := exec.CommandContext(t.Context(), self(t), process.GuardArgument, "mark", "1")
	guard.ExtraFiles = []*os.File{table} // its standard input has ended from the beginning
	require.NoError(t, guard.Run())
	require.NoError(t, table.Close())

	require.NoError(t, stdin.Close())
	var ended *exec.ExitError
	require.ErrorAs(t, victim.Wait(), &ended)
	require.Equal(t, "signal: killed", ended.String())
}

// A run in a database is one of amorsize-remote: of the one beside this program, or else of one in PATH.
func TestRunsInADatabaseAreHandedOver(t *testing.T) {
	dir := home(t)
	t.Setenv(typedVariable, "1")
	program := filepath.Join(dir, "bin", "amorsize")
	require.NoError(t, os.MkdirAll(filepath.Dir(program), 0o700))
	require.NoError(t, exec.CommandContext(t.Context(), "cp", self(t), program).Run())
	for _, of := range []string{"bin", "path"} {
		script := filepath.Join(dir, of, remoteProgram)
		write(t, script, "#!/bin/sh\necho "+of+" \"$*\"\nexit 7\n")
		require.NoError(t, os.Chmod(script, 0o700))
	}
	run := func(path string) outcome {
		cmd := exec.CommandContext(t.Context(), program, "run", "--on", "sqlite:runs.db", "--id", "x y")
		cmd.Env = append(os.Environ(), "PATH="+path)
		var out, errs bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		_ = cmd.Run()
		return outcome{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
	}
	path := filepath.Join(dir, "path")
	require.Equal(t, outcome{7, "bin run --on sqlite:runs.db --id x y\n", ""}, run(path))
	require.NoError(t, os.Remove(filepath.Join(dir, "bin", remoteProgram)))
	require.Equal(t, outcome{7, "path run --on sqlite:runs.db --id x y\n", ""}, run(path))
	require.Equal(t, outcome{2, "", "amorsize: runs in a database need amorsize-remote, which is neither next to this program nor in PATH: " +
		"go install github.com/amorsize/amorsize/cmd/amorsize/amorsize-remote@latest\n"}, run(dir))
}

// The status of doctor says whether measurements are reliable here.
func TestDoctor(t *testing.T) {
	home(t)
	got := typed(t, "", "doctor", "--json")
	require.Empty(t, got.err)
	found := object(t, got.out)
	require.Equal(t, "doctor", found["cmd"])
	require.Equal(t, map[any]int{true: 0, false: 1}[found["trusted"]], got.status)
}

// shown returns what is written to standard output.
func shown(t *testing.T, show func() error) string {
	t.Helper()
	was := os.Stdout
	defer func() { os.Stdout = was }()
	file, err := os.Create(filepath.Join(t.TempDir(), "out"))
	require.NoError(t, err)
	os.Stdout = file
	require.NoError(t, show())
	require.NoError(t, file.Close())
	return read(t, file.Name())
}

func TestCheckupIsShownAsTextOrJSON(t *testing.T) {
	home(t)
	found := &checkup.Checkup{Cmd: "doctor", Trusted: true, Findings: []string{}}
	require.Contains(t, shown(t, func() error { return showCheckup(found, false) }), "measurements on this host are reliable")
	text := shown(t, func() error { return showCheckup(found, true) })
	require.Equal(t, true, object(t, text)["trusted"])
	require.Regexp(t, `^\{.*\}\n$`, text)
}
