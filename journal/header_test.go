package journal

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// A header comes back with every byte, as its command is run again.
func TestHeaderOfOtherBytes(t *testing.T) {
	for name, h := range map[string]Header{
		"text":  {Run: "é", Args: []string{"a", "\ufffd"}, Flags: [][2]string{{"env", "X=1"}}, Names: []string{"n"}, Dir: "/d"},
		"empty": {},
		"bytes": {
			Run: "\xff", Args: []string{"", "caf\xe9"}, Flags: [][2]string{{"quiet", "true"}, {"sh", "echo \xe9"}},
			Names: []string{"\xe9", "n"}, Dir: "/d\xe9",
		},
		"arguments": {Args: []string{"\xe9"}, Flags: [][2]string{{"quiet", "true"}}, Dir: "/d"},
	} {
		t.Run(name, func(t *testing.T) {
			raw, err := json.Marshal(h)
			require.NoError(t, err)
			var got Header
			require.NoError(t, json.Unmarshal(raw, &got))
			require.Equal(t, h, got)
			if name != "text" && name != "empty" {
				return
			}
			plain, err := json.Marshal(plainHeader(h))
			require.NoError(t, err)
			require.Equal(t, string(plain), string(raw), "nothing is added to text")
		})
	}
	var h Header
	require.Error(t, json.Unmarshal([]byte(`{"pid":7,"args":1}`), &h))
	require.Equal(t, 7, h.PID, "what there is of a header that is damaged")
	require.Error(t, json.Unmarshal([]byte(`{"args":["a"],"args64":["?"]}`), &h))
	require.NoError(t, json.Unmarshal([]byte(`{"flags":[["a","b"]],"flags64":["6Q==","6Q=="]}`), &h))
	require.Equal(t, [][2]string{{"a", "\xe9"}}, h.Flags)
}

// A journal whose run, or program's arguments, are not UTF-8 is that run's when it is opened again.
func TestRunOfOtherBytes(t *testing.T) {
	was := os.Args
	t.Cleanup(func() { os.Args = was })
	os.Args = []string{"night", "caf\xe9"}
	path := temporary(t)
	for range 2 {
		j := open(t, path, Options{Run: "\xe9"})
		require.NoError(t, j.Add(Record{Key: keyOf(1), Attempts: 1}))
		require.NoError(t, j.Close())
	}
	j, err := View(path)
	require.NoError(t, err)
	defer func() { require.NoError(t, j.Close()) }()
	require.Equal(t, []any{os.Args, "\xe9"}, []any{j.Found().Latest.Args, j.Run()})
}
