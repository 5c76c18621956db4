package jobs

import (
	"math"
	"time"

	"github.com/amorsize/amorsize/sampling"
)

// Cost is what jobs were seen to cost. With jobs of several items, the cost of a job's start is separated from
// that of its items.
type Cost struct {
	Jobs, Items int
	Elapsed     time.Duration // of all jobs, one after the other
	Wall        time.Duration // of a job
	CPU         time.Duration // of a job
	Memory      int64         // of the largest job
	Start, Item time.Duration // of a job of n items: Start + n × Item; both 0 if not known
	CV          float64       // coefficient of variation of the wall time
}

// Share returns the part of a job that is spent on a core, 0 to 1.
func (c Cost) Share() float64 {
	if c.Wall <= 0 {
		return 1
	}
	return min(1, float64(c.CPU)/float64(c.Wall))
}

// Class returns what kind of work the jobs are.
func (c Cost) Class() sampling.Workload {
	return sampling.Sample{CPUShare: c.Share(), CPUKnown: true}.Workload()
}

// observations are the samples of single jobs so far.
type observations struct {
	n, wall, cpu []float64 // items, seconds, seconds
	memory       int64
	elapsed      time.Duration
}

func (o *observations) add(j *Job) {
	o.n = append(o.n, float64(len(j.Batch)))
	o.wall = append(o.wall, j.Wall.Seconds())
	o.cpu = append(o.cpu, j.CPU.Seconds())
	o.memory = max(o.memory, j.Memory)
	o.elapsed += j.Took
}

// cost computes the cost. The first job is often cold, and is left out if there are three.
func (o *observations) cost() Cost {
	n, wall, cpu := o.n, o.wall, o.cpu
	c := Cost{Jobs: len(n), Memory: o.memory, Elapsed: o.elapsed, Items: int(sum(n))}
	if len(n) > 2 {
		n, wall, cpu = n[1:], wall[1:], cpu[1:]
	}
	if len(n) == 0 {
		return c
	}
	k := float64(len(n))
	c.Wall, c.CPU = seconds(sum(wall)/k), seconds(sum(cpu)/k)
	for _, w := range wall {
		c.CV += (w - sum(wall)/k) * (w - sum(wall)/k)
	}
	if k > 1 && sum(wall) > 0 {
		c.CV = math.Sqrt(c.CV/(k-1)) / (sum(wall) / k)
	}
	c.Start, c.Item = fit(n, wall)
	return c
}

// fit is the straight line through times by least squares: the cost of a job's start, and of each of its items.
func fit(n, wall []float64) (start, item time.Duration) {
	k := float64(len(n))
	meanN, meanW := sum(n)/k, sum(wall)/k
	var covariance, variance float64
	for i := range n {
		covariance += (n[i] - meanN) * (wall[i] - meanW)
		variance += (n[i] - meanN) * (n[i] - meanN)
	}
	if variance == 0 {
		return 0, 0
	}
	slope := max(0, covariance/variance)
	return seconds(max(0, meanW-slope*meanN)), seconds(slope)
}

func sum(list []float64) (total float64) {
	for _, x := range list {
		total += x
	}
	return total
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
