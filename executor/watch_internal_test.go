package executor

import (
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// When nobody watches any more, runs are as cheap as before: there is no list to go through.
func TestNobodyWatches(t *testing.T) {
	require.Nil(t, watches.all.Load())
	asked := 0
	observe := func(RunInfo) Observer { asked++; return nil }
	run := func() {
		_, err := Run(t.Context(), Func[int, int]{Plain: func(i int) (int, error) { return i, nil }}, []int{0}, Config{})
		require.NoError(t, err)
	}
	first, second := Watch(observe), Watch(observe)
	require.Len(t, *watches.all.Load(), 2)
	run()
	require.Equal(t, 2, asked)
	of := (*watches.all.Load())[1]
	first()
	require.Equal(t, []*watch{of}, *watches.all.Load(), "who has not stopped is asked")
	run()
	require.Equal(t, 3, asked)
	second()
	require.Nil(t, watches.all.Load())
	run()
	require.Equal(t, 3, asked)
}

// A function has an address and a name; what is none has neither.
func TestNameOfAFunction(t *testing.T) {
	require.Contains(t, nameOf(codeOf(TestNameOfAFunction)), ".TestNameOfAFunction")
	for _, none := range []any{nil, 7, new(int), (func())(nil)} {
		require.Zero(t, codeOf(none))
	}
	require.Empty(t, nameOf(0))
}

// Observers that watch are added behind those of the run, one for each that wants to observe it. Neither a panic nor an
// end of the goroutine of one of them affects the run.
func TestObserversAreAsked(t *testing.T) {
	named := func(name string) Observer { return ObserverFunc(func(Event) { panic(name) }) }
	wants := func(o Observer) *watch { return &watch{func(RunInfo) Observer { return o }} }
	names := func(all []Observer) (names []any) {
		for _, o := range all {
			func() {
				defer func() { names = append(names, recover()) }()
				o.Observe(Event{})
			}()
		}
		return names
	}
	panics := &watch{func(RunInfo) Observer { panic("odd") }}
	ends := &watch{func(RunInfo) Observer { runtime.Goexit(); return nil }}
	own := append(make([]Observer, 0, 4), named("own"))
	all := ask([]*watch{wants(named("first")), panics, wants(nil), wants(named("second"))}, RunInfo{}, own)
	require.Equal(t, []any{"own", "first", "second"}, names(all))
	require.Nil(t, own[:2][1], "the list of the caller is the caller's")
	all = ask([]*watch{wants(named("first")), ends, wants(named("second"))}, RunInfo{}, own)
	require.Contains(t, names(all), "own")
	require.Contains(t, names(all), "first")
}

// Who stops watching twice takes nobody else off the list, and each change leaves the list as it was to a run that
// has just read it.
func TestListOfThoseWhoWatch(t *testing.T) {
	var l watchList
	first, second, third := &watch{}, &watch{}, &watch{}
	add := func(w *watch) { l.change(func(all []*watch) []*watch { return append(slices.Clip(all), w) }) }
	add(first)
	add(second)
	read := *l.all.Load()
	add(third)
	require.Equal(t, []*watch{first, second}, read)
	require.Len(t, *l.all.Load(), 3)
	var gone []*watch
	l.change(func(all []*watch) []*watch { gone = all; return nil })
	require.Len(t, gone, 3)
	require.Nil(t, l.all.Load(), "it costs a run nothing again")
	l.change(func(all []*watch) []*watch { require.Empty(t, all); return []*watch{third} })
	require.Same(t, third, (*l.all.Load())[0])
}

// A run goes by its name, or else by that of its function.
func TestTitleOfARun(t *testing.T) {
	require.Equal(t, "name", RunInfo{Name: "name", Function: "function"}.Title())
	require.Equal(t, "function", RunInfo{Function: "function"}.Title())
}
