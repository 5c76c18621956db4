package remote

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/live"
)

// A run is told of from its beginning to its end, whoever works it, and the live page lists it.
func TestWatch(t *testing.T) {
	both(t, func(t *testing.T, c *Cluster) {
		does(func(_ context.Context, n int) (int, error) {
			if n == 3 {
				return 0, assert.AnError
			}
			return n, nil
		})
		page, err := live.New(live.Options{})
		require.NoError(t, err)
		events := make(chan told, 1000)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		watch := func(info amorsize.RunInfo) amorsize.Observer {
			assert.Equal(t, "scripted", info.Function)
			shown := page.Observer(info)
			return amorsize.ObserverFunc(func(e amorsize.Event) {
				shown.Observe(e)
				events <- told{info.Name, e}
			})
		}
		submit := func(id string) *Run[int] {
			run, err := scripted.Submit(t.Context(), c, slices.Values([]int{0, 1, 2, 3, 4}), RunID(id))
			require.NoError(t, err)
			return run
		}
		run, canceled, removed := submit("whole"), submit("canceled"), submit("removed")
		require.NoError(t, run.Pause(t.Context()))
		go func() { ended <- c.Watch(ctx, watch) }()

		paused := await(events, func(e told) bool { return e.run == "whole" && e.Kind == amorsize.Progressed })
		require.Equal(t, "paused", paused.Progress.Calls.Policies[0].State)
		require.Equal(t, []int{0, 5}, []int{paused.Completed, paused.Total})
		require.NoError(t, canceled.Cancel(t.Context()))
		require.NoError(t, removed.Remove(t.Context()))
		ends := map[string]error{}
		for len(ends) < 2 {
			e := await(events, func(e told) bool { return e.Kind == amorsize.Finished })
			ends[e.run] = e.Report.Err
		}
		require.Equal(t, map[string]error{"canceled": ErrCanceled, "removed": ErrNoRun}, ends)
		stop := works(t, c)
		require.NoError(t, run.Resume(t.Context()))
		end := await(events, func(e told) bool { return e.Kind == amorsize.Finished })
		require.Equal(t, "whole", end.run)
		require.NoError(t, end.Report.Err)
		require.Equal(t, []int{5, 4, 1}, []int{end.Report.Items, end.Report.Succeeded, end.Report.Failed})
		require.EqualValues(t, 1, end.Report.Calls.Failed.Other)
		stop()
		retried, err := run.RetryFailed(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 1, retried)
		await(events, func(e told) bool { return e.Kind == amorsize.Started })
		works(t, c)
		end = await(events, func(e told) bool { return e.Kind == amorsize.Finished })
		require.Equal(t, []int{5, 4, 1}, []int{end.Report.Items, end.Report.Succeeded, end.Report.Failed})
		late := submit("late")
		again := await(events, func(e told) bool { return e.Kind == amorsize.Started })
		require.Equal(t, "late", again.run)
		_, err = late.Wait(t.Context())
		require.NoError(t, err)
		cancel()
		require.ErrorIs(t, <-ended, context.Canceled)

		answer := httptest.NewRecorder()
		page.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/runs.json", nil))
		var list []struct {
			Name, State              string
			Total, Completed, Failed int
		}
		require.NoError(t, json.Unmarshal(answer.Body.Bytes(), &list))
		require.GreaterOrEqual(t, len(list), 4)
		at := slices.IndexFunc(list, func(r struct {
			Name, State              string
			Total, Completed, Failed int
		}) bool {
			return r.Name == "whole" && r.State == "done"
		})
		require.Equal(t, []int{5, 5, 1}, []int{list[at].Total, list[at].Completed, list[at].Failed})
		require.Equal(t, "done", list[at].State)
	})
}

// An observer that panics is told nothing more, and those of other runs are.
func TestWatchPanic(t *testing.T) {
	both(t, func(t *testing.T, c *Cluster) {
		for _, id := range []string{"one", "two"} {
			_, err := scripted.Submit(t.Context(), c, slices.Values([]int{1}), RunID(id))
			require.NoError(t, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		events, ended := make(chan told, 100), make(chan error)
		go func() {
			ended <- c.Watch(ctx, func(info amorsize.RunInfo) amorsize.Observer {
				return amorsize.ObserverFunc(func(e amorsize.Event) {
					if info.Name == "two" {
						panic("two")
					}
					events <- told{info.Name, e}
				})
			})
		}()
		e := await(events, func(e told) bool { return e.Kind == amorsize.Progressed })
		require.Zero(t, e.Progress.Rate, "of one look")
		await(events, func(e told) bool { return e.Kind == amorsize.Progressed })
		cancel()
		require.ErrorIs(t, <-ended, context.Canceled)
	})
}

// told is an event of a run.
type told struct {
	run string
	amorsize.Event
}

// await takes events until one is wanted.
func await(events <-chan told, wanted func(told) bool) told {
	for e := range events {
		if wanted(e) {
			return e
		}
	}
	panic("closed")
}
