package htmlreport

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/usl"
)

// drawn returns what scaling says of a table, and the places along the axis of its dots and of the points of its line.
func drawn(t *testing.T, table Table) (text string, dots, line []float64) {
	t.Helper()
	d := scaling(table)
	places := func(pattern, in string) (list []float64) {
		for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(in, -1) {
			x, err := strconv.ParseFloat(match[1], 64)
			require.NoError(t, err)
			list = append(list, x)
		}
		return list
	}
	path := regexp.MustCompile(`<path class="s1 line" d="(.*?)"/>`).FindString(string(d.SVG))
	return d.Text, places(`<circle class="s3 fill" cx="([\d.]+)"`, string(d.SVG)), places(`[ML]([\d.]+) `, path)
}

// A dot is a rung, and the line goes from one worker to as many as the highest rung has, through each number between.
func TestScalingDrawsRungsAndTheLawFromOneWorkerOn(t *testing.T) {
	law := &usl.Fit{Lambda: 10, R2: 1}
	for name, c := range map[string]struct {
		table      Table
		dots, line []float64
	}{
		"three rungs": {Table{Rows: []Row{{4, 40}, {1, 10}, {2, 20}}, USL: law}, []float64{64, 344, 624}, []float64{64, 344, 507.8, 624}},
		"one rung":    {Table{Rows: []Row{{4, 40}}, USL: law}, []float64{624}, []float64{64, 344, 507.8, 624}},
		"no law":      {Table{Rows: []Row{{1, 10}, {4, 40}}}, []float64{64, 624}, nil},
		"no rung":     {Table{USL: law}, nil, nil}, // all were of batches
		"nothing":     {Table{}, nil, nil},
	} {
		text, dots, line := drawn(t, c.table)
		require.Equal(t, c.dots, dots, name)
		require.Equal(t, c.line, line, name)
		if len(c.dots) > 0 {
			require.Contains(t, text, "What each number of workers achieved.", name)
		}
		require.Equal(t, c.line != nil, strings.Contains(text, "the universal scalability law"), name)
	}
}

// A line to many workers looks smooth, and is not made of as many points.
func TestScalingDrawsALongLineWithFewPoints(t *testing.T) {
	_, _, line := drawn(t, Table{Rows: []Row{{1, 10}, {10_000, 100}}, USL: &usl.Fit{Lambda: 10, Sigma: 0.1}})
	require.Less(t, len(line), 200)
	for i, x := range line[1:] {
		if x > 344 { // beyond a hundred workers
			require.Less(t, x-line[i], 3.2)
		}
	}
	require.Greater(t, line[len(line)-1], 620.0, "it ends near the highest rung")
}
