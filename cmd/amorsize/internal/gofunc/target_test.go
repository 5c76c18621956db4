package gofunc_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/gofunc"
)

func TestParseTarget(t *testing.T) {
	for text, want := range map[string]gofunc.Target{
		"./calc.Square":               {Package: "./calc", Expr: "Square"},
		"./calc:Square":               {Package: "./calc", Expr: "Square"},
		"calc/calc.go:hidden":         {Package: "calc/calc.go", Expr: "hidden"},
		"./.F":                        {Package: "./.", Expr: "F"},
		".F":                          {Package: ".", Expr: "F"},
		"strings.ToUpper":             {Package: "strings", Expr: "ToUpper"},
		"example.com/a/b.T.Method":    {Package: "example.com/a/b", Expr: "T.Method"},
		"gopkg.in/yaml.v3.Unmarshal":  {Package: "gopkg.in/yaml.v3", Expr: "Unmarshal"},
		"gopkg.in/yaml.v0.F":          {Package: "gopkg.in/yaml.v0", Expr: "F"},
		"gopkg.in/yaml.v9.F":          {Package: "gopkg.in/yaml.v9", Expr: "F"},
		"a/b.v":                       {Package: "a/b", Expr: "v"},
		"a/b.v3":                      {Package: "a/b", Expr: "v3"},
		"a/b.v.F":                     {Package: "a/b", Expr: "v.F"},
		"a/b.vT.F":                    {Package: "a/b", Expr: "vT.F"},
		"a/b.w3.F":                    {Package: "a/b", Expr: "w3.F"},
		"./calc.Gen[example.com/x.T]": {Package: "./calc", Expr: "Gen[example.com/x.T]"},
	} {
		got, err := gofunc.ParseTarget(text, "")
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{"./calc", "calc", "example.com/a/b", "./calc.", "a/b.", "abc/d.", "d.", ":F", "./calc:", ":", ""} {
		_, err := gofunc.ParseTarget(text, "")
		require.ErrorIs(t, err, gofunc.ErrTarget, text)
	}
	got, err := gofunc.ParseTarget("", "func(n int) int { return n }")
	require.NoError(t, err)
	require.Equal(t, gofunc.Target{Package: ".", Expr: "func(n int) int { return n }", Literal: true}, got)
}

// TestTargetWithoutFunction: how it is written, for what there is of that name.
func TestTargetWithoutFunction(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.Mkdir("calc", 0o700))
	require.NoError(t, os.WriteFile("file", nil, 0o600))
	for text, want := range map[string]string{
		"./calc": `target "./calc" names no function: write ./calc.Process (or ./calc:Process)`,
		"calc.":  `target "calc." names no function: write calc.Process (or calc:Process)`,
		"none":   `target "none" names no function: write none.Process (or none:Process)`,
		"file":   `target "file" names no function: write file:Process`,
		"":       `target "" names no function: write ./pkg.Process (or ./pkg:Process)`,
		".":      `target "." names no function: write ./pkg.Process (or ./pkg:Process)`,
	} {
		_, err := gofunc.ParseTarget(text, "")
		require.EqualError(t, err, want)
	}
}
