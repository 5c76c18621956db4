package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

// simulatedSuite runs calls of simulated services.
func simulatedSuite(o options) { inVirtualTime(o, "TestSimulated") }

// concurrencySuite runs servers that protect a simulated service.
func concurrencySuite(o options) { inVirtualTime(o, "TestConcurrency") }

// inVirtualTime runs a test, since that exists in tests only, and prints what it has
// written.
func inVirtualTime(o options, name string) {
	dir, err := os.MkdirTemp("", "amorsize-simulated-")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "tables.md")
	test := exec.Command("go", "test", "-count=1", "-timeout=1h", "-run=^"+name+"$", ".",
		"-args", "-out", path, "-seeds", strconv.Itoa(o.seeds), "-peers="+strconv.FormatBool(o.peers))
	test.Stdout, test.Stderr = os.Stderr, os.Stderr
	o.require(test.Run() == nil, "%s: see above", name)
	text, err := os.ReadFile(path)
	if err != nil {
		panic(err)
	}
	fmt.Fprintf(o.out, "%s", text)
}
