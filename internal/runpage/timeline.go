package runpage

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Moment is what a run was like at a time. Times are seconds.
type Moment struct {
	At       float64
	Limit    int
	InFlight int
	Rate     float64 // items a second
	Latency  float64 // mean of a call; 0 if it was not measured
}

// Bin is a part of a histogram of how long calls took, in seconds.
type Bin struct {
	From, To float64
	Count    int64
}

// Names are what the page calls things: "job" or "call".
type Names struct{ Call string }

// OverTime draws a run over time, on time axes that are alike.
func (n Names) OverTime(moments []Moment) []Drawing {
	var limit, flight, rate, latency []Point
	end := 0.0
	for _, m := range moments {
		end = max(end, m.At)
		limit = append(limit, Point{X: m.At, Y: float64(m.Limit)})
		flight = append(flight, Point{X: m.At, Y: float64(m.InFlight)})
		rate = append(rate, Point{X: m.At, Y: m.Rate})
		if m.Latency > 0 {
			latency = append(latency, Point{X: m.At, Y: m.Latency})
		}
	}
	over := func(title, caption, label string, y func(float64) string, list ...Series) Drawing {
		c := Chart{Title: title, XLabel: "time", YLabel: label, X: Clock, Y: y, Time: true, End: end, Series: list}
		return Draw(c, caption, "The run was too short for a timeline.")
	}
	return []Drawing{
		over("Limit and in flight", "How many "+n.Call+"s were allowed in flight, and how many were.", n.Call+"s", Plain,
			Series{"limit", "s1", "step", limit}, Series{"in flight", "s2", "step", flight}),
		over("Goodput", "Items finished per second.", "items/s", Plain, Series{"items/s", "s3", "line", rate}),
		over("Latency", "What a "+n.Call+" took, without the time it waited for policies.", "", Short, Series{"mean", "s4", "line", latency}),
	}
}

// Histogram draws how long calls took; nothing if there are none.
func (n Names) Histogram(bins []Bin) []Drawing {
	if len(bins) == 0 {
		return nil
	}
	var bars []Point
	for _, b := range bins {
		bars = append(bars, Point{X: b.From, To: b.To, Y: float64(b.Count)})
	}
	c := Chart{Title: "Latency histogram", XLabel: "time of a " + n.Call, YLabel: n.Call + "s", X: Short, Y: Plain, LogX: true,
		Series: []Series{{n.Call + "s", "s1", "bars", bars}}}
	return []Drawing{Draw(c, "How many "+n.Call+"s took how long.", "")}
}

// Scaling draws what was achieved with how many calls in flight; nothing if that is not known.
func (n Names) Scaling(moments []Moment, hint string) []Drawing {
	var dots []Point
	for _, m := range moments {
		if m.InFlight > 0 && m.Rate > 0 {
			dots = append(dots, Point{X: float64(m.InFlight), Y: m.Rate})
		}
	}
	if len(dots) == 0 {
		return nil
	}
	c := Chart{Title: "Scaling", XLabel: n.Call + "s in flight", YLabel: "items/s", X: Plain, Y: Plain, Series: []Series{{"items/s", "s3", "dots", dots}}}
	return []Drawing{Draw(c, strings.TrimSpace("Throughput against the number of "+n.Call+"s in flight, a dot for each moment. "+hint), "")}
}

// Plain writes a number with four digits.
func Plain(x float64) string { return strconv.FormatFloat(x, 'g', 4, 64) }

// Short writes a number of seconds with three digits.
func Short(s float64) string {
	d := time.Duration(s * float64(time.Second))
	switch {
	case s == 0:
		return "0"
	case d < time.Microsecond:
		return fmt.Sprintf("%d ns", d)
	case d < time.Millisecond:
		return fmt.Sprintf("%.3g µs", s*1e6)
	case d < time.Second:
		return fmt.Sprintf("%.3g ms", s*1e3)
	case d < 2*time.Minute:
		return fmt.Sprintf("%.3g s", s)
	}
	return Clock(s)
}

// Clock writes a time of an axis: in one unit, if it is a round number of it.
func Clock(s float64) string {
	switch {
	case s == 0:
		return "0"
	case s < 60:
		return strconv.FormatFloat(s, 'g', 3, 64) + " s"
	case s < 3600:
		return join(s, 60, "min", "s")
	case s < 86400:
		return join(s, 3600, "h", "min")
	}
	return join(s, 86400, "d", "h")
}

// join writes s in units of so many seconds, and what is left in the next one.
func join(s, unit float64, name, next string) string {
	below := map[string]float64{"s": 1, "min": 60, "h": 3600}[next]
	whole := int(s / unit)
	text := fmt.Sprintf("%d %s", whole, name)
	if rest := int((s-float64(whole)*unit)/below + 0.5); rest > 0 {
		text += fmt.Sprintf(" %d %s", rest, next)
	}
	return text
}
