package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestArrows(t *testing.T) {
	wrong, err := check("testdata/good")
	require.NoError(t, err)
	require.Empty(t, wrong)
	wrong, err = check("testdata/bad")
	require.NoError(t, err)
	require.Equal(t, []string{
		"testdata/bad/cellar.go is of no part",
		"testdata/bad/floor.go:5: bottom refers to door of top, which is above it",
		"testdata/bad/floor.go:5: bottom refers to stands of top, which is above it",
		"testdata/bad/ladder.go is not there",
	}, wrong)
	_, err = check("testdata")
	require.ErrorContains(t, err, "no doc.go")
	_, err = check(".")
	require.Error(t, err)
}
