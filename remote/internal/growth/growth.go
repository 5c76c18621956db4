// Package growth is a discrete-event simulation of workers and their database, with measured costs. It shows what
// binds with more workers than one can try.
//
// A worker has a number of chunks at a time. For each it queries the database (fetch and read), works, and queries
// it again (write, complete). The database has cores that serve one query after the other. In addition, each
// worker reports that it is alive, and looks for runs.
package growth

import (
	"container/heap"
	"math/rand/v2"
	"time"
)

// Params are the parameters of a simulation.
type Params struct {
	Workers   int
	Slots     int           // chunks at a time in a worker, of which one is being worked
	ChunkTime time.Duration // of a worker for a chunk
	Cores     int           // of the database
	Fetch     time.Duration // of a core, before a chunk is worked
	Commit    time.Duration // of a core, after it
	Beat      time.Duration // of a core, for a heartbeat
	Heartbeat time.Duration // time between two heartbeats
	Look      time.Duration // of a core, for a look at the runs
	LookEvery time.Duration
	Length    time.Duration // simulated time, after a warm-up of a tenth of it
	Seed      uint64
}

// Figures are the results.
type Figures struct {
	Chunks   float64 // per second
	Busy     float64 // share of the workers' time in which they work
	Database float64 // share of its cores' time
	Wait     time.Duration
}

// event is what happens at a time.
type event struct {
	at time.Duration
	do func(now time.Duration)
}

type events []event

func (e events) Len() int           { return len(e) }
func (e events) Less(i, j int) bool { return e[i].at < e[j].at }
func (e events) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)        { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	old := *e
	last := old[len(old)-1]
	*e = old[:len(old)-1]
	return last
}

// question is one query to the database.
type question struct {
	takes time.Duration
	since time.Duration
	then  func(now time.Duration)
}

type play struct {
	p      Params
	random *rand.Rand
	events events
	line   []question
	idle   int
	begun  time.Duration // of the counted part

	chunks    int
	worked    time.Duration
	served    time.Duration
	waited    time.Duration
	questions int
}

// Play runs the simulation.
func Play(p Params) Figures {
	g := &play{p: p, random: rand.New(rand.NewPCG(p.Seed, 1)), idle: p.Cores, begun: p.Length / 10}
	for range p.Workers {
		w := &worker{play: g}
		for range p.Slots {
			g.at(g.some(p.ChunkTime), w.fetch)
		}
		g.every(p.Heartbeat, p.Beat)
		g.every(p.LookEvery, p.Look)
	}
	for len(g.events) > 0 {
		next := heap.Pop(&g.events).(event)
		if next.at > p.Length {
			break
		}
		next.do(next.at)
	}
	counted := (p.Length - g.begun).Seconds()
	return Figures{
		Chunks:   float64(g.chunks) / counted,
		Busy:     g.worked.Seconds() / counted / float64(p.Workers),
		Database: g.served.Seconds() / counted / float64(p.Cores),
		Wait:     g.waited / time.Duration(max(g.questions, 1)),
	}
}

func (g *play) at(at time.Duration, do func(time.Duration)) { heap.Push(&g.events, event{at, do}) }

// some is a random time around a mean, as real work takes.
func (g *play) some(around time.Duration) time.Duration {
	return time.Duration(float64(around) * (0.5 + g.random.Float64()))
}

// every queries the database periodically.
func (g *play) every(period, takes time.Duration) {
	if period <= 0 || takes <= 0 {
		return
	}
	var again func(time.Duration)
	again = func(now time.Duration) {
		g.ask(now, takes, func(time.Duration) {})
		g.at(now+g.some(period), again)
	}
	g.at(g.some(period), again)
}

// ask makes a core of the database do something, now or when one is free.
func (g *play) ask(now, takes time.Duration, then func(time.Duration)) {
	takes = time.Duration(float64(takes) * g.random.ExpFloat64())
	q := question{takes, now, then}
	if g.idle == 0 {
		g.line = append(g.line, q)
		return
	}
	g.idle--
	g.serve(now, q)
}

func (g *play) serve(now time.Duration, q question) {
	if now >= g.begun {
		g.questions++
		g.waited += now - q.since
		g.served += q.takes
	}
	g.at(now+q.takes, func(now time.Duration) {
		q.then(now)
		if len(g.line) == 0 {
			g.idle++
			return
		}
		next := g.line[0]
		g.line = g.line[1:]
		g.serve(now, next)
	})
}

// worker works its chunks one after the other.
type worker struct {
	*play
	ready   int
	working bool
}

func (w *worker) fetch(now time.Duration) {
	w.ask(now, w.p.Fetch, func(now time.Duration) {
		w.ready++
		w.work(now)
	})
}

func (w *worker) work(now time.Duration) {
	if w.working || w.ready == 0 {
		return
	}
	w.working = true
	w.ready--
	takes := w.some(w.p.ChunkTime)
	w.at(now+takes, func(now time.Duration) {
		if now >= w.begun {
			w.chunks++
			w.worked += takes
		}
		w.working = false
		w.work(now)
		w.ask(now, w.p.Commit, w.fetch)
	})
}
