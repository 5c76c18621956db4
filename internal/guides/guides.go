// Package guides reads what the guides of this repository show: blocks of code, and what programs print. The tests
// hold them against the programs themselves.
package guides

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// A Block is a fenced block of a guide.
type Block struct {
	Language string // what stands behind the fence: "go", "sh", "text"
	Text     string // its lines, each with its end
}

// Files returns the guides below a folder and the pages beside it, README.md and the like.
func Files(root string) (files []string, err error) {
	if files, err = filepath.Glob(filepath.Join(root, "*.md")); err != nil {
		return nil, err
	}
	err = filepath.WalkDir(filepath.Join(root, "docs"), func(path string, entry fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(entry.Name(), ".md") {
			files = append(files, path)
		}
		return err
	})
	return files, err
}

// Blocks returns the blocks of a guide, in its order.
func Blocks(guide string) (blocks []Block, err error) {
	text, err := os.ReadFile(guide)
	for i, part := range strings.Split("\n"+string(text), "\n```") {
		if i%2 == 1 {
			language, body, _ := strings.Cut(part, "\n")
			blocks = append(blocks, Block{Language: language, Text: body + "\n"})
		}
	}
	return blocks, err
}

// A Program is a complete program in a guide, and what the guide says that it prints.
type Program struct {
	Source string
	Output string // "" if the guide does not say
}

// Programs returns the programs of a guide: blocks of Go that begin with the comment of a command. The first block of
// text is what the first program prints, and so on.
func Programs(guide string) (programs []Program, err error) {
	blocks, err := Blocks(guide)
	outputs := []string{}
	for _, b := range blocks {
		switch {
		case b.Language == "text":
			outputs = append(outputs, b.Text)
		case b.Language == "go" && strings.HasPrefix(b.Text, "// Command "):
			programs = append(programs, Program{Source: b.Text})
		}
	}
	for i := range min(len(programs), len(outputs)) {
		programs[i].Output = outputs[i]
	}
	return programs, err
}

// Printing returns the programs that the guides below root have and whose folders a pattern matches, by folder: those
// of which a guide says what they print.
func Printing(root, pattern string) (map[string]Program, error) {
	pages, err := Files(root)
	if err != nil {
		return nil, err
	}
	found := map[string]Program{}
	for _, page := range pages {
		programs, err := Programs(page)
		if err != nil {
			return nil, err
		}
		for _, p := range programs {
			if folder := p.Folder(pattern); folder != "" && p.Output != "" {
				found[folder] = p
			}
		}
	}
	return found, nil
}

// Folder returns where the program is among the folders that a pattern matches, "" if it is in none, or not as it is.
func (p Program) Folder(pattern string) string {
	folders, _ := filepath.Glob(pattern) // the pattern is a constant
	for _, folder := range folders {
		source, err := os.ReadFile(filepath.Join(folder, "main.go"))
		if err == nil && string(source) == p.Source {
			return folder
		}
	}
	return ""
}

var (
	// The lines of a report begin with what they are about: "  bound by  ".
	ofReport = regexp.MustCompile(`(?m)^  ([a-z]+( [a-z]+)?)  .*$`)
	expected = regexp.MustCompile(`(?m)^  (predicted|at best) .*\n`) // there if the run was foreseen
	rate     = regexp.MustCompile(`\b[\d.]+( million)? items/s`)
	duration = regexp.MustCompile(`\b(\d[\d.]*(ns|µs|ms|s|m|h))+\b`)
)

// Normalized returns what a program printed without what differs from run to run: durations, rates, and what the
// lines of a report say, since a busy machine may be what limits a run.
func Normalized(output string) string {
	output = ofReport.ReplaceAllString(expected.ReplaceAllString(output, ""), "$1")
	return duration.ReplaceAllString(rate.ReplaceAllString(output, "0 items/s"), "0s")
}
