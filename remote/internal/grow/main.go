// Command grow prints what binds with more workers than one can try, by simulation (package growth).
package main

import (
	"fmt"
	"time"

	"github.com/amorsize/amorsize/remote/internal/chunking"
	"github.com/amorsize/amorsize/remote/internal/growth"
)

// What a chunk costs a core of PostgreSQL was measured at 0.26 ms; SQLite has one writer, and a chunk takes it 1.1 ms.
var databases = []struct {
	name     string
	cores    int
	chunk    time.Duration
	capacity float64
}{
	{"PostgreSQL, 2 cores", 2, 260 * time.Microsecond, 4000},
	{"PostgreSQL, 16 cores", 16, 260 * time.Microsecond, 32_000},
	{"SQLite", 1, 1100 * time.Microsecond, 900},
}

func main() {
	fmt.Println("| database | workers | chunks of | chunks/s | workers busy | database busy | a question waits | connections |")
	fmt.Println("|---|---|---|---|---|---|---|---|")
	for _, d := range databases {
		for _, workers := range []int{10, 100, 1000} {
			for _, rule := range []bool{false, true} {
				length := 250 * time.Millisecond
				if rule {
					items := chunking.Conditions{Rate: 1000, Workers: workers, Time: length, Capacity: d.capacity}.Items()
					if same := time.Duration(items) * time.Millisecond; same > length {
						length = same
					} else {
						continue
					}
				}
				f := growth.Play(growth.Params{
					Workers: workers, Slots: 3, ChunkTime: length, Cores: d.cores, Fetch: d.chunk / 2, Commit: d.chunk / 2,
					Beat: 100 * time.Microsecond, Heartbeat: 2 * time.Second, Look: 150 * time.Microsecond, LookEvery: time.Second,
					Length: max(60*time.Second, 20*length), Seed: 1,
				})
				fmt.Printf("| %s | %d | %v | %.0f | %.0f %% | %.0f %% | %v | %d to %d |\n", d.name, workers, length, f.Chunks,
					100*f.Busy, 100*f.Database, f.Wait.Round(10*time.Microsecond), 2*workers, 8*workers)
			}
		}
	}
}
