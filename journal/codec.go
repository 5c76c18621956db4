package journal

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"errors"

	"github.com/amorsize/amorsize/internal/jsontext"
)

// Codec says how results are kept. What it does not keep, as fields that are not exported,
// is lost when a run goes on. Name is in the journal: another one's is refused.
type Codec interface {
	Name() string
	Marshal(result any) ([]byte, error)
	// Unmarshal is given a pointer to a zero result.
	Unmarshal(data []byte, result any) error
}

// The codecs. Another one, as of protocol buffers, is a type with three methods.
var (
	// JSON is encoding/json: results can be read in the journal. It is the default. Members
	// that a type does not have are an error.
	JSON Codec = jsonCodec{}
	// Gob is encoding/gob, for what JSON does not have, as NaN.
	Gob Codec = gobCodec{}
	// None keeps no results: those of an earlier run are zero.
	None Codec = noCodec{}
)

type jsonCodec struct{}

func (jsonCodec) Name() string { return "json" }

// Marshal refuses bytes that are no UTF-8, which JSON would not give back.
func (jsonCodec) Marshal(result any) ([]byte, error) {
	text, err := json.Marshal(result)
	if err == nil && jsontext.Replaced(text) {
		err = errors.New("it has bytes that are no UTF-8, which JSON would replace: use journal.Gob")
	}
	return text, err
}

// Unmarshal refuses members that the type does not have: it is another one than was written.
func (jsonCodec) Unmarshal(data []byte, result any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	return d.Decode(result)
}

type gobCodec struct{}

func (gobCodec) Name() string { return "gob" }

func (gobCodec) Marshal(result any) ([]byte, error) {
	var b bytes.Buffer
	err := gob.NewEncoder(&b).Encode(result)
	return b.Bytes(), err
}

func (gobCodec) Unmarshal(data []byte, result any) error {
	return gob.NewDecoder(bytes.NewReader(data)).Decode(result)
}

type noCodec struct{}

func (noCodec) Name() string                { return "none" }
func (noCodec) Marshal(any) ([]byte, error) { return nil, nil }
func (noCodec) Unmarshal([]byte, any) error { return nil }
