package amorsize_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/journal"
)

// What docs/journal.md shows, compiled and run.

func TestJournalGuideKeys(t *testing.T) {
	ctx, j := t.Context(), openJournal(t, journalPath(t))
	type page struct{ URL string }
	fetch := func(_ context.Context, p page) (int, error) { return len(p.URL), nil }

	pages := []page{{URL: "https://example.com/a"}, {URL: "https://example.com/b"}}
	sizes, err := amorsize.ExecuteContext(ctx, fetch, pages,
		amorsize.WithJournal(j), amorsize.WithKey(func(p page) string { return p.URL }))

	require.NoError(t, err)
	require.Equal(t, []int{21, 21}, sizes)

	_, err = amorsize.ExecuteContext(ctx, fetch, pages,
		amorsize.WithJournal(j, journal.RetryFailed), amorsize.WithErrors(amorsize.Collect))
	require.NoError(t, err)
}

func TestJournalGuideCrawl(t *testing.T) {
	ctx, j, total := t.Context(), openJournal(t, journalPath(t)), 0
	list := func(_ context.Context, dir string) (files int, dirs []string, err error) {
		switch {
		case dir == "":
			return 0, nil, errRefused
		case len(dir) > 8:
			return 1, nil, nil
		}
		return 2, []string{dir + "/a", dir + "/b"}, nil
	}
	err := func() error {
		for r := range amorsize.Crawl(ctx, func(ctx context.Context, dir string, found func(...string)) (int, error) {
			files, dirs, err := list(ctx, dir)
			found(dirs...)
			return files, err
		}, slices.Values([]string{"/data"}), amorsize.WithJournal(j)) {
			if r.Err != nil {
				return r.Err
			}
			total += r.Value
		}
		return nil
	}()
	require.NoError(t, err)
	require.Equal(t, 10, total)
}

func TestJournalGuideFailures(t *testing.T) {
	j := openJournal(t, journalPath(t))
	_, err := amorsize.Execute(func(int) (int, error) { return 0, errRefused }, []int{1}, amorsize.WithJournal(j))
	require.Error(t, err)
	err = func() error {
		for f, err := range j.Failed() {
			if err != nil {
				return err
			}
			fmt.Printf("%d %s: %s (%d attempts, %v)\n", f.Index, f.Item, f.Err, f.Attempts, f.Types)
		}
		forgotten, err := j.Purge(func(f journal.Failure) bool { return f.Attempts > 9 })
		require.Zero(t, forgotten)
		return err
	}()
	require.NoError(t, err)
}
