package gofunc_test

import (
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
		"./calc.Gen[example.com/x.T]": {Package: "./calc", Expr: "Gen[example.com/x.T]"},
	} {
		got, err := gofunc.ParseTarget(text, "")
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{"./calc", "calc", "example.com/a/b"} {
		_, err := gofunc.ParseTarget(text, "")
		require.ErrorIs(t, err, gofunc.ErrTarget, text)
	}
	got, err := gofunc.ParseTarget("", "func(n int) int { return n }")
	require.NoError(t, err)
	require.Equal(t, gofunc.Target{Package: ".", Expr: "func(n int) int { return n }", Literal: true}, got)
}
