// Package summary describes the outcome of a run: for people, for programs (its JSON Schema is
// schema/summary.schema.json of the command), and for reports.
package summary

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/policies"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/process"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/usage"
)

// Version is the version of the summary. It changes when a field changes its meaning or is removed; any release
// may add fields.
const Version = 1

// Summary is the outcome of a run.
type Summary struct {
	V         int       `json:"v"`
	Cmd       string    `json:"cmd"`
	Started   time.Time `json:"started"`
	Total     int       `json:"total"` // items; -1 if it is not known
	OK        int       `json:"ok"`
	Failed    int       `json:"failed"`
	Skipped   int       `json:"skipped"` // had ended in the log that was resumed
	Retried   int       `json:"retried"`
	Throttled int       `json:"throttled"`
	Wall      float64   `json:"wall_s"`
	PerSecond float64   `json:"rate_per_s"`
	Plan      Plan      `json:"plan"`
	Peak      Peak      `json:"peak"`
	Job       Job       `json:"job"`
	Rate      *Rate     `json:"rate,omitempty"`
	Breaker   Breaker   `json:"breaker"`
	// Usage is what calls have cost in this run, if that was requested.
	Usage     *usage.Total `json:"usage,omitempty"`
	Failures  []Failure    `json:"failures"`
	Reasons   []Reason     `json:"reasons"`
	Stopped   string       `json:"stopped,omitempty"` // why the run ended early
	Exit      int          `json:"exit"`
	Log       string       `json:"log,omitempty"`
	Host      Host         `json:"host"`
	Bound     string       `json:"bound,omitempty"` // what bound the number of jobs, in the end
	Timeline  []Moment     `json:"timeline,omitempty"`
	Histogram []Bin        `json:"histogram,omitempty"`
}

// Plan is the plan of the run after its sample.
type Plan struct {
	Workers int          `json:"workers"`
	Batch   int          `json:"batch"`
	Binding string       `json:"binding"`
	Why     string       `json:"why"`
	Limits  []jobs.Limit `json:"limits,omitempty"`
	Sampled int          `json:"sampled"` // items
}

// Peak is the maximum at any time.
type Peak struct {
	Workers int   `json:"workers"`
	RSS     int64 `json:"rss_bytes"` // of all jobs that ran, estimated
}

// Job is how long jobs took: attempts without their waits in policies.
type Job struct {
	P50   float64 `json:"p50_s"`
	P95   float64 `json:"p95_s"`
	P99   float64 `json:"p99_s"`
	Max   float64 `json:"max_s"`
	CPU   float64 `json:"cpu_s"` // of all together
	Tries int     `json:"tries"` // of all together
}

// Rate is what the limiter did.
type Rate struct {
	PerSecond float64 `json:"per_s"` // at the end
	Waited    float64 `json:"waited_s"`
}

// Breaker is what the circuit breaker did.
type Breaker struct {
	Opened int     `json:"opened"`
	Paused float64 `json:"paused_s"`
}

// Failure is an item that failed.
type Failure struct {
	N     int    `json:"n"`
	Item  string `json:"item"`
	Why   string `json:"why"`
	Tries int    `json:"tries"`
	Err   string `json:"err"`
}

// Reason is a kind of failure, and how many items failed because of it.
type Reason struct {
	Why   string `json:"why"`
	Items int    `json:"items"`
}

// Host is where the run was.
type Host struct {
	Cores  int    `json:"cores"`
	Memory uint64 `json:"mem"`
	Name   string `json:"name,omitempty"`
}

// Moment is the state of the run at a time.
type Moment struct {
	At       float64 `json:"at_s"`
	Limit    int     `json:"limit"`
	InFlight int     `json:"in_flight"`
	Rate     float64 `json:"rate_per_s"` // items since the moment before
	Latency  float64 `json:"latency_s"`  // mean of the attempts since then
	Failed   int     `json:"failed"`     // so far
}

// Bin is a part of the histogram of how long jobs took.
type Bin struct {
	From  float64 `json:"from_s"`
	To    float64 `json:"to_s"`
	Count int64   `json:"count"`
}

// Why names the kind of an error: exit:22, signal:killed, timeout, spawn,
// output, status:404, connection, throttled, error.
func Why(err error, status int) string {
	var exit *process.ExitError
	var spawn *process.SpawnError
	var output *process.OutputError
	var network net.Error
	var timeout interface{ Timeout() bool }
	switch {
	case status >= 400:
		return "status:" + strconv.Itoa(status)
	case errors.As(err, &exit) && exit.Signal != "":
		return "signal:" + exit.Signal
	case errors.As(err, &exit):
		return "exit:" + strconv.Itoa(exit.Code)
	case errors.As(err, &spawn):
		return "spawn"
	case errors.As(err, &output):
		return "output"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "timeout"
	case errors.As(err, &network):
		return "connection"
	case policies.IsThrottled(err):
		return "throttled"
	}
	return "error"
}

// Brief is a text in one line of at most that many characters, for a terminal: the output of a command or a server
// must not control it.
func Brief(text string, most int) string {
	text = Printable(strings.Join(strings.Fields(text), " "))
	runes := []rune(text)
	if len(runes) <= most {
		return text
	}
	return string(runes[:most-1]) + "…"
}

// Printable returns text with all characters escaped, as in a Go string, that are not printable: control
// characters, escape sequences, marks that change the direction of text, bytes that are not UTF-8.
func Printable(text string) string {
	var b strings.Builder
	for i, r := range text {
		_, size := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, text[i])
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			quoted := strconv.QuoteRune(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
	}
	return b.String()
}

// Line returns the failure for a person.
func (f Failure) Line() string {
	text := fmt.Sprintf("#%d %q %s", f.N, Brief(f.Item, 60), f.Why)
	if f.Tries > 1 {
		text += fmt.Sprintf(" after %d tries", f.Tries)
	}
	if f.Err != "" {
		text += ": " + Brief(f.Err, 200)
	}
	return text
}
