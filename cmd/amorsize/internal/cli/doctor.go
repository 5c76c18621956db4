package cli

import (
	"encoding/json"
	"os"

	"github.com/spf13/cobra"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/checkup"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/ui"
)

func newDoctor() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:     "doctor",
		Aliases: []string{"validate"},
		Short:   "Describe this host, and say whether measurements on it are reliable",
		Long: `Show the cores, the quota of the control group, memory, limits, what a process costs
to start, how late timers are, how much the same work varies, and how much faster
all cores are than one. It takes about two seconds. The exit status is 1 if
measurements on this host are not reliable.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			found := checkup.Examine()
			if err := showCheckup(found, asJSON); err != nil {
				return err
			}
			if !found.Trusted {
				return exit.With(exit.Failed, nil)
			}
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return c
}

func showCheckup(found *checkup.Checkup, asJSON bool) error {
	term := ui.NewTerminal(os.Stdout, os.Stderr, ui.ColorAuto)
	if !asJSON {
		return term.Text([]byte(found.Text(term)), false)
	}
	raw, err := json.Marshal(found)
	if err != nil {
		return err
	}
	return term.Text(append(raw, '\n'), false)
}
