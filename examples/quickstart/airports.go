package main

import (
	"context"
	"encoding/csv"
	"fmt"
	"math"
	"os"
	"strconv"
)

type airport struct {
	code, name, city, state string
	latitude, longitude     float64 // degrees
}

// readAirports reads iata, name, city, state, country, latitude, longitude.
func readAirports(path string) ([]airport, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%w (run it from the repository's root, or say -data)", err)
	}
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		return nil, err
	}
	var out []airport
	for _, row := range rows[min(1, len(rows)):] {
		latitude, err := strconv.ParseFloat(row[5], 64)
		if err != nil {
			return nil, err
		}
		longitude, err := strconv.ParseFloat(row[6], 64)
		if err != nil {
			return nil, err
		}
		out = append(out, airport{row[0], row[1], row[2], row[3], latitude, longitude})
	}
	if len(out) < 1000 {
		return nil, fmt.Errorf("%s: %d airports, want at least 1000", path, len(out))
	}
	return out, nil
}

func label(_ context.Context, a airport) (string, error) {
	return a.code + " " + a.name + ", " + a.city + " " + a.state, nil
}

// neighbour is the airport nearest to another one.
type neighbour struct {
	code       string
	kilometres float64
}

func nearest(all []airport) func(context.Context, airport) (neighbour, error) {
	return func(_ context.Context, a airport) (neighbour, error) {
		best := neighbour{kilometres: math.Inf(1)}
		for _, b := range all {
			if b.code == a.code {
				continue
			}
			if d := distance(a, b); d < best.kilometres {
				best = neighbour{b.code, d}
			}
		}
		return best, nil
	}
}

// distance returns the great-circle distance in kilometres, by the haversine formula.
func distance(a, b airport) float64 {
	const radius, degree = 6371.0, math.Pi / 180
	lat := math.Sin((b.latitude - a.latitude) * degree / 2)
	long := math.Sin((b.longitude - a.longitude) * degree / 2)
	h := lat*lat + math.Cos(a.latitude*degree)*math.Cos(b.latitude*degree)*long*long
	return 2 * radius * math.Asin(math.Min(1, math.Sqrt(h)))
}
