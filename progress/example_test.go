package progress_test

import (
	"bytes"
	"fmt"
	"os"
	"regexp"

	"github.com/amorsize/amorsize"
	"github.com/amorsize/amorsize/progress"
)

func square(i int) (int, error) { return i * i, nil }

func ExampleBar() {
	_, err := amorsize.Execute(square, []int{1, 2, 3}, amorsize.WithProgress(progress.Bar(os.Stderr)))
	fmt.Println(err)
	// Output: <nil>
}

func ExampleNew() {
	var out bytes.Buffer // os.Stderr: there, each run has a line
	bars := progress.New(&out)
	for _, name := range []string{"pages", "images"} {
		_, _ = amorsize.Execute(square, []int{1, 2, 3}, amorsize.WithProgress(bars.Bar(name)))
	}
	fmt.Print(regexp.MustCompile(` in .*`).ReplaceAllString(out.String(), ""))
	// Output:
	// pages: 3 items
	// images: 3 items
}
