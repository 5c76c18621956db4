//go:build !unix

package cli

import (
	"errors"
	"os"
	"os/exec"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
)

// replace runs the program with this process's streams, and ends as it does.
func replace(path string, args []string) error {
	cmd := exec.Command(path, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := cmd.Run()
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		return exit.With(ended.ExitCode(), nil) // it has already said why
	}
	return err
}
