// Package runpage draws a run as one HTML file that needs nothing else: no script, no network.
package runpage

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
)

//go:embed page.html.tmpl
var source string

// Page is what is drawn. What is empty is left out.
type Page struct {
	Title, Command string
	When           string   // and where
	Stopped        string   // why the run ended early
	Notes          []string // what else is to be known of it
	Plan, Why      string
	Bound, Change  string // what bound the run, and what would change that
	Facts          []Fact
	Charts         []Drawing
	Reasons        []Share
	Failed         []string // a line for each item
	All            string   // where all of those are, if they are too many for the page; "the log has all"
}

// Fact is a number with its name.
type Fact struct{ Name, Value string }

// Drawing is a chart with its caption, or the caption alone.
type Drawing struct {
	Title, Text string
	SVG         template.HTML
}

// Share is a part of a whole.
type Share struct {
	Name, Value string
	Percent     float64
}

// mostFailed is how many failures the page lists.
const mostFailed = 200

// Write writes the page.
func (p Page) Write(w io.Writer) error {
	t, err := template.New("page").Parse(source)
	if err != nil {
		return err
	}
	drawn := struct {
		Page
		Cut string
	}{Page: p}
	if n := len(p.Failed); n > mostFailed {
		drawn.Failed = p.Failed[:mostFailed]
		drawn.Cut = fmt.Sprintf("The first %d of %d failures", mostFailed, n)
		if p.All != "" {
			drawn.Cut += "; " + p.All
		}
		drawn.Cut += "."
	}
	return t.Execute(w, drawn)
}

// Draw returns the drawing of a chart with a caption, or what to say where there is nothing to
// draw.
func Draw(c Chart, caption, nothing string) Drawing {
	if c.Empty() {
		return Drawing{Title: c.Title, Text: nothing}
	}
	return Drawing{c.Title, caption, c.SVG()}
}
