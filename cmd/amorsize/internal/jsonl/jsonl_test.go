package jsonl_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/jsonl"
)

// check compares with encoding/json, which has the text in memory.
func check(t *testing.T, text []byte) {
	t.Helper()
	kind, err := jsonl.KindOf(bytes.NewReader(text))
	require.NoError(t, err)
	var value any = text // bytes are base64
	want := jsonl.Binary
	switch {
	case utf8.Valid(text) && json.Valid(text):
		want, value = jsonl.JSON, json.RawMessage(text)
	case utf8.Valid(text):
		want, value = jsonl.Text, string(text)
	}
	require.Equal(t, want, kind, "%.200q", text)
	var wanted, written bytes.Buffer
	e := json.NewEncoder(&wanted)
	e.SetEscapeHTML(false)
	require.NoError(t, e.Encode(value))
	require.NoError(t, kind.Copy(&written, bytes.NewReader(text)))
	require.True(t, wanted.String() == written.String()+"\n", "%.200q", text)
}

var parts = strings.Split(`{ } [ ] , : " "a" "\" \\ \u12aF \u12 \/ \x 0 00 -0 -1 1. 0.5 12e+3 1e 2E-7 1e5 - + . true false null tru nul `+
	"\t \n \x01 ü 日 \xff <&> \u2028 \x7f {\"a\": [1,{}] , \"b\":\"\"} []", " ")

// TestKinds: what is a value, what is a text and what is neither, and how each is written.
func TestKinds(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 30_000 {
		var b []byte
		for range random.IntN(7) {
			b = append(b, parts[random.IntN(len(parts))]...)
			if random.IntN(4) == 0 {
				b = append(b, ' ')
			}
		}
		check(t, b)
	}
	for _, text := range []string{"", " ", `{"a":1}`, `{"a":1`, `[1 , "x y", {"a" : null}]` + "\n", `{"a":1}{}`, `{"a"}`, `{1:2}`, `[1,]`, `{"a":1,}`, `{,}`, `]`,
		`{"a" "b":1}`, `["a" "b":1]`, `"a""b"`, `"\a""`, `"\u12\""`, `"\u12345"`, `{"a":"b":1}`, `[1:2]`, `[1}`, `{"a":1]`} {
		check(t, []byte(text))
	}
}

// TestLarge: pieces are cut within characters, strings and numbers.
func TestLarge(t *testing.T) {
	for shift := range 5 {
		lead := strings.Repeat("x", shift)
		check(t, []byte(lead+strings.Repeat("日本\u2028\n", 40_000)))
		check(t, []byte(lead+strings.Repeat("😀", 40_000)))
		check(t, []byte(`{"`+lead+`": ["`+strings.Repeat(`ü\n😀 \" `, 30_000)+`", `+strings.Repeat("1", 100_000)+" , 2 ] }"))
		check(t, []byte(lead+strings.Repeat("日本", 40_000)+"\xff"))
		check(t, []byte(lead+strings.Repeat("日本", 40_000)+"\xe6\x97"))
	}
	for _, depth := range []int{10_000, 10_001} {
		check(t, []byte(strings.Repeat("[", depth)+strings.Repeat("]", depth)))
		check(t, []byte(strings.Repeat(`{"a":`, depth)+"1"+strings.Repeat("}", depth)))
	}
}

// full takes so many bytes.
type full struct{ left int }

var errFull = errors.New("full")

func (f *full) Write(p []byte) (int, error) {
	if f.left -= len(p); f.left < 0 {
		return 0, errFull
	}
	return len(p), nil
}

// TestErrors: those of the reader and of the writer are the caller's.
func TestErrors(t *testing.T) {
	bad := errors.New("bad")
	_, err := jsonl.KindOf(iotest.ErrReader(bad))
	require.ErrorIs(t, err, bad)
	long := []byte(`["` + strings.Repeat("a", 200_000) + `"]`)
	for _, kind := range []jsonl.Kind{jsonl.JSON, jsonl.Text, jsonl.Binary} {
		require.ErrorIs(t, kind.Copy(io.Discard, iotest.ErrReader(bad)), bad)
		require.ErrorIs(t, kind.Copy(io.Discard, io.MultiReader(bytes.NewReader(long), iotest.ErrReader(bad))), bad)
		var whole bytes.Buffer
		require.NoError(t, kind.Copy(&whole, bytes.NewReader(long)))
		for _, left := range []int{0, 1, 1000, whole.Len() - 1} {
			require.ErrorIs(t, kind.Copy(&full{left}, bytes.NewReader(long)), errFull, "%v %d", kind, left)
		}
		require.NoError(t, kind.Copy(&full{whole.Len()}, bytes.NewReader(long)))
	}
}

func FuzzKinds(f *testing.F) {
	for _, part := range parts {
		f.Add([]byte(part))
	}
	f.Fuzz(func(t *testing.T, text []byte) { check(t, text) })
}
