package jsontext_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/internal/jsontext"
)

func TestReplaced(t *testing.T) {
	for _, c := range []struct {
		item any
		is   bool
	}{
		{"caf\xe9", true}, {"\ufffd", false}, {`\ufffd`, false}, {`\\ufffd`, false}, {`\` + "\xff", true}, {`\\` + "\xff", true},
		{`\ufffd` + "\xff", true}, {[]string{"a", "\xff"}, true}, {map[string]int{"\xff": 1}, true}, {"plain", false}, {"", false},
	} {
		text, err := json.Marshal(c.item)
		require.NoError(t, err)
		require.Equal(t, c.is, jsontext.Replaced(text), "%q", text)
	}
}
