package remote

import (
	"encoding/json"
	"fmt"
	"reflect"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/amorsize/amorsize/executor"
)

// Codec turns items or results into bytes and back. It must be safe for concurrent use. Its Name is kept with the
// run: a worker with another codec refuses it.
type Codec[T any] struct {
	Name   string
	Encode func(T) ([]byte, error)
	Decode func([]byte) (T, error)
	// DecodeAll decodes many at once, where that takes less time than decoding one after the other; nil if it
	// doesn't. If it fails, they are decoded one after the other.
	DecodeAll func([][]byte) ([]T, error)
}

// JSON is the default codec of functions: encoding/json.
func JSON[T any]() Codec[T] {
	return Codec[T]{
		Name:   "json",
		Encode: func(v T) ([]byte, error) { return json.Marshal(v) },
		Decode: func(data []byte) (v T, err error) { return v, json.Unmarshal(data, &v) },
		DecodeAll: func(all [][]byte) (values []T, err error) {
			array := make([]byte, 1, 2+total(all))
			array[0] = '['
			for i, data := range all {
				if i > 0 {
					array = append(array, ',')
				}
				array = append(array, data...)
			}
			values = make([]T, 0, len(all))
			return values, json.Unmarshal(append(array, ']'), &values)
		},
	}
}

func total(all [][]byte) (bytes int) {
	for _, data := range all {
		bytes += len(data) + 1
	}
	return bytes
}

// all decodes all values; wrong has the errors of those that cannot be decoded.
func (c Codec[T]) all(encoded [][]byte) (values []T, wrong map[int]error) {
	if c.DecodeAll != nil {
		values, err := guard(func() ([]T, error) { return c.DecodeAll(encoded) })
		if err == nil && len(values) == len(encoded) {
			return values, nil
		}
	}
	values = make([]T, len(encoded))
	for i, data := range encoded {
		var err error
		if values[i], err = guard(func() (T, error) { return c.Decode(data) }); err != nil {
			if wrong == nil {
				wrong = map[int]error{}
			}
			wrong[i] = fmt.Errorf("it cannot be decoded: %w", err)
		}
	}
	return values, wrong
}

// guard turns a panic of code that is not ours into an error.
func guard[V any](call func() (V, error)) (v V, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &executor.PanicError{Value: p, Stack: debug.Stack()}
		}
	}()
	return call()
}

// signature describes types as far as it matters for the encoding: a program whose types have changed since a run
// was submitted would read its items wrongly, without an error.
func signature[T, R any](in Codec[T], out Codec[R]) string {
	return in.Name + " " + describe(reflect.TypeFor[T](), nil) + " → " + out.Name + " " + describe(reflect.TypeFor[R](), nil)
}

// describe spells a type out, except types that contain it.
func describe(t reflect.Type, within []reflect.Type) string {
	if slices.Contains(within, t) {
		return t.String()
	}
	within = append(within[:len(within):len(within)], t)
	switch t.Kind() {
	case reflect.Struct:
		fields := []string{}
		for f := range t.Fields() {
			if !f.IsExported() {
				continue
			}
			tag := ""
			if name := f.Tag.Get("json"); name != "" {
				tag = fmt.Sprintf(" %q", name)
			}
			fields = append(fields, f.Name+" "+describe(f.Type, within)+tag)
		}
		if len(fields) == 0 { // like time.Time: it defines its own encoding
			return t.String()
		}
		return "{" + strings.Join(fields, "; ") + "}"
	case reflect.Pointer:
		return "*" + describe(t.Elem(), within)
	case reflect.Slice:
		return "[]" + describe(t.Elem(), within)
	case reflect.Array:
		return fmt.Sprintf("[%d]%s", t.Len(), describe(t.Elem(), within))
	case reflect.Map:
		return "map[" + describe(t.Key(), within) + "]" + describe(t.Elem(), within)
	default:
		return t.Kind().String()
	}
}
