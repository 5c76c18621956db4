package profiling

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"slices"
	"strings"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/gofunc"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/jobs"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/ui"
	"github.com/amorsize/amorsize/sampling"
)

// Text is the profile for a person.
func (p *Profile) Text(term *ui.Terminal) string {
	var b strings.Builder
	m := p.measured
	b.WriteString(term.Paint("1", p.target.What) + "\n")
	if notes := p.notes(term); len(notes) > 0 {
		b.WriteString("  " + strings.Join(notes, " · ") + "\n")
	}
	fmt.Fprintf(&b, "  item %s ± %.0f %%  CPU %s  waiting %.0f %%", jobs.Short(m.Wall), 100*m.CV, jobs.Short(m.CPU), 100*(1-m.Share()))
	if p.target.Function != nil {
		fmt.Fprintf(&b, "  %.0f allocs %s", m.Allocs, jobs.Bytes(int64(m.Bytes)))
	} else {
		fmt.Fprintf(&b, "  memory %s", jobs.Bytes(m.Memory))
	}
	fmt.Fprintf(&b, "  (%s sampled)\n", jobs.Count(m.Items))
	fmt.Fprintf(&b, "  class: %s\n", p.Class)
	if m.Failed > 0 {
		fmt.Fprintf(&b, "  %d of them failed, first: %v\n", m.Failed, m.First)
	}
	b.WriteString(term.Explain(jobs.Plan{Cost: m.Cost, Limits: p.Limits, Binding: p.Binding}) + "\n")
	b.WriteString("\n  workers   expected   speedup\n")
	for _, c := range p.Predicted {
		mark := " "
		if c.Workers == p.Workers {
			mark = ">"
		}
		fmt.Fprintf(&b, "%s %7d %10s %9.2f\n", mark, c.Workers, jobs.ShortSeconds(c.Wall), c.Speedup)
	}
	b.WriteString(p.advice())
	return b.String()
}

// notes explain how the target was built, and whether it may be called concurrently.
func (p *Profile) notes(term *ui.Terminal) []string {
	notes := slices.Clone(p.target.Notes)
	switch {
	case p.Race == nil:
	case p.Race.Found:
		notes = append(notes, term.Paint("31", "not safe for concurrent calls: "+p.Race.Text))
	case p.Race.Why != "":
		notes = append(notes, "no race check: "+p.Race.Why)
	default:
		notes = append(notes, "race check: clean")
	}
	return notes
}

// advice is the recommendation, and the code for it.
func (p *Profile) advice() string {
	var b strings.Builder
	m, fn := p.measured, p.target.Function
	fmt.Fprintf(&b, "\n  recommend: %s (%s)", ui.Plural(p.Workers, "worker"), p.Binding)
	for _, c := range p.Predicted {
		if c.Workers == p.Workers && c.Workers > 1 {
			b.WriteString(speedup(m.Class(), c.Speedup))
		}
	}
	b.WriteString("\n")
	if fn == nil {
		size := ""
		if m.Start > 0 && m.Start > 10*m.Item {
			size = " --batch auto"
		}
		fmt.Fprintf(&b, "  run:       amorsize run%s -- %s   (measures the number itself; -j %d fixes it)\n", size, ui.ShellLine(p.target.Argv), p.Workers)
		return b.String()
	}
	call := callCode(fn)
	if p.Workers == 1 && !fn.Batch {
		call += ", amorsize.WithWorkers(1)"
	}
	fmt.Fprintf(&b, "  in code:   %s)\n", call)
	return b.String()
}

// speedup says how much faster that many workers are. A sample by one caller tells nothing of what a service takes.
func speedup(class sampling.Workload, times float64) string {
	if class == sampling.CPUBound {
		return fmt.Sprintf(" -> about %.1f× as fast as one", times)
	}
	return fmt.Sprintf(" -> at best %.1f× as fast as one,\n             if what the calls wait for can serve all of them, which a run measures", times)
}

// callCode is the call that runs the function over items, without its last parenthesis: with the wrapper that the
// function's shape needs.
func callCode(fn *gofunc.Function) string {
	code, item, result := cmp.Or(fn.Code, "fn"), "T", "R"
	if types, ok := typesOf(fn); ok {
		item, result = types[0], types[1]
	}
	called, results, whole := "results, err := amorsize.Execute(", "("+result+", error)", fn.Result && fn.Fails
	params := "item " + item
	switch {
	case fn.Batch:
		called, results, whole = "results, err := amorsize.ExecuteBatches(ctx, ", "("+cmp.Or(result, "[]struct{}")+", error)", whole && fn.Context
	case !fn.Result:
		called, results, whole = "err := amorsize.ForEach(ctx, ", "error", fn.Fails && fn.Context
	case fn.Context:
		called = "results, err := amorsize.ExecuteContext(ctx, "
	}
	if strings.HasSuffix(called, "ctx, ") {
		params = "ctx context.Context, " + params
	}
	if !whole {
		code = fmt.Sprintf("func(%s) %s { %s }", params, results, bodyOf(fn, code))
	}
	return called + code + ", items"
}

// bodyOf is what the wrapper of a function does: it returns an error, and a result unless that is of no use.
func bodyOf(fn *gofunc.Function, code string) string {
	call := code + "(item)"
	if fn.Context {
		call = code + "(ctx, item)"
	}
	none := ""
	if fn.Batch {
		none = "make([]struct{}, len(item)), "
	}
	switch {
	case fn.Result && fn.Fails:
		return "return " + call
	case fn.Result:
		return "return " + call + ", nil"
	case fn.Fails:
		return "return " + none + call
	}
	return call + "; return " + none + "nil"
}

// typesOf reads from the function's type what its items and its results are; "" for a result that it does not have.
func typesOf(fn *gofunc.Function) (types [2]string, ok bool) {
	expr, err := parser.ParseExpr(fn.Type)
	if err != nil {
		return types, false
	}
	signature, ok := expr.(*ast.FuncType)
	if !ok || len(signature.Params.List) == 0 {
		return types, false
	}
	text := func(e ast.Expr) string { return fn.Type[e.Pos()-1 : e.End()-1] }
	types[0] = text(signature.Params.List[len(signature.Params.List)-1].Type)
	if fn.Result && signature.Results != nil {
		types[1] = text(signature.Results.List[0].Type)
	}
	return types, true
}
