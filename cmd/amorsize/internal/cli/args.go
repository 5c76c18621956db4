package cli

import (
	"slices"
	"strconv"
	"strings"

	"github.com/amorsize/amorsize/cmd/amorsize/internal/exit"
	"github.com/amorsize/amorsize/cmd/amorsize/internal/items"
)

// parseBytes reads 1000, 64k, 1M and 1G, in powers of 1024.
func parseBytes(flag, text string) (int, error) {
	number, shift := text, 0
	if i := strings.IndexAny(text, "kKmMgG"); i >= 0 && i == len(text)-1 {
		number, shift = text[:i], map[byte]int{'k': 10, 'm': 20, 'g': 30}[text[i]|0x20]
	}
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || n > 1<<30>>shift {
		return 0, exit.Usagef("--%s %q: must be a number of bytes up to 1G, such as 64k or 1M", flag, text)
	}
	return n << shift, nil
}

// parseMost reads a bound on bytes as parseBytes does, and larger ones: 10G; 0 is none.
func parseMost(flag, text string) (int64, error) {
	if text == "0" {
		return 0, nil
	}
	number, giga := strings.CutSuffix(strings.ToUpper(text), "G")
	if n, err := strconv.ParseInt(number, 10, 32); giga && err == nil && n >= 1 && n <= 1<<20 {
		return n << 30, nil
	}
	n, err := parseBytes(flag, text)
	return int64(n), err
}

// markers begin a list of items: of values, or of files with values; with a +,
// linked with the list before.
var markers = []string{":::", "::::", ":::+", "::::+"}

// splitItems cuts arguments at the first marker. If there is only one list, of
// values, it is returned without its marker.
func splitItems(args []string) (argv, list []string, given bool) {
	i := slices.IndexFunc(args, isMarker)
	if i < 0 {
		return args, nil, false
	}
	if list = args[i+1:]; args[i] != ":::" || slices.ContainsFunc(list, isMarker) {
		list = args[i:]
	}
	return args[:i], list, true
}

func isMarker(arg string) bool { return slices.Contains(markers, arg) }

// lists reads what follows the command: nil if it is one list of values.
func lists(args []string) []items.List {
	if len(args) == 0 || !isMarker(args[0]) {
		return nil
	}
	var all []items.List
	for len(args) > 0 {
		marker := args[0]
		args = args[1:]
		end := slices.IndexFunc(args, isMarker)
		if end < 0 {
			end = len(args)
		}
		linked := strings.HasSuffix(marker, "+")
		if strings.HasPrefix(marker, "::::") {
			for _, file := range args[:end] {
				all = append(all, items.List{File: file, Linked: linked})
			}
		} else {
			all = append(all, items.List{Values: args[:end], Linked: linked})
		}
		args = args[end:]
	}
	return all
}
