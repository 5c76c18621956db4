package executor

// MaxBacklog is how many events of a run may wait for slow listeners. It is as many
// as there may be calls in flight, all of which may end at once.
const MaxBacklog = 1 << 14

// notice is something to be told: an event, a line for the logger, or both.
type notice struct {
	event   Event
	message string // of the line, empty for none
	number  int    // 1, 2, 3, … in the order of happening
}

// expendable reports whether nobody misses much if the notice is dropped.
func (n *notice) expendable() bool {
	return n.event.Kind != Started && n.event.Kind != Planned && n.event.Kind != Finished
}

// backlog is what has not been told yet, in order. It has room for MaxBacklog
// notices that are expendable: then the oldest of them makes room. The others are
// few, and are kept. The zero value is empty.
type backlog struct {
	kept        []notice
	ring        []notice // the expendable ones: a circle that grows
	first, size int      // of those in it
	numbered    int      // notices that have happened
	told        int      // of them
	latest      int      // the number of the one told last
}

// add puts a notice at the end.
func (b *backlog) add(n notice) {
	b.numbered++
	n.number = b.numbered
	if !n.expendable() {
		if b.kept == nil {
			b.kept = make([]notice, 0, 4)
		}
		b.kept = append(b.kept, n)
		return
	}
	if b.size == len(b.ring) {
		b.makeRoom()
	}
	b.ring[(b.first+b.size)%len(b.ring)] = n
	b.size++
}

// makeRoom makes the circle larger, or drops the oldest notice in it.
func (b *backlog) makeRoom() {
	if b.size == MaxBacklog {
		b.first = (b.first + 1) % len(b.ring)
		b.size--
		return
	}
	larger := make([]notice, max(8, 2*len(b.ring)))
	copied := copy(larger, b.ring[b.first:])
	copy(larger[copied:], b.ring[:b.first])
	b.ring, b.first = larger, 0
}

// next takes the oldest notice out; ok is false if there is none.
func (b *backlog) next() (n notice, ok bool) {
	switch {
	case b.size > 0 && (len(b.kept) == 0 || b.ring[b.first].number < b.kept[0].number):
		n, b.ring[b.first] = b.ring[b.first], notice{}
		b.first = (b.first + 1) % len(b.ring)
		b.size--
	case len(b.kept) > 0:
		n, b.kept = b.kept[0], b.kept[1:]
	default:
		return notice{}, false
	}
	return n, true
}

// len returns how many notices there are.
func (b *backlog) len() int { return len(b.kept) + b.size }

// trim drops all that is expendable.
func (b *backlog) trim() { b.first, b.size = 0, 0 }
