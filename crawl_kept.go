package amorsize

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	"github.com/amorsize/amorsize/journal"
)

// envelope is what a journal keeps for a visit: the result as the codec encodes it, and the
// found items as JSON.
type envelope struct {
	Value  json.RawMessage `json:"value,omitempty"`
	Binary []byte          `json:"binary,omitempty"` // of a codec other than JSON
	Found  json.RawMessage `json:"found,omitempty"`
}

func encodeVisit[T, R any](codec journal.Codec) func(visit[T, R]) ([]byte, error) {
	return func(v visit[T, R]) ([]byte, error) {
		raw, err := codec.Marshal(v.value)
		if err != nil {
			return nil, err
		}
		e := envelope{Value: raw}
		if codec != journal.JSON {
			e = envelope{Binary: raw}
		}
		if len(v.found) > 0 {
			if e.Found, err = journal.JSON.Marshal(v.found); err != nil {
				return nil, fmt.Errorf("the items it found: %w", err)
			}
			var back []T
			if json.Unmarshal(e.Found, &back) != nil || !reflect.DeepEqual(v.found, back) {
				return nil, errNotGivenBack
			}
		}
		return json.Marshal(e)
	}
}

var errNotGivenBack = errors.New("the items it found: JSON does not restore them as they are")

func decodeVisit[T, R any](codec journal.Codec) func([]byte) (visit[T, R], error) {
	return func(raw []byte) (v visit[T, R], err error) {
		var e envelope
		if err := journal.JSON.Unmarshal(raw, &e); err != nil {
			return v, err
		}
		value := []byte(e.Value)
		if codec != journal.JSON {
			value = e.Binary
		}
		if err := codec.Unmarshal(value, &v.value); err != nil || len(e.Found) == 0 {
			return v, err
		}
		return v, journal.JSON.Unmarshal(e.Found, &v.found)
	}
}
