package jsontext_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/internal/jsontext"
)

// What is not UTF-8 comes back as it was, and nothing is written beside what is.
func TestExact(t *testing.T) {
	type line struct {
		Text   string   `json:"text"`
		Text64 []byte   `json:"text64,omitempty"`
		List   []string `json:"list"`
		List64 [][]byte `json:"list64,omitempty"`
	}
	for want, was := range map[string]line{
		`{"text":"é","list":["","b"]}`: {Text: "é", List: []string{"", "b"}},
		`{"text":"","list":null}`:      {},
		`{"text":"\ufffd","text64":"6Q==","list":["","\ufffd"],"list64":["","6Q=="]}`:  {Text: "\xe9", List: []string{"", "\xe9"}},
		`{"text":"caf\ufffd","text64":"Y2Fm6Q==","list":["\ufffd"],"list64":["/w=="]}`: {Text: "caf\xe9", List: []string{"\xff"}},
	} {
		written := was
		written.Text64, written.List64 = jsontext.Exact(was.Text), jsontext.ExactList(was.List)
		raw, err := json.Marshal(written)
		require.NoError(t, err)
		require.Equal(t, want, string(raw))
		var got line
		require.NoError(t, json.Unmarshal(raw, &got))
		jsontext.Restore(&got.Text, got.Text64)
		jsontext.RestoreList(&got.List, got.List64)
		require.Equal(t, []any{was.Text, was.List}, []any{got.Text, got.List})
	}
}
