package run

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/policies"
)

func newDisplay(t *testing.T, show Show, o policies.Options) (*display, func() string) {
	t.Helper()
	b := newBench(t, "a")
	env, _ := b.open()
	set, err := policies.New(o)
	require.NoError(t, err)
	return &display{show: show, what: "do", term: env.Terminal, state: env.State, set: set, total: 1}, func() string { return b.read("stderr") }
}

func TestPlanned(t *testing.T) {
	plan := jobs.NewPlan(jobs.Cost{Jobs: 1, Wall: time.Second, CPU: time.Second}, 10, jobs.Caps{})
	d, said := newDisplay(t, Show{}, policies.Options{})
	d.Planned(plan)
	require.Contains(t, said(), "amorsize: 1 item")
	require.Contains(t, said(), "no rate given")
	short := said()

	d, said = newDisplay(t, Show{Explain: true}, policies.Options{Rate: "5/s"})
	d.Planned(plan)
	require.Greater(t, len(said()), len(short))
	require.Equal(t, "5/s", d.rate())
	d, _ = newDisplay(t, Show{}, policies.Options{Rate: "auto"})
	require.Equal(t, "the rate is measured", d.rate())
	d, _ = newDisplay(t, Show{}, policies.Options{Rate: "5/s", Keyed: true, HTTP: true})
	require.Equal(t, "one rate per key", d.rate())
	d, _ = newDisplay(t, Show{}, policies.Options{Keyed: true, HTTP: true})
	require.Equal(t, "no rate given", d.rate())

	d, said = newDisplay(t, Show{Quiet: true}, policies.Options{})
	d.Planned(plan)
	require.Empty(t, said())
	d.Planned(jobs.Plan{Fixed: true, Binding: "files", Slots: 3})
	require.Contains(t, said(), "open files allow at most 3", "what was asked for can't be had: that is told all the same")

	for want, p := range map[string]jobs.Plan{
		"": {}, "given with --jobs": {Fixed: true, Slots: 3}, "no item takes long": {Reason: "no item takes long", Left: -1},
	} {
		d, said = newDisplay(t, Show{}, policies.Options{})
		d.Planned(p)
		require.Equal(t, want == "", said() == "", "it is told unless nothing was run, and nothing decided")
		require.Contains(t, said(), want)
	}

	d, said = newDisplay(t, Show{}, policies.Options{})
	d.say("draining")
	d.Planned(plan)
	require.Equal(t, "amorsize: draining\n", said(), "the run ends: its plan is of no use")
}

func TestMode(t *testing.T) {
	for _, c := range []struct {
		show Show
		want Progress
	}{
		{Show{Progress: ProgressAuto}, ProgressLog}, // it is no terminal
		{Show{Progress: ProgressAuto, Quiet: true}, ProgressNone},
		{Show{Progress: ProgressJSON, Quiet: true}, ProgressJSON},
		{Show{Progress: ProgressLine}, ProgressLine},
	} {
		d, _ := newDisplay(t, c.show, policies.Options{})
		require.Equal(t, c.want, d.mode())
	}
}

// Progress is logged every ten seconds, and later on every thirty.
func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, said := newDisplay(t, Show{Progress: ProgressLog}, policies.Options{})
		began := time.Now()
		d.state.Began = began
		next := logInterval
		var logged []time.Duration
		for at := tick; at < 3*time.Minute; at += tick {
			before := said()
			next = d.progress(ProgressLog, began.Add(at), next)
			if said() != before {
				logged = append(logged, at)
			}
		}
		const s = time.Second
		require.Equal(t, []time.Duration{10 * s, 20 * s, 30 * s, 40 * s, 50 * s, 60 * s, 70 * s, 100 * s, 130 * s, 160 * s}, logged)

		d, said = newDisplay(t, Show{}, policies.Options{})
		d.state.Began = began
		d.progress(ProgressNone, began.Add(time.Hour), 0)
		require.Empty(t, said())
		d.progress(ProgressLine, began.Add(time.Hour), 0)
		require.NotEmpty(t, said())
		d, said = newDisplay(t, Show{}, policies.Options{})
		d.state.Began = began
		d.progress(ProgressJSON, began.Add(time.Hour), 0)
		require.JSONEq(t, said(), said())

		d, said = newDisplay(t, Show{Progress: ProgressLog}, policies.Options{})
		d.state.Began = time.Now()
		ticks := 0
		stop := d.showProgress(func(time.Time) { ticks++ })
		time.Sleep(10*time.Second + tick/2)
		stop()
		require.Equal(t, 101, ticks, "and once at the end")
		require.Contains(t, said(), "amorsize: ")

		d, said = newDisplay(t, Show{Progress: ProgressLog}, policies.Options{})
		d.state.Began = time.Now()
		stop = d.showProgress(func(time.Time) {})
		time.Sleep(25 * time.Second)
		stop()
		require.Equal(t, 2, strings.Count(said(), "amorsize:"))
	})
}

// Text that is long is cut where it is shown, and only there.
func TestLongTextsAreCut(t *testing.T) {
	plan := jobs.NewPlan(jobs.Cost{Jobs: 1, Wall: time.Second, CPU: time.Second}, 10, jobs.Caps{})
	for name, c := range map[string]struct {
		most int
		show func(d *display, text string)
	}{
		"the command of the plan": {100, func(d *display, text string) { d.what = text; d.Planned(plan) }},
		"the item of an attempt":  {60, func(d *display, text string) { require.NoError(t, d.Tried(job(text), errors.New("no"))) }},
		"its error":               {300, func(d *display, text string) { require.NoError(t, d.Tried(job("a"), errors.New(text))) }},
	} {
		for n, want := range map[int]string{c.most: strings.Repeat("x", c.most), c.most + 1: strings.Repeat("x", c.most-1) + "…"} {
			d, said := newDisplay(t, Show{Verbose: true}, policies.Options{})
			c.show(d, strings.Repeat("x", n))
			require.Regexp(t, `[^x]`+want+`[^x…]`, said(), name)
		}
	}
}

// A line of progress on a terminal has a bar, one of a log has not.
func TestBar(t *testing.T) {
	for mode, want := range map[Progress]bool{ProgressLine: true, ProgressLog: false} {
		d, said := newDisplay(t, Show{}, policies.Options{})
		d.state.Total.Store(4)
		d.state.Done.Store(2)
		d.state.Began = time.Now()
		d.progress(mode, d.state.Began.Add(time.Hour), 0)
		require.Contains(t, said(), "2/4", mode)
		require.Equal(t, want, strings.Contains(said(), " 50 %"), mode)
	}
}

// The line of progress goes when the run is over.
func TestProgressLineGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, said := newDisplay(t, Show{Progress: ProgressLine}, policies.Options{})
		d.state.Began = time.Now()
		stop := d.showProgress(func(time.Time) {})
		time.Sleep(2*tick + tick/2)
		require.NotEmpty(t, said())
		stop()
		require.True(t, strings.HasSuffix(said(), "\r\x1b[K"))
	})
}
