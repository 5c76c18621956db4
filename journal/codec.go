package journal

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"errors"

	"github.com/amorsize/amorsize/internal/jsontext"
)

// Codec says how results are stored. Anything it does not store, such as unexported fields,
// is lost when a run resumes. Name is stored in the journal: a journal of another codec is
// refused.
type Codec interface {
	Name() string
	Marshal(result any) ([]byte, error)
	// Unmarshal gets a pointer to a zero result.
	Unmarshal(data []byte, result any) error
}

// The codecs. Another one, such as for protocol buffers, is a type with three methods.
var (
	// JSON is encoding/json: results are readable in the journal. It is the default. Members
	// that a type does not have are an error.
	JSON Codec = jsonCodec{}
	// Gob is encoding/gob, for values that JSON can't encode, such as NaN.
	Gob Codec = gobCodec{}
	// None stores no results: results of an earlier run are zero.
	None Codec = noCodec{}
)

type jsonCodec struct{}

func (jsonCodec) Name() string { return "json" }

// Marshal refuses invalid UTF-8, which JSON would not preserve.
func (jsonCodec) Marshal(result any) ([]byte, error) {
	text, err := json.Marshal(result)
	if err == nil && jsontext.Replaced(text) {
		err = errors.New("it has bytes that are not UTF-8, which JSON would replace: use journal.Gob")
	}
	return text, err
}

// Unmarshal refuses members that the type does not have: the result was written with another
// type.
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
