// Command durable asks a slow service about every airport of a file, and keeps what it has. Killed and started again
// it goes on where it was, and prints the same:
//
//	go run ./examples/durable > cities
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/remote"
	"github.com/amorsize/amorsize/retry"
)

var city = remote.RegisterContext("city", ask, amorsize.WithPolicies(retry.MustNew(retry.Policy{MaxRetries: 3})))

func main() {
	data := flag.String("data", "../testdata/airports.csv", "the airports, as CSV")
	on := flag.String("on", "sqlite:durable.db", "the database; with postgres:// other machines can work on the run too")
	night := flag.String("run", time.Now().Format(time.DateOnly), "the name of the run: a new one each day")
	flag.Parse()
	if err := run(*data, *on, *night); err != nil {
		log.Fatalln("durable:", err)
	}
}

func run(data, on, night string) error {
	codes, err := serve(data)
	if err != nil {
		return err
	}
	cluster, err := remote.Open(context.Background(), on)
	if err != nil {
		return err
	}
	defer cluster.Close()
	cities, err := city.Execute(context.Background(), cluster, codes, remote.RunID(night))
	if err != nil {
		return err
	}
	out := bufio.NewWriter(os.Stdout)
	for i, name := range cities {
		fmt.Fprintln(out, codes[i], name)
	}
	log.Printf("%d cities, asked for %d of them now", len(cities), asked.Load())
	return out.Flush()
}
