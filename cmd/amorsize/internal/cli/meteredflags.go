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
	s.BoolVar(&f.batch, "batch-file", false, "items are the lines of a batch file for models (custom_id, method, url, body, or params): each is sent as a separate request to the URL's host, and results have the same form")
	s.StringVar(&f.rate, "rate-tokens", "", "limit the rate of tokens, in addition to --rate: `90000/m`")
	s.StringVar(&f.Cost, "cost", "", "where an answer states its cost: a `path` in its JSON (default: the usage that models report)")
	s.StringVar(&f.Estimate, "estimate", "", "the estimated cost of a call: a `number`, or a path in the item's JSON (default: the average of the calls so far)")
	s.StringVar(&f.Price, "price", "", "the price of a million tokens, for the summary: `in=2.50,out=10`")
	s.StringVar(&f.key, "key", "", "use one rate and one breaker per `{host}`, or another template of the item; while items of a key wait, others go ahead")
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
