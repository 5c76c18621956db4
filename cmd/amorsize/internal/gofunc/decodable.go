package gofunc

import (
	"go/types"
	"slices"
	"strings"
)

func isNamed(t types.Type, path, name string) bool {
	named, ok := t.(*types.Named)
	return ok && named.Obj().Pkg() != nil && named.Obj().Pkg().Path() == path && named.Obj().Name() == name
}

// undecodable explains why JSON can't become a value of a type; "" if it can.
func undecodable(t types.Type, q types.Qualifier, within []types.Type) string {
	if slices.ContainsFunc(within, func(outer types.Type) bool { return types.Identical(outer, t) }) {
		return ""
	}
	within = append(within, t)
	if hasMethod(t, "UnmarshalJSON") || hasMethod(t, "UnmarshalText") {
		return ""
	}
	switch u := t.Underlying().(type) {
	case *types.Chan:
		return "item is a channel"
	case *types.Signature:
		return "item is a function"
	case *types.Interface:
		if u.NumMethods() > 0 {
			return "item is an interface with methods: " + types.TypeString(t, q)
		}
	case *types.Basic:
		return undecodableBasic(u)
	case *types.Struct:
		return undecodableStruct(u, q, within)
	case interface{ Elem() types.Type }: // a pointer, a slice, an array or a map
		return undecodable(u.Elem(), q, within)
	}
	return ""
}

func undecodableBasic(b *types.Basic) string {
	if b.Info()&types.IsComplex != 0 {
		return "item is a complex number"
	}
	if b.Kind() == types.UnsafePointer {
		return "item is an unsafe pointer"
	}
	return ""
}

func undecodableStruct(s *types.Struct, q types.Qualifier, within []types.Type) string {
	exported := 0
	for field := range s.Fields() {
		if !field.Exported() && !field.Embedded() {
			continue
		}
		exported++
		if why := undecodable(field.Type(), q, within); why != "" {
			return "field " + field.Name() + ": " + why
		}
	}
	if exported == 0 && s.NumFields() > 0 {
		return "item is a struct without exported fields"
	}
	return ""
}

func hasMethod(t types.Type, name string) bool {
	object, _, _ := types.LookupFieldOrMethod(t, true, nil, name)
	_, ok := object.(*types.Func)
	return ok
}

// nearest returns the name with the fewest edits, if it is near.
func nearest(name string, names []string) string {
	best, least := "", max(1, len(name)/3)+1
	for _, candidate := range names {
		if d := edits(strings.ToLower(name), strings.ToLower(candidate)); d < least {
			best, least = candidate, d
		}
	}
	return best
}

// edits is the Levenshtein distance.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
