package journal

import (
	"encoding/base64"
	"encoding/json"
	"strconv"
	"time"
	"unicode/utf8"
)

// Version is the version of the format. It changes when a field changes its meaning; new fields
// may come with any release. Lines of version 1, which amorsize run wrote, have no checksum.
const Version = 2

// Program is the Header.Command of a journal that a program has written instead of the amorsize
// command.
const Program = "program"

// Header is the first line of a run: each run that opens the journal adds its own.
type Header struct {
	Type    string      `json:"type"` // "run"
	V       int         `json:"v"`
	Run     string      `json:"run,omitempty"` // Options.Run
	Codec   string      `json:"codec,omitempty"`
	Command string      `json:"command"` // run, http or exec; Program
	Args    []string    `json:"args"`    // for the command, the arguments after the flags; for a program, all including its name
	Flags   [][2]string `json:"flags"`   // for the command, the given flags with their values
	Names   []string    `json:"names,omitempty"`
	Dir     string      `json:"dir"`
	Host    string      `json:"host"`
	PID     int         `json:"pid,omitempty"`
	Started time.Time   `json:"started"`
	Version string      `json:"version"`
}

// Record is the outcome of an item.
type Record struct {
	Index    int // of the item in its run
	Key      Key
	Attempts int
	Took     time.Duration
	Result   []byte  // as encoded by the codec, if the item did not fail
	Failed   *Failed // nil if the item did not fail
}

// Failed is what is stored for an item that failed.
type Failed struct {
	// Item is its text: a string itself, any other item as JSON, or by %+v if JSON can't encode
	// it.
	Item string
	// Err is the text of the error. Types are the types of the error and of those it wraps.
	Err   string
	Types []string
	// Again says that the item is run again in any case, because its failure ended the run.
	Again bool
}

// Failure is a failed item: a dead letter.
type Failure struct {
	Failed
	Index    int
	Key      Key
	Attempts int
	At       time.Time // when it failed
	Took     time.Duration
}

// entry is a record as written in its line. Type to OK come first, in this order: see quickly.
type entry struct {
	Type     string          `json:"type"` // "item"
	N        int             `json:"n"`    // from 1
	ID       string          `json:"id"`
	OK       bool            `json:"ok"`
	Item     *string         `json:"item,omitempty"`
	Item64   string          `json:"item64,omitempty"` // the same in base64, if it is not valid UTF-8
	Tries    int             `json:"tries"`
	Again    bool            `json:"again,omitempty"`
	Err      string          `json:"err,omitempty"`
	Types    []string        `json:"types,omitempty"`
	At       float64         `json:"at_s"` // its end, since the start of the run
	Took     float64         `json:"took_s,omitempty"`
	Result   json.RawMessage `json:"result,omitempty"`
	Result64 []byte          `json:"result64,omitempty"`
	Spill    *spill          `json:"spill,omitempty"`
}

// appendRecord appends the line of r, for an item that did not fail. It writes the JSON by
// hand, which is faster than a reflecting encoder.
func appendRecord(line []byte, r *Record, at time.Duration, codec Codec, file *spill) []byte {
	line = append(line, `{"type":"item","n":`...)
	line = strconv.AppendInt(line, int64(r.Index)+1, 10)
	line = append(line, `,"id":"`...)
	line = append(line, r.Key.String()...)
	line = append(line, `","ok":true,"tries":`...)
	line = strconv.AppendInt(line, int64(r.Attempts), 10)
	line = appendSeconds(append(line, `,"at_s":`...), at)
	line = appendSeconds(append(line, `,"took_s":`...), r.Took)
	switch {
	case file != nil:
		line = file.append(append(line, `,"spill":`...))
	case codec == JSON:
		line = append(append(line, `,"result":`...), r.Result...)
	case codec != None: // an empty result is a result, too
		line = append(line, `,"result64":"`...)
		line = append(base64.StdEncoding.AppendEncode(line, r.Result), '"')
	}
	return line
}

// appendSeconds appends d in seconds, with microseconds.
func appendSeconds(line []byte, d time.Duration) []byte {
	us := max(0, d.Microseconds())
	line = append(strconv.AppendInt(line, us/1e6, 10), '.')
	rest := us % 1e6
	for n := int64(1e5); n > 0; n /= 10 {
		line = append(line, byte('0'+rest/n%10))
	}
	return line
}

// appendFailed appends the line of r, for an item that failed.
func appendFailed(line []byte, r *Record, at time.Duration) []byte {
	f := r.Failed
	e := entry{
		Type: "item", N: r.Index + 1, ID: r.Key.String(), Tries: r.Attempts, Err: f.Err, Types: f.Types,
		At: at.Seconds(), Took: r.Took.Seconds(),
	}
	e.Again = f.Again
	if utf8.ValidString(f.Item) {
		e.Item = &f.Item
	} else {
		e.Item64 = base64.StdEncoding.EncodeToString([]byte(f.Item))
	}
	raw, _ := json.Marshal(&e) // JSON can encode all of it
	return append(line, raw[:len(raw)-1]...)
}

// failure returns the dead letter of e; started is the start of its run.
func (e *entry) failure(started time.Time) (Failure, error) {
	f := Failure{
		Index: e.N - 1, Attempts: e.Tries, Took: seconds(e.Took), At: started.Add(seconds(e.At)),
		Failed: Failed{Err: e.Err, Types: e.Types, Again: e.Again},
	}
	if e.Item != nil {
		f.Item = *e.Item
	} else {
		raw, err := base64.StdEncoding.DecodeString(e.Item64)
		if err != nil {
			return f, err
		}
		f.Item = string(raw)
	}
	var err error
	f.Key, err = keyFrom(e.ID)
	return f, err
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
