// Command thumbnails makes a small picture of each JPEG in a folder. A picture takes up to 50 MB while it is open, so
// as many are open at once as 200 MB allow, and no more than there are cores to work on them.
package main

import (
	"fmt"
	"image"
	"image/jpeg"
	"log"
	"os"
	"path/filepath"

	"github.com/amorsize/amorsize"
)

const width = 160

// shrink writes the small picture beside the large one and returns its name.
func shrink(name string) (string, error) {
	in, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer func() { _ = in.Close() }()
	large, err := jpeg.Decode(in)
	if err != nil {
		return "", fmt.Errorf("%s: %w", filepath.Base(name), err)
	}
	thumb := name[:len(name)-len(filepath.Ext(name))] + ".thumb.jpeg"
	out, err := os.Create(thumb)
	if err != nil {
		return "", err
	}
	if err := jpeg.Encode(out, scaled(large), nil); err != nil {
		_ = out.Close()
		return "", err
	}
	return thumb, out.Close()
}

// scaled takes every n-th pixel; golang.org/x/image/draw does it well.
func scaled(large image.Image) image.Image {
	b := large.Bounds()
	small := image.NewRGBA(image.Rect(0, 0, width, b.Dy()*width/b.Dx()))
	for y := range small.Rect.Dy() {
		for x := range width {
			small.Set(x, y, large.At(b.Min.X+x*b.Dx()/width, b.Min.Y+y*b.Dx()/width))
		}
	}
	return small
}

func main() {
	folder, remove, err := pictures() // twelve drawn ones; yours are in a folder of your own, which nobody removes
	if err != nil {
		log.Fatal(err)
	}
	defer remove()
	names, err := filepath.Glob(filepath.Join(folder, "*.jpg"))
	if err != nil {
		log.Fatal(err)
	}
	thumbs, err := amorsize.Execute(shrink, names,
		amorsize.WithMemoryLimit(200<<20),
		amorsize.WithErrors(amorsize.Collect)) // one broken picture does not end the run
	if err != nil {
		fmt.Println(err)
	}
	made := 0
	for _, thumb := range thumbs {
		if thumb != "" {
			made++
		}
	}
	fmt.Println(made, "of", len(names), "thumbnails")
}
