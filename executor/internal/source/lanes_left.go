package source

// What is left of [Lanes], and their end.

// Left implements [Source].
func (l *Lanes) Left() int { return l.from.Left() + int(l.parked.Load()) }

// Parked returns how many items of s are held back by their lines.
func Parked(s Source) int {
	if l, ok := s.(*Lanes); ok {
		return int(l.parked.Load())
	}
	return 0
}

// Demand implements [Source]. Where a worker waits, there is nothing to claim.
func (l *Lanes) Demand() (idle, there int) {
	if idle = int(l.idle.Load()); idle > 0 {
		return idle, 0
	}
	_, there = l.from.Demand()
	return 0, there + int(l.parked.Load())
}

// Seen implements [Source].
func (l *Lanes) Seen() int { return l.from.Seen() }

// Rest implements [Source]. The items that are parked are handed back.
func (l *Lanes) Rest() []Span {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, n := range l.lanes {
		for ; !n.items.empty(); n.items.pop() {
			l.handBack(n.items.first())
		}
	}
	for _, i := range l.plain {
		l.handBack(i)
	}
	l.plain = nil
	return l.from.Rest()
}

func (l *Lanes) handBack(i int) {
	l.parked.Add(-1)
	l.from.Return(Span{i, i + 1})
}

// Stop implements [Source]: nobody waits any more.
func (l *Lanes) Stop() {
	l.from.Stop()
	l.stop.Do(func() { close(l.stopped) })
}
