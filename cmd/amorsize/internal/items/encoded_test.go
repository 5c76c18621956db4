package items_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
	"github.com/amorsize/amorsize/internal/answer"
)

// An item that JSON can't hold is not handed over as another one.
func TestEncoded(t *testing.T) {
	for _, it := range []items.Item{items.Of(1, "\ufffdä"), items.Row(1, []string{"a", "b"})} {
		raw, err := it.Encoded()
		require.NoError(t, err)
		require.Equal(t, string(it.JSON()), string(raw))
	}
	for _, it := range []items.Item{items.Of(7, "a\xff"), items.Row(7, []string{"a", "b\xff"})} {
		raw, err := it.Encoded()
		require.EqualError(t, err, "item 7 is not UTF-8, which JSON can't hold: it would be changed")
		require.True(t, answer.Permanent(err))
		require.Nil(t, raw)
	}
}

// What a record's member has that is not UTF-8 stays, with escapes around it, and a column's is an error.
func TestBytesOfRecords(t *testing.T) {
	first := func(format items.Format, text string) (it items.Item) {
		in, err := items.Source{Format: format, Header: format == items.CSV}.Open(strings.NewReader(text))
		require.NoError(t, err)
		for it = range in.All() {
			break
		}
		require.NoError(t, in.Err())
		return it
	}
	record := first(items.JSONL, "{\"a\":\"\xff\\u00e4\\\"\xc3ä\\\\\xfe\",\"b\":\"\",\"c\":[\"\xff\"]}")
	require.True(t, record.IsRecord())
	for name, want := range map[string]string{"a": "\xffä\"\xc3ä\\\xfe", "b": "", "c": "[\"\xff\"]"} {
		text, ok := record.Named(name)
		require.True(t, ok)
		require.Equal(t, want, text)
	}
	for _, it := range []items.Item{record, first(items.CSV, "x\xff,y\n1,2\n"), first(items.CSV, "x,y\n1,\xff\n")} {
		_, err := it.Encoded()
		require.ErrorContains(t, err, "is not UTF-8")
	}
}
