package gofunc

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestItemsComeFromJSON: an item is of any type that JSON can become, which is found out before a build.
func TestItemsComeFromJSON(t *testing.T) {
	p := source(t, `package calc

import (
	"example.com/b"
	"fmt"
	"time"
	"unsafe"
)

type Empty struct{}
type Point struct{ A, B int; hidden chan int }
type Outer struct { Point; Inner struct{ C chan int } }
type embedded struct{ C func() }
type Embeds struct { N int; embedded }
type Hidden struct{ n int }
type HidesTwo struct{ n int; c chan int }
type List struct{ Next *List; More []List; Bad chan int }
type Tree struct{ Left, Right *Tree; N int }
type JSON struct{ c chan int }
func (*JSON) UnmarshalJSON([]byte) error { return nil }
type Text struct{ c chan int }
func (*Text) UnmarshalText([]byte) error { return nil }
type Field struct{ c chan int; UnmarshalJSON int }
type Complex complex128

func TakeEmpty(Empty)             {}
func TakePoint(Point)             {}
func TakePointer(*Point)          {}
func TakeOuter(Outer)             {}
func TakeEmbeds(Embeds)           {}
func TakeHidden(Hidden)           {}
func TakeHidesTwo(HidesTwo)       {}
func TakeList(List)               {}
func TakeTree(Tree)               {}
func TakeJSON(JSON)               {}
func TakeText(map[string]Text)    {}
func TakeField(Field)             {}
func TakeAny(any)                 {}
func TakeOther(b.T)               {}
func TakeTime(time.Duration)      {}
func TakeString(string)           {}
func TakeBool(bool)               {}
func TakeFunc(func())             {}
func TakeChan(chan int)           {}
func TakeChans([]chan int)        {}
func TakeFuncs(map[string]func()) {}
func TakeArray([2]fmt.Stringer)   {}
func TakeComplex(Complex)         {}
func TakeUnsafe(unsafe.Pointer)   {}
`)
	for _, name := range []string{
		"TakeEmpty", "TakePoint", "TakePointer", "TakeTree", "TakeJSON", "TakeText", "TakeAny", "TakeOther", "TakeTime", "TakeString", "TakeBool",
	} {
		_, err := p.named(name, false)
		require.NoError(t, err, name)
	}
	for name, want := range map[string]string{
		"TakeOuter":    "Outer cannot come from JSON (field Inner: field C: item is a channel)",
		"TakeEmbeds":   "Embeds cannot come from JSON (field embedded: field C: item is a function)",
		"TakeHidden":   "Hidden cannot come from JSON (item is a struct without exported fields)",
		"TakeHidesTwo": "HidesTwo cannot come from JSON (item is a struct without exported fields)",
		"TakeList":     "List cannot come from JSON (field Bad: item is a channel)",
		"TakeFunc":     "func() cannot come from JSON (item is a function)",
		"TakeChan":     "chan int cannot come from JSON (item is a channel)",
		"TakeChans":    "[]chan int cannot come from JSON (item is a channel)",
		"TakeFuncs":    "map[string]func() cannot come from JSON (item is a function)",
		"TakeArray":    "[2]fmt.Stringer cannot come from JSON (item is an interface with methods: fmt.Stringer)",
		"TakeComplex":  "Complex cannot come from JSON (item is a complex number)",
		"TakeUnsafe":   "unsafe.Pointer cannot come from JSON (item is an unsafe pointer)",
	} {
		_, err := p.named(name, false)
		refused(t, err, "items of type "+want)
	}
	_, err := p.named("TakeChans", true)
	refused(t, err, "calc.TakeChans ("+filepath.Join("calc", "calc.go:45")+") takes a batch and returns nothing: func([]chan int); wanted func([]T) ([]R, error), func([]T) []R or func([]T) error")

	// Only a method decodes, and a field is none.
	_, err = p.named("TakeField", false)
	require.NoError(t, err)
}

// TestNearestName: what was meant is at most a third of the letters away, one at least, whatever their case.
func TestNearestName(t *testing.T) {
	names := []string{"Square", "Squares", "double", "F"}
	for name, want := range map[string]string{
		"Sqare": "Square", "square": "Square", "SQUARES": "Squares", "Double": "double", "dbl": "", "duble": "double",
		"G": "F", "f": "F", "Go": "", "Sq": "", "Sqr": "", "Squ": "", "Sqae": "", "Sqaee": "", "Sqaree": "Square", "Sqxxre": "Square", "Sxxxre": "",
	} {
		require.Equal(t, want, nearest(name, names), name)
	}
	require.Equal(t, "first", nearest("fist", []string{"first", "fiest"}), "the first of two that are as near")
	require.Empty(t, nearest("name", nil))
}

func TestEditsAreTheLeastThatMakeOneNameTheOther(t *testing.T) {
	for pair, want := range map[[2]string]int{
		{"", ""}: 0, {"a", ""}: 1, {"", "ab"}: 2, {"ab", "ab"}: 0, {"kitten", "sitting"}: 3, {"flaw", "lawn"}: 2,
		{"abc", "cab"}: 2, {"abcd", "acbd"}: 2, {"sunday", "saturday"}: 3, {"a", "b"}: 1, {"ab", "ba"}: 2,
	} {
		require.Equal(t, want, edits(pair[0], pair[1]), pair)
		require.Equal(t, want, edits(pair[1], pair[0]), pair)
	}
}
