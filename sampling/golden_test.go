package sampling_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/sampling"
)

var update = flag.Bool("update", false, "write the samples into testdata, to be read before they are believed")

// TestSampled holds how much is sampled of which work, in which blocks, against a file
// that was read by eye: little of what is dear, a glance where much is left, all where
// more workers would gain nothing, and a close look for those who ask for it.
func TestSampled(t *testing.T) {
	var b strings.Builder
	for _, mode := range []struct {
		name string
		size int
		set  func(*sampling.Sampler)
	}{
		{"as Execute does", 0, func(*sampling.Sampler) {}},
		{"brief", 0, (*sampling.Sampler).Brief},
		{"patient", 0, (*sampling.Sampler).Patient},
		{"precise", 0, (*sampling.Sampler).Precise},
		{"250 asked for", 250, func(*sampling.Sampler) {}},
	} {
		for _, total := range []int{10, 300, 3000, 10_000_000} {
			for _, cost := range []time.Duration{10 * time.Nanosecond, time.Microsecond, 3 * time.Microsecond, 30 * time.Microsecond, 200 * time.Microsecond, 700 * time.Microsecond, 20 * time.Millisecond} {
				synctest.Test(t, func(t *testing.T) {
					s := sampling.Start(total, mode.size)
					mode.set(&s)
					start := time.Now()
					blocks := 0
					for !s.Done() {
						k := s.Next()
						time.Sleep(time.Duration(k) * cost)
						s.Record(k)
						blocks++
					}
					s.Finish()
					sample := s.Sample()
					fmt.Fprintf(&b, "%s, %d × %v: %d items in %d blocks, %v; %v each, first %v, CPU known %v, %v left\n", mode.name, total, cost,
						sample.Items, blocks, time.Since(start), sample.ItemTime(), sample.First, sample.CPUKnown, s.Remaining())
				})
			}
		}
	}
	path := filepath.Join("testdata", "samples.txt")
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(path, []byte(b.String()), 0o600))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), b.String(), "go test ./sampling -run TestSampled -update writes it; read the difference")
}
