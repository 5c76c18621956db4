package gofunc

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestWrapperThatWouldBeTaken: a function that does not take one item is refused with an expression that does, and
// that is taken as it stands.
func TestWrapperThatWouldBeTaken(t *testing.T) {
	p := source(t, `package calc

import (
	"context"
	"example.com/b"
)

type Svc struct{}

func (Svc) Add(a, b int) int                                 { return 0 }
func Two(a, b int) int                                       { return 0 }
func Three(a, b, c string) (string, error)                   { return "", nil }
func Named(a string, b int) string                           { return "" }
func Mixed(a, b int, t b.T)                                  {}
func Late(a int, b string, c string) error                   { return nil }
func Variadic(ns ...int) int                                 { return 0 }
func Lines(prefix string, lines ...string) (int, error)      { return 0, nil }
func Ints(n []int, more ...int)                              {}
func Zero() int                                              { return 0 }
func Nothing()                                               {}
func Context(ctx context.Context) error                      { return nil }
func TwoLater(ctx context.Context, a, b int) (int, error)    { return 0, nil }
func SomeLater(ctx context.Context, s ...string) error       { return nil }
func MixedLater(ctx context.Context, a int, s ...string)     {}
`)
	for expr, want := range map[string][2]string{
		"Two":        {"takes 2 items: func(a int, b int) int", "func(p [2]int) int { return Two(p[0], p[1]) }"},
		"Three":      {"takes 3 items: func(a string, b string, c string) (string, error)", "func(p [3]string) (string, error) { return Three(p[0], p[1], p[2]) }"},
		"Named":      {"takes 2 items: func(a string, b int) string", "func(p struct{ A string; B int }) string { return Named(p.A, p.B) }"},
		"Mixed":      {"takes 3 items: func(a int, b int, t b.T)", "func(p struct{ A int; B int; C b.T }) { Mixed(p.A, p.B, p.C) }"},
		"Late":       {"takes 3 items: func(a int, b string, c string) error", "func(p struct{ A int; B string; C string }) error { return Late(p.A, p.B, p.C) }"},
		"Variadic":   {"takes any number of items: func(ns ...int) int", "func(item int) int { return Variadic(item) }"},
		"Lines":      {"takes 2 items: func(prefix string, lines ...string) (int, error)", "func(p struct{ A string; B []string }) (int, error) { return Lines(p.A, p.B...) }"},
		"Ints":       {"takes 2 items: func(n []int, more ...int)", "func(p struct{ A []int; B []int }) { Ints(p.A, p.B...) }"},
		"Zero":       {"takes no item: func() int", "func(_ int) int { return Zero() }"},
		"Nothing":    {"takes no item: func()", "func(_ int) { Nothing() }"},
		"Context":    {"takes no item: func(ctx context.Context) error", "func(ctx context.Context, _ int) error { return Context(ctx) }"},
		"TwoLater":   {"takes 2 items: func(ctx context.Context, a int, b int) (int, error)", "func(ctx context.Context, p [2]int) (int, error) { return TwoLater(ctx, p[0], p[1]) }"},
		"SomeLater":  {"takes any number of items: func(ctx context.Context, s ...string) error", "func(ctx context.Context, item string) error { return SomeLater(ctx, item) }"},
		"MixedLater": {"takes 2 items: func(ctx context.Context, a int, s ...string)", "func(ctx context.Context, p struct{ A int; B []string }) { MixedLater(ctx, p.A, p.B...) }"},
		"Svc.Add":    {"takes 2 items: func(a int, b int) int", "func(p [2]int) int { return new(Svc).Add(p[0], p[1]) }"},
	} {
		f, err := p.named(expr, false)
		require.Error(t, err, expr)
		at := f.at()
		refused(t, err, "calc."+expr+at+" "+want[0]+"; wanted "+wanted+". Wrap it: --fn '"+want[1]+"'")
		require.Equal(t, expr == "Svc.Add", at == "", "where it stands is told of what has a name")
		if strings.Contains(want[1], "b.T") {
			continue // the harness imports nothing but context
		}
		_, err = p.literal(want[1])
		require.NoError(t, err, expr)
	}
}
