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
	sh := func(line string) (string, error) {
		line = regexp.MustCompile(`https://api\.(example|openai)\.com|\bURL\b`).ReplaceAllString(line, service.URL)
		cmd := exec.CommandContext(t.Context(), "sh", "-c", line)
		cmd.Dir, cmd.Env = dir, environment
		if strings.HasPrefix(line, "go install") {
			cmd.Dir = "../.."
		}
		cmd.Stdin = strings.NewReader("1\n2\n3\n")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	out, err := sh("amorsize run --log run.jsonl -- true {}")
	require.NoError(t, err, out)
	ran, excused, used := 0, 0, map[string]bool{}
	for _, line := range commandLines(t) {
		if part, why := excuse(line); why != "" {
			excused++
			used[part] = true
			t.Logf("%s: %s", line, why)
			continue
		}
		out, err := sh(strings.Trim(line, "`"))
		require.NoError(t, err, "%s\n%s", line, out)
		ran++
	}
	require.Len(t, used, len(elsewhere), "reasons of lines that are no longer there")
	t.Logf("command lines of the documents: %d run, %d not run here, for the reasons above", ran, excused)
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

// commandLines are the lines of blocks for a shell, and what stands in backquotes and begins like a line of amorsize.
func commandLines(t *testing.T) (lines []string) {
	t.Helper()
	pages, err := guides.Files("../..")
	require.NoError(t, err)
	pages = slices.DeleteFunc(pages, func(page string) bool {
		return filepath.Base(page) == "CHANGELOG.md" || filepath.Base(page) == "CONTRIBUTING.md" // what was, and what takes long
	})
	inline := regexp.MustCompile("`(ls [^`]*\\| )?amorsize (run|http|exec|profile|tune|watch|doctor|retry|report|history|worker|runs|man) ?[^`]*`")
	for _, guide := range pages {
		raw, err := os.ReadFile(guide)
		require.NoError(t, err)
		parts := strings.Split(string(raw), "```")
		for i, part := range parts {
			if i%2 == 0 {
				lines = append(lines, inline.FindAllString(part, -1)...)
				continue
			}
			language, body, _ := strings.Cut(part, "\n")
			body = strings.ReplaceAll(body, "\\\n", "")
			for line := range strings.Lines(body) {
				line = strings.TrimSpace(line)
				if line == "" || strings.HasPrefix(line, "#") {
					continue
				}
				if language == "sh" || strings.HasPrefix(line, "amorsize ") && !strings.Contains(line, ":") || strings.HasPrefix(line, "amorsize http ") {
					lines = append(lines, line)
				}
			}
		}
	}
	return lines
}
