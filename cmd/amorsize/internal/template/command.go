package template

import (
	"fmt"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
)

// Command is a command line with placeholders. It is executed as written, argument by argument: no shell reads an
// item.
type Command struct {
	args   []Template
	fields bool // the columns of the items follow
}

// ParseCommand reads the arguments. If none has a placeholder, the item is the
// last argument, unless it is passed otherwise (bare).
func ParseCommand(argv []string, scope Scope, bare bool) (Command, error) {
	var c Command
	constant := true
	var words []string
	for _, arg := range argv {
		t, err := Parse(arg, scope)
		if err != nil {
			return c, err
		}
		constant = constant && t.Constant()
		words = append(words, t.words...)
		c.args = append(c.args, t)
	}
	if constant && !bare {
		if len(words) > 0 {
			return c, fmt.Errorf("%w (to pass it as it is, add {} where the item goes)", unknownWord(words[0]))
		}
		if c.fields = scope.Several; !c.fields {
			c.args = append(c.args, Template{parts: []part{{kind: whole}}})
		}
	}
	return c, nil
}

// Expand returns the arguments for a batch of items: an argument with a
// placeholder of an item appears once for each.
func (c Command) Expand(batch []items.Item, slot int) ([]string, error) {
	argv := make([]string, 0, len(c.args)+len(batch))
	for i, t := range c.args {
		of := batch
		if len(batch) == 0 {
			of = []items.Item{{}} // of a worker, which starts before its items
		} else if i == 0 || t.Constant() {
			of = batch[:1]
		}
		for _, it := range of {
			arg, err := t.Expand(it, slot, nil)
			if err != nil {
				return nil, err
			}
			argv = append(argv, arg)
		}
	}
	if c.fields {
		for _, it := range batch {
			argv = append(argv, it.Fields...)
		}
	}
	return argv, nil
}

// Adds returns the arguments that another item adds to a command line; those without a value are left out.
func (c Command) Adds(it items.Item) []string {
	var args []string
	for i, t := range c.args {
		if i == 0 || t.Constant() {
			continue
		}
		if arg, err := t.Expand(it, 0, nil); err == nil {
			args = append(args, arg)
		}
	}
	if c.fields {
		args = append(args, it.Fields...)
	}
	return args
}

// Program returns the program's name if it does not depend on the item.
func (c Command) Program() (string, bool) {
	if len(c.args) == 0 || !c.args[0].Constant() {
		return "", false
	}
	name, err := c.args[0].Expand(items.Item{}, 0, nil)
	return name, err == nil
}
