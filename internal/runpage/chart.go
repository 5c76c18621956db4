package runpage

import (
	"fmt"
	"html"
	"html/template"
	"math"
	"slices"
	"strings"
)

// Chart is a drawing of a few series over a common axis, as SVG whose colors are
// the page's.
type Chart struct {
	Title  string
	XLabel string
	YLabel string
	X      func(float64) string // writes a value of the axis
	Y      func(float64) string
	LogX   bool
	Time   bool    // the axis is of time in seconds: it begins at 0, and its ticks are round
	End    float64 // of a time axis, so that several are alike; 0 is that of the latest point
	Series []Series
}

// Series is a line, a cloud of dots, or bars.
type Series struct {
	Name  string
	Class string // s1, s2, …: its color
	Kind  string // "line", "step", "dots", "bars"
	Pts   []Point
}

// Point is a point of a series.
type Point struct{ X, Y, To float64 } // To is the end of a bar on the axis

const (
	width, height            = 640, 240
	left, right, top, bottom = 64, 16, 28, 40
)

// Empty reports whether there is nothing to draw.
func (c Chart) Empty() bool {
	for _, s := range c.Series {
		if len(s.Pts) > 0 {
			return false
		}
	}
	return true
}

// bounds returns the ranges of the axes; y begins at 0. There is no 0 on a logarithmic
// axis: what lies there is drawn at its beginning.
func (c Chart) bounds() (x0, x1, y1 float64) {
	x0, x1, y1 = c.extent()
	if c.Time {
		x0, x1 = 0, max(x1, c.End)
	}
	if c.LogX && x1 <= 0 {
		x0, x1 = 1, 10
	}
	if !c.LogX && len(c.Series) > 0 && c.Series[0].Kind != "bars" {
		x0 = min(x0, 0)
	}
	if x1 <= x0 {
		x1 = x0 + 1
	}
	if y1 <= 0 {
		y1 = 1
	}
	return x0, x1, y1 * 1.05
}

// extent returns the ranges of what there is to draw.
func (c Chart) extent() (x0, x1, y1 float64) {
	x0, x1 = math.Inf(1), math.Inf(-1)
	for _, s := range c.Series {
		for _, p := range s.Pts {
			x1, y1 = max(x1, p.X, p.To), max(y1, p.Y)
			for _, x := range []float64{p.X, p.To} {
				if x > 0 || !c.LogX && x == p.X {
					x0 = min(x0, x)
				}
			}
		}
	}
	return x0, x1, y1
}

// SVG draws the chart.
func (c Chart) SVG() template.HTML {
	x0, x1, y1 := c.bounds()
	scaleX := func(x float64) float64 {
		if c.LogX {
			x = max(x, x0)
			return left + (math.Log(x)-math.Log(x0))/(math.Log(x1)-math.Log(x0))*(width-left-right)
		}
		return left + (x-x0)/(x1-x0)*(width-left-right)
	}
	scaleY := func(y float64) float64 { return height - bottom - y/y1*(height-top-bottom) }
	var b strings.Builder
	fmt.Fprintf(&b, `<svg viewBox="0 0 %d %d" role="img" aria-label="%s">`, width, height, html.EscapeString(c.Title))
	for _, y := range ticks(0, y1, 4) {
		fmt.Fprintf(&b, `<line class="grid" x1="%d" x2="%d" y1="%.1f" y2="%.1f"/><text class="tick" text-anchor="end" x="%d" y="%.1f">%s</text>`,
			left, width-right, scaleY(y), scaleY(y), left-6, scaleY(y)+4, html.EscapeString(c.Y(y)))
	}
	for _, x := range c.ticksX(x0, x1) {
		fmt.Fprintf(&b, `<text class="tick" text-anchor="middle" x="%.1f" y="%d">%s</text>`, scaleX(x), height-bottom+16, html.EscapeString(c.X(x)))
	}
	fmt.Fprintf(&b, `<text class="label" text-anchor="middle" x="%d" y="%d">%s</text>`, (left+width-right)/2, height-6, html.EscapeString(c.XLabel))
	fmt.Fprintf(&b, `<text class="label" x="4" y="14">%s</text>`, html.EscapeString(c.YLabel))
	c.legend(&b)
	for _, s := range c.Series {
		s.draw(&b, scaleX, scaleY)
	}
	b.WriteString("</svg>")
	return template.HTML(b.String()) //nolint:gosec // every text in it is escaped
}

