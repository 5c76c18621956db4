package main

import (
	"fmt"
	"go/token"
	"slices"
	"strings"
)

// operators names the functions of helpers that stand for an operator: they compute what it
// does or, if their switch is on, what the one in its place does.
var operators = map[token.Token]string{
	token.LSS: "mutLess", token.LEQ: "mutLessOrEqual", token.GTR: "mutMore", token.GEQ: "mutMoreOrEqual",
	token.LAND: "mutAnd", token.LOR: "mutOr",
	token.ADD: "mutAdd", token.SUB: "mutSub", token.MUL: "mutMul", token.QUO: "mutQuo",
}

// helpers is a file for a package with switches; %[1]s is its name, %[2]d the number of switches.
// One switch at most is on, that of $MUTATE_SITE. Which ones were asked is written into the
// file $MUTATE_SEEN, a byte for each; it is mapped, so that no exit loses it.
const helpers = `package %[1]s

import (
	"cmp"
	"os"
	"strconv"
	"syscall"
)

var mutIs, _ = strconv.Atoi(os.Getenv("MUTATE_SITE"))

var mutSeen = mutMap()

func mutMap() []byte {
	f, err := os.OpenFile(os.Getenv("MUTATE_SEEN"), os.O_RDWR, 0)
	if err != nil {
		return nil
	}
	defer f.Close()
	seen, _ := syscall.Mmap(int(f.Fd()), 0, %[2]d, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	return seen
}

func mutOn(id int) bool {
	if mutSeen != nil {
		mutSeen[id] = 1
	}
	return id == mutIs
}

type mutNumber interface {
	~int | ~int8 | ~int16 | ~int32 | ~int64 | ~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~uintptr | ~float32 | ~float64
}

func mutIf[T any](on bool, yes, no T) T {
	if on {
		return yes
	}
	return no
}

func mutLess[T cmp.Ordered](id int, a, b T) bool        { return mutIf(mutOn(id), a <= b, a < b) }
func mutLessOrEqual[T cmp.Ordered](id int, a, b T) bool { return mutIf(mutOn(id), a < b, a <= b) }
func mutMore[T cmp.Ordered](id int, a, b T) bool        { return mutIf(mutOn(id), a >= b, a > b) }
func mutMoreOrEqual[T cmp.Ordered](id int, a, b T) bool { return mutIf(mutOn(id), a > b, a >= b) }

func mutAdd[T mutNumber](id int, a, b T) T { return mutIf(mutOn(id), a-b, a+b) }
func mutSub[T mutNumber](id int, a, b T) T { return mutIf(mutOn(id), a+b, a-b) }

func mutMul[T mutNumber](id int, a, b T) T {
	if mutOn(id) {
		return a / b
	}
	return a * b
}

func mutQuo[T mutNumber](id int, a, b T) T {
	if mutOn(id) {
		return a * b
	}
	return a / b
}

func mutNum[T mutNumber](id int, n T) T { return mutIf(mutOn(id), n+1, n) }

func mutAnd(id int, a bool, b func() bool) bool {
	if mutOn(id) {
		return a || b()
	}
	return a && b()
}

func mutOr(id int, a bool, b func() bool) bool {
	if mutOn(id) {
		return a && b()
	}
	return a || b()
}
`

// rewrite returns the text of a file with the switches of its sites. A site stands behind
// the one that it is a part of.
func rewrite(src []byte, sites []site) string {
	t := &text{src: src, open: map[int]string{}, shut: map[int]string{}, over: map[int]change{}}
	for _, s := range slices.Backward(sites) {
		t.put(s)
	}
	return t.between(0, len(src))
}

// text is the text of a file with what is to be written into it.
type text struct {
	src        []byte
	open, shut map[int]string // before and behind what begins or ends there
	over       map[int]change // what begins there is written over, up to change.to, with its name
}

func (t *text) put(s site) {
	switch by := s.by; by.kind {
	case negated:
		t.wrap(s, "(mutOn(%d) != (", "))")
	case operator:
		t.over[by.from] = change{to: by.to, name: ","}
		t.wrap(s, by.name+"(%d, ", ")")
	case either:
		t.over[by.from] = change{to: by.to, name: ", func() bool { return ("}
		t.wrap(s, by.name+"(%d, ", ") })")
	case number:
		t.wrap(s, "mutNum(%d, "+by.name+"(", "))")
	case dropped:
		t.wrap(s, "if !mutOn(%d) { ", " }")
	case unstored:
		right := strings.ReplaceAll(t.between(by.from, by.to), "%", "%%")
		t.wrap(s, "if mutOn(%d) { _ = "+right+" } else { ", " }")
	}
}

// wrap writes around a site, and around what is written around its parts.
func (t *text) wrap(s site, before, behind string) {
	t.open[s.start] = fmt.Sprintf(before, s.id) + t.open[s.start]
	t.shut[s.end] += behind
}

// between returns the text from one place to another, with what was written into it so far.
func (t *text) between(from, to int) string {
	var b strings.Builder
	for i := from; ; {
		if i > from {
			b.WriteString(t.shut[i])
		}
		if i == to {
			return b.String()
		}
		b.WriteString(t.open[i])
		if over, ok := t.over[i]; ok {
			b.WriteString(over.name)
			i = over.to
			continue
		}
		b.WriteByte(t.src[i])
		i++
	}
}
