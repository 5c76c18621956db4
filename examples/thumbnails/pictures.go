package main

import (
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"os"
	"path/filepath"
)

// pictures makes a temporary folder of twelve pictures and a broken one.
func pictures() (folder string, remove func(), err error) {
	if folder, err = os.MkdirTemp("", "thumbnails"); err != nil {
		return "", nil, err
	}
	for i := range 12 {
		if err := draw(filepath.Join(folder, fmt.Sprintf("picture-%02d.jpg", i)), 800+100*i); err != nil {
			return "", nil, err
		}
	}
	return folder, func() { _ = os.RemoveAll(folder) }, os.WriteFile(filepath.Join(folder, "picture-12.jpg"), []byte("no picture"), 0o600)
}

func draw(name string, side int) error {
	picture := image.NewGray(image.Rect(0, 0, side, side/2))
	for y := range side / 2 {
		for x := range side {
			picture.SetGray(x, y, color.Gray{Y: uint8(x ^ y)})
		}
	}
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	if err := jpeg.Encode(f, picture, nil); err != nil {
		_ = f.Close()
		return err
	}
	return f.Close()
}
