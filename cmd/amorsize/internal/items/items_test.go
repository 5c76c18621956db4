package items_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
)

func read(t *testing.T, s items.Source, text string) (texts []string, err error) {
	t.Helper()
	in, err := s.Open(strings.NewReader(text))
	if err != nil {
		return nil, err
	}
	defer func() { require.NoError(t, in.Close()) }()
	for it := range in.All() {
		require.Equal(t, len(texts)+1, it.N)
		texts = append(texts, it.Text)
	}
	return texts, in.Err()
}

// FuzzItems: lines put together again are the input; records are read the same
// twice, or not at all.
func FuzzItems(f *testing.F) {
	for _, text := range []string{"", "a\nb\n", "a", "\n\n", "a,b\nc,d\n", "\"x\ny\",z\n", "a\tb\nc\n", `{"a":1}` + "\nnull\n", "\xff\x00\r\n"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		lines, err := read(t, items.Source{}, text)
		require.NoError(t, err)
		again := strings.Join(append(lines, ""), "\n")
		if text != "" && !strings.HasSuffix(text, "\n") {
			text += "\n"
		}
		require.Equal(t, text, again)
		for _, format := range []items.Format{items.CSV, items.TSV, items.JSONL} {
			records, err := read(t, items.Source{Format: format}, text)
			if err != nil {
				require.ErrorIs(t, err, items.ErrInput)
				continue
			}
			if len(records) == 0 {
				continue
			}
			twice, err := read(t, items.Source{Format: format}, strings.Join(records, "\n")+"\n")
			if strings.Contains(text, "\r") || slices.ContainsFunc(records, func(r string) bool { return strings.TrimSpace(r) == "" }) {
				continue // ends of lines of another kind, and records of nothing
			}
			require.NoError(t, err, "%q", records)
			require.Equal(t, records, twice)
		}
	})
}

func TestRanges(t *testing.T) {
	const last = int64(1)<<61 - 1 // the largest number of a range
	for text, want := range map[string]string{
		"3": "1 2 3", "5-7": "5 6 7", "0-10/4": "0 4 8", "7-7": "7", "1-3/1": "1 2 3", "0-20/10": "0 10 20",
		"9000000000-9000000002":       "9000000000 9000000001 9000000002",
		"0-4000000000/2000000000":     "0 2000000000 4000000000", // few numbers, however far apart
		"5-9/2147483647":              "5",
		fmt.Sprint(last-1, "-", last): fmt.Sprint(last-1, " ", last),
	} {
		got, err := read(t, items.Source{Range: text}, "")
		require.NoError(t, err)
		require.Equal(t, want, strings.Join(got, " "))
	}
	for _, text := range []string{"0", "-1", "x", "5-1", "1-5/0", "1-5/x", "1-99999999999999999999", "0-9999999999999", "1-2147483648", "5-9/2147483648", fmt.Sprint(last, "-", last+1)} {
		_, err := read(t, items.Source{Range: text}, "")
		require.ErrorIs(t, err, items.ErrInput, text)
		require.ErrorContains(t, err, fmt.Sprintf("%q", text))
	}
	in, err := items.Source{Range: "2-2147483648"}.Open(nil)
	require.NoError(t, err, "as many numbers as there may be")
	require.Equal(t, math.MaxInt32, in.Total())
}

func TestIdentity(t *testing.T) {
	require.Equal(t, items.Of(1, "a").Identity(), items.Of(9, "a").Identity(), "the place does not matter")
	require.NotEqual(t, items.Of(1, "a").Identity(), items.Of(1, "b").Identity())
	require.Equal(t, "ca978112ca1bbdcafac231b39a23dc4d", items.Of(1, "a").Identity(), "logs of other versions are resumed")
	require.Equal(t, []int{7, 8}, []int{items.Of(7, "a").N, items.Row(8, []string{"a", "b"}).N})
	require.Equal(t, `"a\"<b"`, string(items.Of(1, `a"<b`).JSON()))
}

func TestBytesThatAreNoText(t *testing.T) {
	shown, raw := items.Of(1, "a\xff").Told()
	require.Nil(t, shown)
	require.Equal(t, []byte("a\xff"), raw)
	shown, raw = items.Of(1, "\ufffdä").Told()
	require.Equal(t, "\"\ufffdä\"", string(shown))
	require.Nil(t, raw)
	shown, raw = items.Row(1, []string{"a", "b"}).Told()
	require.Equal(t, `["a","b"]`, string(shown))
	require.Nil(t, raw)
}
