package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
)

// A page of the documentation has a section for a suite between these lines.
const sectionEnd = "<!-- end -->\n"

func sectionStart(suite string) string { return "<!-- suite: " + suite + " -->\n" }

// section returns where the text of a suite's section begins and ends in a page.
func section(page []byte, suite string) (from, to int, err error) {
	start := []byte(sectionStart(suite))
	at := bytes.Index(page, start)
	if at < 0 {
		return 0, 0, fmt.Errorf("no section %q", strings.TrimSpace(string(start)))
	}
	from = at + len(start)
	length := bytes.Index(page[from:], []byte(sectionEnd))
	if next := bytes.Index(page[from:], []byte("<!-- suite: ")); length < 0 || next >= 0 && next < length {
		return 0, 0, fmt.Errorf("section %q has no end", suite)
	}
	return from, from + length, nil
}

// sections returns an error unless the page at path has a section for each suite.
func sections(path string, suites []suite) error {
	page, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	for _, s := range suites {
		if _, _, err := section(page, s.name); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return nil
}

// writeSection replaces the section of a suite in the page at path.
func writeSection(path, suite, text string) error {
	page, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	from, to, err := section(page, suite)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	var b bytes.Buffer
	b.Write(page[:from])
	b.WriteString("\n" + strings.TrimSpace(text) + "\n\n")
	b.Write(page[to:])
	return os.WriteFile(path, b.Bytes(), 0o644)
}
