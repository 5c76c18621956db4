package runpage

import (
	"encoding/xml"
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// drawable reports that an SVG is well-formed, with every number within the drawing.
func drawable(t *testing.T, svg string) {
	t.Helper()
	require.NotContains(t, svg, "NaN")
	require.NotContains(t, svg, "Inf")
	d := xml.NewDecoder(strings.NewReader(svg))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		require.NoError(t, err)
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		for _, a := range start.Attr {
			switch a.Name.Local {
			case "x", "x1", "x2", "cx", "y", "y1", "y2", "cy", "width", "height":
				n, err := strconv.ParseFloat(a.Value, 64)
				require.NoError(t, err)
				require.GreaterOrEqual(t, n, -100.0)
				require.LessOrEqual(t, n, 700.0)
			}
		}
	}
}

func TestChart(t *testing.T) {
	for name, pts := range map[string][]Point{
		"none":      nil,
		"one":       {{X: 3, Y: 7}},
		"zero":      {{X: 0, Y: 0}},
		"some":      {{X: 1, Y: 2}, {X: 2, Y: 0}, {X: 500, Y: 1e9}},
		"from zero": {{X: 0, To: 0.001, Y: 4}, {X: 0.001, To: 0.002, Y: 9}},
		"alike":     {{X: 5, To: 5, Y: 1}, {X: 5, To: 5, Y: 1}},
	} {
		for _, kind := range []string{"line", "step", "dots", "bars"} {
			for _, log := range []bool{false, true} {
				c := Chart{Title: `<a & "b">`, XLabel: "x", YLabel: "y", X: Plain, Y: Plain, LogX: log, Series: []Series{{"<s>", "s1", kind, pts}, {"t", "s2", kind, pts}}}
				require.Equal(t, len(pts) == 0, c.Empty(), name)
				if len(pts) > 0 {
					svg := string(c.SVG())
					drawable(t, svg)
					require.NotContains(t, svg, "<a &")
				}
			}
		}
	}
}

func TestTicks(t *testing.T) {
	require.Equal(t, []float64{0, 50, 100}, ticks(0, 105, 4))
	require.Equal(t, []float64{0, 0.5, 1}, ticks(0, 1.05, 4))
	require.Equal(t, []float64{20, 30, 40}, ticks(15, 45, 4))
	log := Chart{LogX: true}
	require.Equal(t, []float64{1, 2, 5, 10}, log.ticksX(1, 15))
	require.Equal(t, []float64{6, 7}, log.ticksX(6, 7), "no round number is between them")
}

// Time axes are alike, begin at 0, and have round ticks, whatever time it is.
func TestTimeAxes(t *testing.T) {
	for end, want := range map[float64][]string{
		200: {"0", "1 min", "2 min", "3 min"}, 7000: {"0", "30 min", "1 h", "1 h 30 min"}, 90: nil,
		4e5: {"0", "1 d", "2 d", "3 d", "4 d"}, 2e6: {"0", "4 d", "8 d", "12 d", "16 d", "20 d"},
	} {
		c := Chart{Time: true}
		var got []string
		for _, x := range c.ticksX(0, end) {
			got = append(got, Clock(x))
			require.LessOrEqual(t, x, end)
		}
		if want != nil {
			require.Equal(t, want, got)
		}
	}
	drawings := Names{"call"}.OverTime([]Moment{{At: 5, Limit: 3, InFlight: 2, Rate: 7}, {At: 100, Limit: 4, InFlight: 1, Rate: 5, Latency: 0.1}})
	require.Len(t, drawings, 3)
	for _, d := range drawings {
		drawable(t, string(d.SVG))
		require.Contains(t, d.SVG, ">1 min 30 s</text>", d.Title)
	}
	require.Equal(t, "The run was too short for a timeline.", Names{"call"}.OverTime(nil)[0].Text)
	require.Empty(t, Names{"call"}.Histogram(nil))
	require.Empty(t, Names{"call"}.Scaling(nil, ""))
	require.Len(t, Names{"call"}.Histogram([]Bin{{0.001, 0.002, 4}}), 1)
	require.Len(t, Names{"call"}.Scaling([]Moment{{InFlight: 3, Rate: 4}}, "hint"), 1)
}

func TestTimes(t *testing.T) {
	for s, want := range map[float64]string{
		0: "0", 2e-9: "2 ns", 1.5e-5: "15 µs", 0.25: "250 ms", 1.5: "1.5 s", 90: "90 s", 150: "2 min 30 s", 3600: "1 h", 90000: "1 d 1 h",
	} {
		require.Equal(t, want, Short(s))
	}
	require.Equal(t, "1 min 30 s", Clock(90))
}

// A page says what it is given, and nothing else; texts are texts.
func TestPage(t *testing.T) {
	var b strings.Builder
	failed := make([]string, 250)
	for i := range failed {
		failed[i] = "<b>item</b>"
	}
	require.NoError(t, Page{Title: "A & B", Failed: failed, Reasons: []Share{{"<i>", "3", 100}}}.Write(&b))
	for _, want := range []string{"A &amp; B", "The first 200 of 250 failures.", "&lt;b&gt;item", "&lt;i&gt;"} {
		require.Contains(t, b.String(), want)
	}
	for _, never := range []string{"<b>item", "<script", "http://", "https://", "NaN", "<h2>Plan", "What bound it", "<code></code>"} {
		require.NotContains(t, b.String(), never)
	}
}

// What else is to be known is said whether an item has failed or not, and beside how many are not listed.
func TestPageNotes(t *testing.T) {
	for _, failed := range []int{0, 1, 250} {
		var b strings.Builder
		p := Page{Notes: []string{"Warning: <a>", "and another"}, Failed: make([]string, failed), All: "the log has all"}
		require.NoError(t, p.Write(&b))
		require.Contains(t, b.String(), "<p>Warning: &lt;a&gt;</p>\n<p>and another</p>\n")
		require.Equal(t, failed > 200, strings.Contains(b.String(), "The first 200 of 250 failures; the log has all."))
		require.Equal(t, failed > 200, strings.Contains(b.String(), "the log"))
	}
}
