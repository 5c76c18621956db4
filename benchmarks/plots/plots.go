// Package plots draws what the engine does with simulated services over time:
// the limit, the calls in flight, goodput and latency.
//
//	go test -C benchmarks ./plots -args -out ../../docs/plots
//
// It is a test, since virtual time (testing/synctest) exists in tests only.
package plots

import (
	"fmt"
	"image/color"
	"math"
	"os"
	"slices"
	"strconv"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/amorsizetest"
)

// Colours that can be told apart by most eyes (Okabe and Ito, 2008).
var (
	blue   = color.RGBA{0x00, 0x72, 0xb2, 0xff}
	orange = color.RGBA{0xd5, 0x5e, 0x00, 0xff}
	green  = color.RGBA{0x00, 0x9e, 0x73, 0xff}
	grey   = color.RGBA{0x99, 0x99, 0x99, 0xff}
)

// best is what the best fixed number of calls in flight achieves from a time on.
type best struct {
	from           time.Duration
	rate, inFlight float64
}

// figure is a run to be drawn.
type figure struct {
	title    string
	report   amorsize.Report
	timeline amorsizetest.Timeline
	best     []best
}

// write draws three panels, one below the other, over the same time.
func (f figure) write(path string) error {
	panels := [][]*plot.Plot{{f.flight()}, {f.goodput()}, {f.latency()}}
	canvas := vgsvg.New(18*vg.Centimeter, 16*vg.Centimeter)
	tiles := draw.Tiles{Rows: 3, Cols: 1, PadY: vg.Millimeter * 3, PadTop: vg.Millimeter, PadBottom: vg.Millimeter, PadLeft: vg.Millimeter, PadRight: vg.Millimeter * 3}
	whole := draw.New(canvas)
	whole.SetColor(color.White) // one box behind all: panels differ in what stands left of their axes
	whole.Fill(whole.Path())
	canvases := plot.Align(panels, tiles, whole)
	for i := range panels {
		panels[i][0].Draw(canvases[i][0])
	}
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	if _, err := canvas.WriteTo(out); err != nil {
		return err
	}
	return out.Close()
}

func (f figure) panel(title, y string) *plot.Plot {
	plot.DefaultFont.Variant = "Sans"
	p := plot.New()
	p.Title.Text, p.Y.Label.Text = title, y
	p.X.Min, p.X.Max = 0, f.timeline.Until.Seconds()
	p.Y.Min = 0
	p.Legend.Top, p.Legend.Left = true, false
	p.Legend.ThumbnailWidth, p.Legend.Padding, p.Legend.XOffs = vg.Points(12), vg.Millimeter, -vg.Millimeter
	p.Legend.TextStyle.Font.Size = vg.Points(8)
	p.BackgroundColor = color.Transparent
	p.X.Tick.Marker, p.Y.Tick.Marker = round{6}, round{4}
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = color.Gray{0xe4}, color.Gray{0xe4}
	p.Add(grid)
	return p
}

// round marks round numbers, about so many.
type round struct{ n float64 }

// Ticks implements [plot.Ticker].
func (r round) Ticks(low, high float64) (marks []plot.Tick) {
	raw := (high - low) / r.n
	step := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, m := range []float64{1, 2, 5, 10} {
		if m*step >= raw {
			step *= m
			break
		}
	}
	for i := math.Ceil(low / step); i*step <= high*(1+1e-9); i++ {
		marks = append(marks, plot.Tick{Value: i * step, Label: strconv.FormatFloat(i*step, 'g', 6, 64)})
	}
	return marks
}

func (f figure) flight() *plot.Plot {
	p := f.panel(f.title, "calls")
	var limit, inFlight, ideal plotter.XYs
	for _, m := range f.report.Timeline {
		limit = append(limit, plotter.XY{X: m.At.Seconds(), Y: float64(m.Limit)})
	}
	for _, w := range f.windows() {
		inFlight = append(inFlight, plotter.XY{X: (w.From + w.Until).Seconds() / 2, Y: w.MeanInFlight()})
	}
	for i, b := range f.best {
		ideal = append(ideal, plotter.XY{X: b.from.Seconds(), Y: b.inFlight}, plotter.XY{X: f.until(i).Seconds(), Y: b.inFlight})
	}
	add(p, "best fixed", ideal, grey, false)
	add(p, "limit", limit, blue, true)
	add(p, "in flight", inFlight, orange, false)
	return p
}

func (f figure) goodput() *plot.Plot {
	p := f.panel("", "answered calls/s")
	var got, ideal plotter.XYs
	for _, w := range f.windows() {
		got = append(got, plotter.XY{X: (w.From + w.Until).Seconds() / 2, Y: w.Goodput()})
	}
	for i, b := range f.best {
		ideal = append(ideal, plotter.XY{X: b.from.Seconds(), Y: b.rate}, plotter.XY{X: f.until(i).Seconds(), Y: b.rate})
	}
	add(p, "best fixed", ideal, grey, false)
	add(p, "goodput", got, green, false)
	return p
}

func (f figure) latency() *plot.Plot {
	p := f.panel("", "latency, ms")
	p.X.Label.Text = "seconds"
	var median, p99, base plotter.XYs
	for _, w := range f.windows() {
		at := (w.From + w.Until).Seconds() / 2
		if w.Succeeded() == 0 {
			continue
		}
		median = append(median, plotter.XY{X: at, Y: w.Latency(0.5).Seconds() * 1000})
		p99 = append(p99, plotter.XY{X: at, Y: w.Latency(0.99).Seconds() * 1000})
	}
	for _, m := range f.report.Timeline {
		if m.Base > 0 {
			base = append(base, plotter.XY{X: m.At.Seconds(), Y: m.Base.Seconds() * 1000})
		}
	}
	add(p, "99 %", p99, orange, false)
	add(p, "median", median, green, false)
	add(p, "unloaded, as learned", base, blue, true)
	return p
}

func (f figure) until(i int) time.Duration {
	if i+1 < len(f.best) {
		return f.best[i+1].from
	}
	return f.timeline.Until
}

// windows cuts the timeline into equal parts.
func (f figure) windows() (all []amorsizetest.Timeline) {
	const parts = 120
	for i := range time.Duration(parts) {
		all = append(all, f.timeline.Between(f.timeline.Until*i/parts, f.timeline.Until*(i+1)/parts))
	}
	return all
}

// add draws a line; steps keeps each value until the next one.
func add(p *plot.Plot, name string, xys plotter.XYs, c color.Color, steps bool) {
	xys = slices.DeleteFunc(xys, func(v plotter.XY) bool { return math.IsNaN(v.Y) || math.IsInf(v.Y, 0) })
	if len(xys) == 0 {
		return
	}
	line, err := plotter.NewLine(xys)
	if err != nil {
		panic(fmt.Sprintf("plots: %s: %v", name, err)) // the values are checked
	}
	line.Color, line.Width = c, vg.Points(1.2)
	if steps {
		line.StepStyle = plotter.PostStep
	}
	p.Add(line)
	p.Legend.Add(name+"  ", line) // fonts differ in width: the line is not to strike through it
	for _, v := range xys {
		p.Y.Max = max(p.Y.Max, v.Y*1.4) // room for the legend
	}
}
