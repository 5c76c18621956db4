// Package usage reads what calls have cost from the answers of metered services, and adds it up.
package usage

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
)

// Tokens is what an answer says about the tokens of a model. Other services report one amount: that is All.
type Tokens struct{ In, Out, All float64 }

// Meter reads what calls cost, and estimates it before. It is safe for concurrent use.
type Meter struct {
	cost     path    // in the answer; nil is the usage of model APIs
	estimate path    // in the item; nil is the mean cost of calls so far
	fixed    float64 // the estimate, if it is a number
	price    Price

	mu     sync.Mutex
	calls  int
	tokens Tokens
}

// Config is a meter in the form of flags.
type Config struct {
	Cost     string // a path in the JSON of an answer
	Estimate string // a number, or a path in the JSON of an item
	Price    string // "in=2.5,out=10", per million
}

// New returns a meter. The error is one of usage.
func New(c Config) (m *Meter, err error) {
	m = &Meter{}
	if m.cost, err = parsePath("cost", c.Cost); err != nil {
		return nil, err
	}
	if m.fixed, err = strconv.ParseFloat(c.Estimate, 64); err != nil && !errors.Is(err, strconv.ErrRange) {
		m.fixed = 0
		if m.estimate, err = parsePath("estimate", c.Estimate); err != nil {
			return nil, err
		}
	} else if !(m.fixed > 0) || math.IsInf(m.fixed, 1) {
		return nil, exit.Usagef("--estimate %q: must be a number above 0, or a path such as max_tokens", c.Estimate)
	}
	m.price, err = parsePrice(c.Price)
	return m, err
}

// path leads to a value in JSON: names of members, and numbers of elements from 0.
type path []string

func parsePath(flag, text string) (path, error) {
	if text == "" {
		return nil, nil
	}
	p := path(strings.Split(strings.TrimPrefix(text, "."), "."))
	if slices.Contains(p, "") {
		return nil, exit.Usagef("--%s %q: must be a path such as usage.total_tokens", flag, text)
	}
	return p, nil
}

// find returns the number that the path leads to.
func (p path) find(raw []byte) (float64, bool) {
	for _, step := range p {
		var members map[string]json.RawMessage
		var elements []json.RawMessage
		switch {
		case json.Unmarshal(raw, &members) == nil && members != nil:
			raw = members[step]
		case json.Unmarshal(raw, &elements) == nil:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(elements) {
				return 0, false
			}
			raw = elements[i]
		default:
			return 0, false
		}
	}
	var n json.Number
	if json.Unmarshal(raw, &n) != nil { // a number, also as text
		return 0, false
	}
	number, err := n.Float64()
	return number, err == nil && number >= 0 && !math.IsInf(number, 1)
}

// firstEstimate is added to the size of a request, in tokens, while nothing is known; charsPerToken is about how
// long a token is in English.
const (
	firstEstimate = 256
	charsPerToken = 4
)

// Estimate returns what a call for an item may cost; size is the number of bytes of its request. It is what the
// item says; else the mean of the calls so far; else it follows from the size.
func (m *Meter) Estimate(item []byte, size int) float64 {
	if m.fixed > 0 {
		return m.fixed
	}
	if n, ok := m.estimate.find(item); m.estimate != nil && ok {
		return n
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.calls > 0 {
		return m.tokens.All / float64(m.calls)
	}
	return float64(size)/charsPerToken + answerOf(item)
}

// answerOf returns how long the answer to an item may be, as the item says.
func answerOf(item []byte) float64 {
	most := float64(firstEstimate)
	for _, name := range []string{"max_tokens", "max_completion_tokens"} {
		if n, ok := (path{name}).find(item); ok && n > 0 {
			most = min(most, n)
		}
	}
	return most
}

// names are the members with tokens, in and out, of various services.
var names = [][2]string{{"input_tokens", "output_tokens"}, {"prompt_tokens", "completion_tokens"}}

// Read takes the cost from an answer, and adds it up. It returns what the call cost, below 0 if the answer does
// not say.
func (m *Meter) Read(answer []byte) (cost float64) {
	var t Tokens
	for _, name := range names {
		in, hasIn := path{"usage", name[0]}.find(answer)
		out, hasOut := path{"usage", name[1]}.find(answer)
		if hasIn || hasOut {
			t = Tokens{in, out, in + out}
		}
	}
	if m.cost != nil {
		var ok bool
		if t.All, ok = m.cost.find(answer); !ok {
			return -1
		}
	} else if t == (Tokens{}) {
		return -1
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls++
	m.tokens.In += t.In
	m.tokens.Out += t.Out
	m.tokens.All += t.All
	return t.All
}

// Total is what calls have cost.
type Total struct {
	Calls int     `json:"calls"` // calls that reported a cost
	In    float64 `json:"in"`
	Out   float64 `json:"out"`
	All   float64 `json:"all"`
	Price *Price  `json:"price,omitempty"`
	Cost  float64 `json:"cost"` // by the price
}

// Total returns what calls have cost so far.
func (m *Meter) Total() *Total {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := &Total{Calls: m.calls, In: m.tokens.In, Out: m.tokens.Out, All: m.tokens.All}
	if m.price != (Price{}) {
		t.Price = &m.price
		t.Cost = t.CostIn() + t.CostOut()
	}
	return t
}

// Price is what a million tokens cost, in any currency.
type Price struct {
	In  float64 `json:"in"`
	Out float64 `json:"out"`
}

// CostIn returns what the tokens of requests cost. There must be a price.
func (t *Total) CostIn() float64 { return t.In * t.Price.In / million }

// CostOut returns what the tokens of answers cost.
func (t *Total) CostOut() float64 { return t.Out * t.Price.Out / million }

const million = 1e6

func parsePrice(text string) (p Price, err error) {
	if text == "" {
		return p, nil
	}
	for part := range strings.SplitSeq(text, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		n, err := strconv.ParseFloat(value, 64)
		to := map[string]*float64{"in": &p.In, "out": &p.Out}[name]
		if err != nil || !(n >= 0) || math.IsInf(n, 1) || to == nil {
			return Price{}, exit.Usagef("--price %q: must be the price of a million tokens, such as in=2.50,out=10", text)
		}
		*to = n
	}
	return p, nil
}

// Table returns the total as lines for a person: none if no call has reported its cost, or if the Total is nil
// because it was not requested.
func (t *Total) Table() string {
	if t == nil || t.Calls == 0 {
		return ""
	}
	rows := [][]string{{"usage", "tokens"}, {"in", amount(t.In)}, {"out", amount(t.Out)}, {"total", amount(t.All)}}
	if t.In == 0 && t.Out == 0 { // one amount, of any kind
		rows = [][]string{{"usage"}, {"total", amount(t.All)}}
	}
	if t.Price != nil {
		rows = [][]string{
			{"usage", "tokens", "per million", "cost"},
			{"in", amount(t.In), amount(t.Price.In), money(t.CostIn())},
			{"out", amount(t.Out), amount(t.Price.Out), money(t.CostOut())},
			{"total", amount(t.All), "", money(t.Cost)},
		}
	}
	var b strings.Builder
	for _, row := range rows {
		fmt.Fprintf(&b, "  %-6s", row[0])
		for _, cell := range row[1:] {
			fmt.Fprintf(&b, " %12s", cell)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func amount(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) }

func money(n float64) string { return strconv.FormatFloat(n, 'f', 4, 64) }
