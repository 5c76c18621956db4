package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

// simulatedSuite runs calls of simulated services, in virtual time. That exists in
// tests only, so it runs one, and prints what that has written.
func simulatedSuite(o options) {
	dir, err := os.MkdirTemp("", "amorsize-simulated-")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "tables.md")
	test := exec.Command("go", "test", "-count=1", "-timeout=1h", "-run=^TestSimulated$", ".",
		"-args", "-out", path, "-seeds", strconv.Itoa(o.seeds), "-peers="+strconv.FormatBool(o.peers))
	test.Stdout, test.Stderr = os.Stderr, os.Stderr
	o.require(test.Run() == nil, "simulated: see above")
	text, err := os.ReadFile(path)
	if err != nil {
		panic(err)
	}
	fmt.Fprintf(o.out, "%s", text)
}
