package journal

import (
	"encoding/json"

	"github.com/amorsize/amorsize/internal/jsontext"
)

// plainHeader is a header as JSON has it by itself.
type plainHeader Header

// headerLine is a header as written in its line. JSON replaces bytes that are not UTF-8, as some
// file names have. A text that has such bytes is there a second time, in base64: what is read
// back runs a command again, and must be the same.
type headerLine struct {
	plainHeader
	Run64   []byte   `json:"run64,omitempty"`
	Args64  [][]byte `json:"args64,omitempty"`
	Flags64 [][]byte `json:"flags64,omitempty"` // the values
	Names64 [][]byte `json:"names64,omitempty"`
	Dir64   []byte   `json:"dir64,omitempty"`
}

// MarshalJSON keeps texts that are not valid UTF-8.
func (h Header) MarshalJSON() ([]byte, error) {
	return json.Marshal(headerLine{
		plainHeader: plainHeader(h), Run64: jsontext.Exact(h.Run), Args64: jsontext.ExactList(h.Args),
		Flags64: jsontext.ExactList(flagValues(h.Flags)), Names64: jsontext.ExactList(h.Names), Dir64: jsontext.Exact(h.Dir),
	})
}

// UnmarshalJSON reads what MarshalJSON has written, and headers of earlier releases.
func (h *Header) UnmarshalJSON(raw []byte) error {
	line := headerLine{plainHeader: plainHeader(*h)}
	err := json.Unmarshal(raw, &line)
	*h = Header(line.plainHeader) // with an error, too: some readers take what there is
	jsontext.Restore(&h.Run, line.Run64)
	jsontext.RestoreList(&h.Args, line.Args64)
	jsontext.RestoreList(&h.Names, line.Names64)
	jsontext.Restore(&h.Dir, line.Dir64)
	for i := range min(len(h.Flags), len(line.Flags64)) {
		jsontext.Restore(&h.Flags[i][1], line.Flags64[i])
	}
	return err
}

func flagValues(flags [][2]string) []string {
	values := make([]string, len(flags))
	for i, flag := range flags {
		values[i] = flag[1]
	}
	return values
}
