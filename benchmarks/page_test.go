package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWriteSection(t *testing.T) {
	path := filepath.Join(t.TempDir(), "page.md")
	before := "# Page\n<!-- suite: cpu -->\nold\n<!-- end -->\nbetween\n<!-- suite: small -->\n<!-- end -->\nafter\n"
	for _, c := range []struct{ suite, text, want, err string }{
		{"cpu", "\nnew\n", "# Page\n<!-- suite: cpu -->\n\nnew\n\n<!-- end -->\nbetween\n<!-- suite: small -->\n<!-- end -->\nafter\n", ""},
		{"small", "new", "# Page\n<!-- suite: cpu -->\nold\n<!-- end -->\nbetween\n<!-- suite: small -->\n\nnew\n\n<!-- end -->\nafter\n", ""},
		{"io", "new", before, `no section "<!-- suite: io -->"`},
	} {
		if err := os.WriteFile(path, []byte(before), 0o600); err != nil {
			t.Fatal(err)
		}
		err := writeSection(path, c.suite, c.text)
		if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: error %v, want %q", c.suite, err, c.err)
		}
		if got, _ := os.ReadFile(path); string(got) != c.want {
			t.Errorf("%s: page\n%s\nwant\n%s", c.suite, got, c.want)
		}
	}
}

func TestSectionWithoutEnd(t *testing.T) {
	for _, page := range []string{"<!-- suite: cpu -->\n", "<!-- suite: cpu -->\n<!-- suite: small -->\n<!-- end -->\n"} {
		if _, _, err := section([]byte(page), "cpu"); err == nil {
			t.Errorf("no error for %q", page)
		}
	}
}

// TestPageHasSections finds a suite that is not in the documentation.
func TestPageHasSections(t *testing.T) {
	if err := sections("../docs/benchmarks.md", suites); err != nil {
		t.Error(err)
	}
}

func TestClaims(t *testing.T) {
	var c claims
	c.atMost("price", 2, 3)
	c.atLeast("goodput", 0.9, 0.8)
	if len(c.missed) > 0 {
		t.Errorf("claims hold, but %q", c.missed)
	}
	c.atMost("price", 4, 3)
	c.atLeast("goodput", 0.7, 0.8)
	if want := "price: 4.00, and ≤ 3.00 is claimed"; len(c.missed) != 2 || c.missed[0] != want {
		t.Errorf("missed %q, want two, the first %q", c.missed, want)
	}
}
