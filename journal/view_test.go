package journal

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// A journal can be looked at while somebody else writes to it, and stays as it is.
func TestView(t *testing.T) {
	path := temporary(t)
	j := open(t, path, Options{Run: "v1", Codec: Gob})
	require.NoError(t, j.Add(good(0)))
	require.NoError(t, j.Add(bad(1, "lost")))
	require.NoError(t, j.Sync())
	before, err := os.ReadFile(path)
	require.NoError(t, err)

	v, err := View(path)
	require.NoError(t, err)
	require.Equal(t, "v1", v.Run())
	require.Equal(t, Gob, v.Codec())
	require.Equal(t, 1, v.Found().Failed)
	n := 0
	for f, err := range v.Failed() {
		require.NoError(t, err)
		require.Equal(t, "lost", f.Err)
		n++
	}
	require.Equal(t, 1, n)
	require.ErrorIs(t, v.Err(), errViewed)
	require.ErrorIs(t, v.Add(good(2)), errViewed)
	require.ErrorIs(t, v.Retry(), errViewed)
	_, err = v.Purge(nil)
	require.ErrorIs(t, err, errViewed)
	require.NoError(t, v.Sync())
	require.NoError(t, v.Close())
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(before), string(after))

	v, err = View(path)
	require.NoError(t, err)
	require.NoError(t, v.Close())
	_, err = View(temporary(t))
	require.ErrorIs(t, err, os.ErrNotExist)
	empty := temporary(t)
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	_, err = View(empty)
	require.ErrorIs(t, err, ErrNotJournal)
}

// A codec that is not known here can be looked at, and its results not read.
func TestForeignCodec(t *testing.T) {
	path := temporary(t)
	j := open(t, path, Options{Codec: foreign("proto")})
	require.NoError(t, j.Add(Record{Key: keyOf(0), Result: []byte("x")}))
	require.NoError(t, j.Close())
	v, err := View(path)
	require.NoError(t, err)
	require.Equal(t, "proto", v.Codec().Name())
	require.Error(t, v.Codec().Unmarshal(nil, nil))
	_, err = v.Codec().Marshal(nil)
	require.Error(t, err)
	require.NoError(t, v.Close())
	for _, c := range []Codec{JSON, Gob, None} {
		require.Equal(t, c, codecOf(c.Name()))
	}
}

// What a process has recorded stands in the last line, as the summaries of the command do.
func TestEnding(t *testing.T) {
	path := temporary(t)
	j := open(t, path, Options{})
	require.NoError(t, j.Add(good(0)))
	require.NoError(t, j.Add(good(1)))
	require.NoError(t, j.Add(bad(2, "x")))
	require.NoError(t, j.Close())
	file, err := os.Open(path)
	require.NoError(t, err)
	defer func() { require.NoError(t, file.Close()) }()
	var end struct {
		Summary struct {
			Cmd               string
			Total, OK, Failed int
		}
	}
	_, err = Read(file, func(l Line) error {
		if l.Type == "end" {
			return json.Unmarshal(l.Body, &end)
		}
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, Program, end.Summary.Cmd)
	require.Equal(t, []int{3, 2, 1}, []int{end.Summary.Total, end.Summary.OK, end.Summary.Failed})
}
