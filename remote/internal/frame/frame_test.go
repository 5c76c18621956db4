package frame

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFrames(t *testing.T) {
	items := [][]byte{[]byte("a"), {}, bytes.Repeat([]byte("b"), 300)}
	var packed []byte
	for _, item := range items {
		packed = Append(packed, item)
	}
	got, err := Split(packed, len(items))
	require.NoError(t, err)
	assert.Equal(t, items, got)

	_, err = Split(packed[:len(packed)-1], len(items))
	require.ErrorIs(t, err, ErrBroken)
	_, err = Split(packed, 2)
	require.Error(t, err, "a frame too many")
	_, err = Split(packed, 4000)
	require.ErrorIs(t, err, ErrBroken)
}

func TestOutcomes(t *testing.T) {
	packed := AppendOutcome(nil, []byte("value"), false)
	packed = AppendOutcome(packed, []byte("no such host"), true)
	data, failed, packed, err := NextOutcome(packed)
	require.NoError(t, err)
	assert.Equal(t, "value", string(data))
	assert.False(t, failed)
	data, failed, packed, err = NextOutcome(packed)
	require.NoError(t, err)
	assert.Equal(t, "no such host", string(data))
	assert.True(t, failed)
	_, _, _, err = NextOutcome(packed)
	require.ErrorIs(t, err, ErrBroken)
}

// FuzzFrames holds that no bytes panic, and that what can be split is what was packed.
func FuzzFrames(f *testing.F) {
	f.Add([]byte{1, 'a'}, 1)
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}, 1)
	f.Fuzz(func(t *testing.T, packed []byte, count int) {
		items, err := Split(packed, count)
		if err != nil {
			return
		}
		var again []byte
		for _, item := range items {
			again = Append(again, item)
		}
		items2, err := Split(again, len(items))
		require.NoError(t, err)
		assert.Equal(t, len(items), len(items2))
		for i := range items {
			assert.True(t, bytes.Equal(items[i], items2[i]))
		}
	})
}
