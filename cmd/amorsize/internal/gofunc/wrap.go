package gofunc

import (
	"fmt"
	"go/types"
	"strings"
)

// wrongParams refuses a function that does not take one item, and writes a wrapper that does.
func (f *Function) wrongParams(sig *types.Signature, params []types.Type) error {
	call, first := f.Expr, ""
	if f.Context {
		first = "ctx context.Context, "
	}
	args := func(inner string) string {
		if f.Context {
			inner = strings.TrimSuffix("ctx, "+inner, ", ")
		}
		return call + "(" + inner + ")"
	}
	result, body := resultText(sig, f.qualify)
	name := func(t types.Type) string { return types.TypeString(t, f.qualify) }
	switch {
	case sig.Variadic() && len(params) == 1:
		elem := params[0].(*types.Slice).Elem()
		return refuse("%s%s takes any number of items: %s; wanted %s. Wrap it: --fn 'func(%sitem %s)%s { %s%s }'",
			f.Name, f.at(), f.Type, wanted, first, name(elem), result, body, args("item"))
	case len(params) == 0:
		return refuse("%s%s takes no item: %s; wanted %s. Wrap it: --fn 'func(%s_ int)%s { %s%s }'",
			f.Name, f.at(), f.Type, wanted, first, result, body, args(""))
	}
	same := !sig.Variadic()
	var fields, uses, indexes []string
	for i, t := range params {
		same = same && types.Identical(t, params[0])
		spread := ""
		text := name(t)
		if sig.Variadic() && i == len(params)-1 {
			spread = "..."
		}
		fields = append(fields, fmt.Sprintf("%c %s", 'A'+i, text))
		uses = append(uses, fmt.Sprintf("p.%c%s", 'A'+i, spread))
		indexes = append(indexes, fmt.Sprintf("p[%d]", i))
	}
	item, use := "struct{ "+strings.Join(fields, "; ")+" }", strings.Join(uses, ", ")
	if same {
		item, use = fmt.Sprintf("[%d]%s", len(params), name(params[0])), strings.Join(indexes, ", ")
	}
	return refuse("%s%s takes %d items: %s; wanted %s. Wrap it: --fn 'func(%sp %s)%s { %s%s }'",
		f.Name, f.at(), len(params), f.Type, wanted, first, item, result, body, args(use))
}

// resultText returns the results of a wrapper, and how its body begins.
func resultText(sig *types.Signature, q types.Qualifier) (result, body string) {
	list := make([]string, 0, sig.Results().Len())
	for v := range sig.Results().Variables() {
		list = append(list, types.TypeString(v.Type(), q))
	}
	switch len(list) {
	case 0:
		return "", ""
	case 1:
		return " " + list[0], "return "
	}
	return " (" + strings.Join(list, ", ") + ")", "return "
}