func (c Chart) legend(b *strings.Builder) {
	if len(c.Series) < 2 {
		return
	}
	x := width - right
	for _, s := range slices.Backward(c.Series) {
		x -= 8*len([]rune(s.Name)) + 22
		fmt.Fprintf(b, `<rect class="%s fill" x="%d" y="6" width="10" height="10"/><text class="tick" x="%d" y="15">%s</text>`,
			s.Class, x, x+14, html.EscapeString(s.Name))
	}
}

func (s Series) draw(b *strings.Builder, scaleX, scaleY func(float64) float64) {
	switch s.Kind {
	case "dots":
		for _, p := range s.Pts {
			fmt.Fprintf(b, `<circle class="%s fill" cx="%.1f" cy="%.1f" r="3"/>`, s.Class, scaleX(p.X), scaleY(p.Y))
		}
	case "bars":
		for _, p := range s.Pts {
			fmt.Fprintf(b, `<rect class="%s fill" x="%.1f" y="%.1f" width="%.1f" height="%.1f"/>`, s.Class,
				scaleX(p.X)+0.5, scaleY(p.Y), max(0.5, scaleX(p.To)-scaleX(p.X)-1), max(0, scaleY(0)-scaleY(p.Y)))
		}
	default:
		var path strings.Builder
		for i, p := range s.Pts {
			switch {
			case i == 0:
				fmt.Fprintf(&path, "M%.1f %.1f", scaleX(p.X), scaleY(p.Y))
			case s.Kind == "step":
				fmt.Fprintf(&path, "H%.1fV%.1f", scaleX(p.X), scaleY(p.Y))
			default:
				fmt.Fprintf(&path, "L%.1f %.1f", scaleX(p.X), scaleY(p.Y))
			}
		}
		fmt.Fprintf(b, `<path class="%s line" d="%s"/>`, s.Class, path.String())
	}
}

func (c Chart) ticksX(x0, x1 float64) []float64 {
	if c.Time && x1 > 90 {
		return timeTicks(x1)
	}
	if !c.LogX {
		return ticks(x0, x1, 6)
	}
	var list []float64
	for decade := math.Pow(10, math.Floor(math.Log10(x0))); decade <= x1; decade *= 10 {
		for _, m := range []float64{1, 2, 5} {
			if x := m * decade; x >= x0 && x <= x1 {
				list = append(list, x)
			}
		}
	}
	if len(list) < 2 {
		return []float64{x0, x1}
	}
	return list
}

// timeTicks returns round times up to end, five at most and the beginning.
func timeTicks(end float64) (list []float64) {
	step := 86400.0
	for _, s := range []float64{30, 60, 120, 300, 600, 1800, 3600, 7200, 14400, 43200} {
		if end/s <= 5 {
			step = s
			break
		}
	}
	for end/step > 6 { // of days
		step *= 2
	}
	for i := 0.0; i*step <= end; i++ {
		list = append(list, i*step)
	}
	return list
}

// ticks returns round numbers from low to high, about n.
func ticks(low, high float64, n int) []float64 {
	raw := (high - low) / float64(n)
	step := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, m := range []float64{1, 2, 5, 10} {
		if m*step >= raw {
			step *= m
			break
		}
	}
	var list []float64
	for i := math.Ceil(low / step); i*step <= high; i++ {
		list = append(list, i*step)
	}
	return list
}
