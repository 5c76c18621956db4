//go:build unix

package main

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/internal/guides"
)

// elsewhere are command lines of the documents that are not run here, by a part of them, and why.
var elsewhere = map[string]string{
	"…":                          "a sketch",
	"list|show|results":          "a sketch",
	"postgres://host":            "needs a PostgreSQL of that name",
	"--on sqlite:":               "needs amorsize-remote, whose tests run lines of that kind",
	"git clone":                  "there is no network here",
	"go get ":                    "there is no network here",
	"go mod init first":          "there is no network here for what follows",
	"@latest":                    "there is no network here",
	"go run ./examples/":         "run by the tests of examples, and by .ci/run",
	"go run -C examples/drivers": "run by scripts/examples.sh",
	"go test ./":                 "run by .ci/run",
	"bash scripts/durable.sh":    "run by scripts/remote.sh",
	"go run -C benchmarks . -wr": "takes an hour, and writes",
	"`amorsize run --log`":       "no line, but a flag",
	"`amorsize run --live :0`":   "no line, but a flag; run by scripts/live.sh",
	"`amorsize worker`":          "no line, but a name",
	"`amorsize report`":          "no line, but a name",
	"`amorsize doctor`":          "its status is that of the machine: run by TestExamine of checkup",
}

// Every command line of the documents is run, as it stands there but for hosts, or has a reason.
func TestCommandLinesOfDocuments(t *testing.T) {
	dir, bin := t.TempDir(), t.TempDir()
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"id":"x","usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}`+"\n")
	}))
	defer service.Close()
	require.NoError(t, os.Rename(build(t), filepath.Join(bin, "amorsize")))
	for name, text := range map[string]string{
		"ids": "1\n2\n", "orders": `{"id":"a"}` + "\n", "order.json": `{"order":"{id}"}`, "urls": service.URL + "/a\n" + service.URL + "/b\n",
		"batch.jsonl": `{"custom_id":"1","method":"POST","url":"/v1/chat/completions","body":{"model":"m","messages":[]}}` + "\n",
		"a.png":       "", "b.png": "", "a.jpg": "", "text": strings.Repeat("text\n", 1000),
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	stand := "#!/bin/sh\nexit 0\n"
	for _, name := range []string{"optipng", "convert"} {
		require.NoError(t, os.WriteFile(filepath.Join(bin, name), []byte(stand), 0o700))
	}
	environment := append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "AMORSIZE_HISTORY="+filepath.Join(dir, "history"),
		"OPENAI_API_KEY=none", "GOBIN="+bin, "GOARCH=", "GOOS=") // a reader's shell: go refuses to install there for another machine
	sh := func(line string) string {
		said := line
		line = regexp.MustCompile(`https://api\.(example|openai)\.com|\bURL\b`).ReplaceAllString(line, service.URL)
		cmd := exec.CommandContext(t.Context(), "sh", "-c", line)
		cmd.Dir, cmd.Env = dir, environment
		if strings.HasPrefix(line, "go install") {
			cmd.Dir = "../.."
		}
		cmd.Stdin = strings.NewReader("1\n2\n3\n")
		var out, errs strings.Builder
		cmd.Stdout, cmd.Stderr = &out, &errs
		require.NoError(t, cmd.Run(), "%s\n%s%s", said, &out, &errs)
		return out.String()
	}
	sh("amorsize run --log run.jsonl -- true {}")
	ran, excused, compared, used := 0, 0, 0, map[string]bool{}
	for _, lines := range commandLines(t) {
		var out strings.Builder
		for _, line := range lines.typed {
			if part, why := excuse(line); why != "" {
				excused++
				used[part] = true
				t.Logf("%s: %s", line, why)
				continue
			}
			out.WriteString(sh(strings.Trim(line, "`")))
			ran++
		}
		if lines.prints != "" && out.Len() > 0 {
			require.Equal(t, guides.Normalized(lines.prints), guides.Normalized(out.String()), "%q", lines.typed)
			compared++
		}
	}
	require.Len(t, used, len(elsewhere), "reasons of lines that are no longer there")
	require.Positive(t, compared)
	t.Logf("command lines of the documents: %d run, the output of %d compared, %d not run here, for the reasons above", ran, compared, excused)
}

// excuse returns why a line is not run, "" if it is, and the first of the parts that say so.
func excuse(line string) (part, why string) {
	for _, part := range slices.Sorted(maps.Keys(elsewhere)) {
		if strings.Contains(line, part) {
			return part, elsewhere[part]
		}
	}
	return "", ""
}

// lines are command lines that stand together, and what the block of text behind them says that they print.
type lines struct {
	typed  []string
	prints string
}

// commandLines are the lines of blocks for a shell, and what stands in backquotes and begins like a line of amorsize.
func commandLines(t *testing.T) (found []lines) {
	t.Helper()
	pages, err := guides.Files("../..")
	require.NoError(t, err)
	pages = slices.DeleteFunc(pages, func(page string) bool {
		return filepath.Base(page) == "CHANGELOG.md" || filepath.Base(page) == "CONTRIBUTING.md" // what was, and what takes long
	})
	inline := regexp.MustCompile("`(ls [^`]*\\| )?amorsize (run|http|exec|profile|tune|watch|doctor|retry|report|history|worker|runs|man) ?[^`]*`")
	for _, page := range pages {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		prose := regexp.MustCompile("(?ms)^```.*?^```").ReplaceAllString(string(text), "")
		prose = regexp.MustCompile(`([^\n])\n([^\n])`).ReplaceAllString(prose, "$1 $2") // prose is wrapped anywhere
		found = append(found, lines{typed: inline.FindAllString(prose, -1)})
		blocks, err := guides.Blocks(page)
		require.NoError(t, err)
		for i, block := range blocks {
			of := lines{typed: typed(block)}
			if i+1 < len(blocks) && blocks[i+1].Language == "text" {
				of.prints = blocks[i+1].Text
			}
			found = append(found, of)
		}
	}
	return found
}

// typed are the command lines of a block.
func typed(block guides.Block) (lines []string) {
	for line := range strings.Lines(strings.ReplaceAll(block.Text, "\\\n", "")) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if block.Language == "sh" || strings.HasPrefix(line, "amorsize ") && !strings.Contains(line, ":") || strings.HasPrefix(line, "amorsize http ") {
			lines = append(lines, line)
		}
	}
	return lines
}
