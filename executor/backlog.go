package executor

// MaxBacklog is how many events of a run may wait for slow listeners. It is as many
// as there may be calls in flight, all of which may end at once.
const MaxBacklog = 1 << 14

// notice is a message for the listeners: an event, a line for the logger, or both.
type notice struct {
	event   Event
	message string // of the line, empty for none
	number  int    // 1, 2, 3, … in the order of happening
}

// expendable reports whether the notice may be dropped.
func (n *notice) expendable() bool {
	return n.event.Kind != Started && n.event.Kind != Planned && n.event.Kind != Finished
}

// backlog has the notices that have not been delivered yet, in order. It holds at most
// MaxBacklog expendable notices: when it is full, the oldest is dropped. The others are
// few, and are always kept. The zero value is empty.
type backlog struct {
	kept        []notice
	ring        []notice // the expendable ones: a ring buffer that grows
	first, size int      // of the notices in the ring
	numbered    int      // notices that have happened
	told        int      // of them, those delivered
	latest      int      // number of the notice delivered last
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

// makeRoom enlarges the ring, or drops the oldest notice in it.
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

// trim drops all expendable notices.
func (b *backlog) trim() { b.first, b.size = 0, 0 }
