package amorsize

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"unicode/utf8"

	"github.com/amorsize/amorsize/internal/jsontext"
	"github.com/amorsize/amorsize/journal"
)

// keyFunc returns the function for the key of an item; equal items have equal keys. wanted
// requests it even without a journal.
func keyFunc[T any](c *settings, wanted bool) (func(T) (journal.Key, error), error) {
	key, ok := c.key.(func(T) string)
	switch t := reflect.TypeFor[T](); {
	case ok:
		return func(item T) (journal.Key, error) { return journal.KeyOf([]byte(key(item))), nil }, nil
	case c.key != nil:
		return nil, &ConfigError{Field: "WithKey", Value: fmt.Sprintf("%T", c.key), Range: fmt.Sprintf("a function of the run's items: %T", key)}
	case (wanted || c.journal != nil) && hides(t, map[reflect.Type]bool{}):
		return nil, &ConfigError{Field: "WithKey", Value: nil, Range: fmt.Sprintf("given: items of type %v have unexported fields, which cannot tell them apart", t)}
	}
	return digest[T], nil
}

// digest returns the key of an item from its encoding. For a string the bytes count, even if
// they are not valid UTF-8.
func digest[T any](item T) (journal.Key, error) {
	if text, ok := any(item).(string); ok && !utf8.ValidString(text) {
		return journal.KeyOf([]byte("bytes " + text)), nil
	}
	text, err := json.Marshal(item)
	if err == nil && jsontext.Replaced(text) {
		err = errNotUTF8
	}
	return journal.KeyOf(text), err
}

var errNotUTF8 = errors.New("it has bytes that are not UTF-8")

// hides reports whether JSON encodes only some of the fields of a type.
func hides(t reflect.Type, seen map[reflect.Type]bool) bool {
	if seen[t] || encodes(t) || encodes(reflect.PointerTo(t)) {
		return false
	}
	seen[t] = true
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array:
		return hides(t.Elem(), seen)
	case reflect.Map:
		return hides(t.Key(), seen) || hides(t.Elem(), seen)
	case reflect.Struct:
		for field := range t.Fields() {
			if !field.IsExported() && !field.Anonymous || hides(field.Type, seen) {
				return true
			}
		}
	}
	return false
}

// encodes reports whether a type has its own method for encoding.
func encodes(t reflect.Type) bool {
	return t.Implements(reflect.TypeFor[json.Marshaler]()) || t.Implements(reflect.TypeFor[encoding.TextMarshaler]())
}

// keys are the keys of items by their number. Numbers are added in order and removed in about
// the same order, so they are kept in pages: a page is found faster than a single entry.
type keys map[int]*keyPage

const pageSize = 256

type keyPage struct {
	keys  [pageSize]journal.Key
	there [pageSize]bool
	left  int
}

func (k keys) put(i int, key journal.Key) {
	p := k[i/pageSize]
	if p == nil {
		p = &keyPage{}
		k[i/pageSize] = p
	}
	p.keys[i%pageSize], p.there[i%pageSize] = key, true
	p.left++
}

func (k keys) take(i int) (key journal.Key, ok bool) {
	p := k[i/pageSize]
	if p == nil || !p.there[i%pageSize] {
		return key, false
	}
	key, p.there[i%pageSize] = p.keys[i%pageSize], false
	if p.left--; p.left == 0 {
		delete(k, i/pageSize)
	}
	return key, true
}
