package cli

import (
	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/usage"
)

// meteredFlags are for services that have a limit for each key, limit the cost of calls, or send a bill.
type meteredFlags struct {
	usage.Config
	rate  string // limit on the cost of calls
	key   string
	batch bool
	hedge bool
}

func (f *meteredFlags) group() group {
	g := newGroup("Metered services")
	s := g.set
	s.BoolVar(&f.batch, "batch-file", false, "items are the lines of a batch file for models (custom_id, method, url, body, or params): each is sent as a request of its own to the URL's host, and results have that form, too")
	s.StringVar(&f.rate, "rate-tokens", "", "at most so many tokens, in addition to --rate: `90000/m`")
	s.StringVar(&f.Cost, "cost", "", "where an answer says what it has cost: a `path` in its JSON (default the usage that models tell)")
	s.StringVar(&f.Estimate, "estimate", "", "what a call may cost, before it is known: a `number`, or a path in the item's JSON (default the average of the calls so far)")
	s.StringVar(&f.Price, "price", "", "what a million tokens cost, for the summary: `in=2.50,out=10`")
	s.StringVar(&f.key, "key", "", "rates hold, and breakers open, for each `{host}`, or another template of the item; items of a key that waits let others pass")
	s.BoolVar(&f.hedge, "hedge", false, "send idempotent requests that are slower than the 95th percentile a second time, up to 5 % of all")
	g.are(ofUser, "batch-file", "rate-tokens", "cost", "estimate", "price", "key", "hedge")
	return g
}

// meter returns the meter of what calls cost, nil if it is not needed.
func (f *meteredFlags) meter() (*usage.Meter, error) {
	if f.rate == "" && f.Cost == "" && f.Price == "" && !f.batch {
		if f.Estimate != "" {
			return nil, exit.Usagef("--estimate needs --rate-tokens")
		}
		return nil, nil
	}
	return usage.New(f.Config)
}
