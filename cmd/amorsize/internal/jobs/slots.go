package jobs

import (
	"container/heap"
	"sync"
)

// slots are numbers from 0 that distinguish attempts in flight: each gets the smallest free number.
type slots struct {
	mu   sync.Mutex
	free intHeap
	made int
}

func (s *slots) take() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.free) > 0 {
		return heap.Pop(&s.free).(int)
	}
	s.made++
	return s.made - 1
}

func (s *slots) give(slot int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	heap.Push(&s.free, slot)
}

type intHeap []int

func (h intHeap) Len() int           { return len(h) }
func (h intHeap) Less(i, j int) bool { return h[i] < h[j] }
func (h intHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *intHeap) Push(x any)        { *h = append(*h, x.(int)) }
func (h *intHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}
