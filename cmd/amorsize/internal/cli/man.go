package cli

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
)

func newMan() *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use:   "man [command]",
		Short: "Print the manual page, or write all of them to a directory",
		Example: `  amorsize man run | man -l -
  amorsize man --dir /usr/local/share/man/man1`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			root := c.Root()
			root.DisableAutoGenTag = true
			header := func() *doc.GenManHeader {
				date := this().dated()
				return &doc.GenManHeader{Section: "1", Source: "amorsize " + version(), Manual: "Amorsize", Date: &date}
			}
			if dir != "" {
				if err := os.MkdirAll(dir, 0o755); err != nil {
					return exit.Usagef("--dir: %w", err)
				}
				return doc.GenManTree(root, header(), filepath.Clean(dir))
			}
			of := root
			if len(args) == 1 {
				found, _, err := root.Find(args)
				if err != nil {
					return exit.Usage(err)
				}
				of = found
			}
			return doc.GenMan(of, header(), os.Stdout)
		},
	}
	c.Flags().StringVar(&dir, "dir", "", "write a page for each command to this `directory`")
	return c
}

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Println(this())
			return err
		},
	}
}
